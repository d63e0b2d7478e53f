"""A state folder of an older version, which the group could write to, and what somebody left in it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat

import pytest

from sttd.job import State
from tests import speech


@pytest.mark.ci
def test_what_was_planted_harms_nothing_and_the_folder_becomes_the_daemons_own(make_daemon, tmp_path):
    """Links under the names of manifest and checkpoint, open modes, a table that is gone: it starts, and does its work."""
    daemon = make_daemon()
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    assert daemon.drain() == 0
    victim = tmp_path / "victim"
    victim.write_bytes(b"somebody's\n")
    with contextlib.closing(sqlite3.connect(daemon.state / "ledger.db")) as db:
        db.execute("DROP TABLE attempts")
    (daemon.state / "manifest.jsonl").rename(tmp_path / "manifest")
    (daemon.state / "manifest.jsonl").symlink_to(victim)
    (daemon.state / "work").mkdir(exist_ok=True)
    (daemon.state / "work" / "1").symlink_to(tmp_path)
    (daemon.state / "work" / "2").mkdir()
    os.mkfifo(daemon.state / "work" / "2" / "0.jsonl")
    for path in (daemon.state, daemon.state / "ledger.db", daemon.state / "lock"):
        path.chmod(0o666 if path.is_file() else 0o2777)
    speech.encode(daemon.inbox / "again.flac", speech.sample("english"))
    daemon.log.clear()
    daemon.start()
    daemon.wait_log("made anew")
    daemon.wait_state(State.DONE, 1)
    modes = {name: stat.S_IMODE((daemon.state / name).stat().st_mode) for name in ("", "ledger.db", "lock", "requests")}
    assert modes == {"": 0o2755, "ledger.db": 0o640, "lock": 0o600, "requests": 0o3730}
    assert daemon.stop() == 0
    assert victim.read_bytes() == b"somebody's\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".jsonl")] == []
    assert any("lacks " in line and " attempts" in line for line in daemon.log)

"""The ledger is damaged under a daemon, or between two: each source still has exactly one result or failure record."""

from __future__ import annotations

import contextlib
import json

import pytest

from sttd.errors import LedgerError
from sttd.job import State
from sttd.ledger import Ledger, facts
from tests import speech
from tests.harness import wait_for

KEEP = {"output.source": "keep", "transcribe.batch_size": "1", "watch.dedupe": "no"}


def overwrite(path):
    """Every page but the first is somebody else's."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        for offset in range(4096, size, 4096):
            file.seek(offset)
            file.write(b"\x5a" * 4096)


def everything(daemon):
    """How many results and failure records each source has, as the folders say."""
    found: dict[str, int] = {}
    for path in daemon.transcripts.glob("*.json"):
        name = json.loads(path.read_text())["source"]["name"]
        found[name] = found.get(name, 0) + 1
    for path in daemon.failed.glob("*.error.json"):
        name = json.loads(path.read_text())["source"]
        found[name] = found.get(name, 0) + 1
    return found


def busy(daemon):
    """A daemon that has done one, given one up, works on one and has one waiting."""
    speech.encode(daemon.inbox / "done.flac", speech.sample("english"))
    (daemon.inbox / "bad.mp3").write_bytes(b"no sound at all" * 100)
    daemon.start()
    daemon.wait_state(State.DONE, next_number(daemon, "done.flac"))
    daemon.wait_state(State.FAILED, next_number(daemon, "bad.mp3"))
    speech.encode(daemon.root / "long.flac", speech.compose(seconds=60, language="en", seed=5).audio)
    (daemon.root / "long.flac").rename(daemon.inbox / "long.flac")
    number = next_number(daemon, "long.flac")
    wait_for(lambda: daemon.checkpoint(number), "a chunk is checkpointed")
    speech.encode(daemon.root / "next.flac", speech.sample("clip01"))
    (daemon.root / "next.flac").rename(daemon.inbox / "next.flac")
    next_number(daemon, "next.flac")
    return number


def next_number(daemon, source):
    return wait_for(lambda: [job.id for job in daemon.jobs() if job.source == source], f"{source} is a job")[0]


ONCE = {"done.flac": 1, "bad.mp3": 1, "long.flac": 1, "next.flac": 1}


def test_a_ledger_that_was_damaged_while_nobody_looked_is_made_anew(make_daemon):
    """What was done is not done again though its source was kept; what was begun resumes; all is said."""
    daemon = make_daemon(KEEP)
    number = busy(daemon)
    daemon.process.kill()
    daemon.wait()
    Ledger.open(daemon.state / "ledger.db").close()  # and the WAL is in it
    overwrite(daemon.state / "ledger.db")
    daemon.log.clear()
    assert daemon.drain() == 0
    assert everything(daemon) == ONCE
    assert list(daemon.state.glob("ledger.db.corrupt-*"))
    assert any("CRITICAL" in line and "set aside as ledger.db.corrupt-" in line for line in daemon.log)
    assert daemon.job(number).source == "long.flac"
    assert daemon.job(number).resumes == 1
    assert len(daemon.jobs()) == 4


@pytest.mark.ci
def test_a_ledger_that_is_damaged_under_a_daemon_is_made_anew_without_a_restart(make_daemon):
    daemon = make_daemon(KEEP)
    busy(daemon)
    pid = daemon.process.pid
    with contextlib.closing(Ledger.open(daemon.state / "ledger.db")) as other:
        other._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.fact(facts.PAUSED)
        overwrite(daemon.state / "ledger.db")
        # the daemon has what it knows in memory: it must read when somebody else has written
        with contextlib.suppress(LedgerError):
            other.set_fact(facts.PAUSED, value=False)
    daemon.wait_log("made anew from the manifest")
    wait_for(lambda: len(daemon.jobs()) == 4, "all are jobs again")
    wait_for(lambda: all(job.state in (State.DONE, State.FAILED) for job in daemon.jobs()), "all have ended")
    assert everything(daemon) == ONCE
    assert daemon.process.pid == pid
    assert daemon.stop() == 0

"""A folder on a share that hangs, under a daemon that uses it: whoever touches it waits for ever, and no other may."""

from __future__ import annotations

import contextlib
import signal

import pytest

from sttd.job import State
from tests import speech
from tests.harness import Daemon, wait_for
from tests.shares import hanging

QUESTIONS = (["status"], ["jobs"], ["jobs", "--json"], ["show", "1"], ["show", "2"], ["check-config"])
REQUESTS = (["retry", "2"], ["redo", "1"])


def stir(daemon: Daemon, folder: str) -> None:
    """Have the daemon touch the folder, and wait until it does."""
    if folder == "archive":
        speech.encode(daemon.inbox / "c.flac", speech.sample("thai"))
        wait_for(lambda: list(daemon.transcripts.glob("c.*.json")), "a recording is on its way to the archive")
    elif folder == "failed":
        (daemon.inbox / "c.flac").write_bytes(b"no sound at all")
        daemon.wait_state(State.FAILED, 3)
    else:
        daemon.wait_log("does not answer")


@pytest.mark.ci
@pytest.mark.parametrize("folder", ["inbox", "archive", "failed"])
def test_a_daemon_whose_folder_hangs_answers_reloads_pauses_goes_on_and_ends(make_daemon, folder):
    """Its commands read the ledger and leave requests there; its loop leaves files to threads that may hang."""
    daemon = make_daemon({"pool.stop_grace": "1s", "watch.rescan_interval": "1s"})
    speech.encode(daemon.inbox / "a.flac", speech.sample("english"))
    daemon.start().wait_state(State.DONE, 1)
    (daemon.inbox / "b.flac").write_bytes(b"no sound")
    wait_for(lambda: (daemon.failed / "b.flac").exists() and daemon.jobs()[1].location, "one is put aside")
    with hanging(daemon.root / folder):
        stir(daemon, folder)
        for words in (*QUESTIONS, *REQUESTS):
            done = daemon.sttd(*words)
            assert "Traceback" not in done.stderr
            assert done.returncode == 0 or words == ["status"], (words, done.stderr)
        assert daemon.sttd("pause").returncode == 0
        wait_for(lambda: daemon.json("status")["paused"], "it pauses")
        assert daemon.sttd("resume").returncode == 0
        wait_for(lambda: not daemon.json("status")["paused"], "it goes on")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_log("configuration loaded again")
        assert daemon.stop() == 0


@pytest.mark.ci
def test_a_daemon_that_starts_while_all_its_folders_hang_says_so_and_works_when_they_are_back(make_daemon):
    """It hung before the first line of its log, and no command said why."""
    daemon = make_daemon({"pool.machine_wait": "1s", "watch.rescan_interval": "1s"})
    folders = [daemon.inbox, daemon.archive, daemon.transcripts, daemon.failed]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    speech.encode(daemon.inbox / "a.flac", speech.sample("english"))
    with contextlib.ExitStack() as shares:
        for folder in folders:
            shares.enter_context(hanging(folder))
        daemon.start()
        for folder in folders:
            wait_for(
                lambda at=folder: [line for line in daemon.log if str(at) in line and "answer" in line], f"{folder}"
            )
        wait_for(lambda: daemon.sttd("status").returncode == 1, "the status says so")
        assert f"{daemon.inbox} " in daemon.sttd("status").stdout
        assert daemon.sttd("pause").returncode == daemon.sttd("resume").returncode == 0
        daemon.wait_log("resumed")
    daemon.wait_state(State.DONE)
    assert (daemon.archive / "a.flac").exists()
    assert daemon.stop() == 0

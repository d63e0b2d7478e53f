"""The inbox under strain: lost events, a flood of files, and a folder that goes away."""

from __future__ import annotations

import os
import signal

import pytest

from sttd.job import State
from tests import speech
from tests.harness import remove_folder, wait_for

NO_RESCAN = {"watch.rescan_interval": "1h"}


def queued(daemon):
    return daemon.json("status")["jobs"]["queued"]


def test_what_came_while_the_kernels_queue_overflowed_is_found(make_daemon):
    """A daemon that did not read for too long; no rescan is due for an hour, so that the overflow itself is the reason."""
    daemon = make_daemon(NO_RESCAN)
    (daemon.inbox / "a.part").touch()
    daemon.start()
    daemon.wait_log("watches")
    daemon.sttd("pause")
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        limit = int(file.read())
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(limit // 2):  # two events for each rename: twice what fits
            os.rename(daemon.inbox / "a.part", daemon.inbox / "b.part")
            os.rename(daemon.inbox / "b.part", daemon.inbox / "a.part")
        (daemon.inbox / "new.mp3").write_bytes(b"x")
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    daemon.wait_state(State.QUEUED)
    assert "max_queued_events" in daemon.wait_log("events of the inbox were lost")
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    "files", [1_500, pytest.param(6_000, marks=pytest.mark.ci), pytest.param(50_000, marks=pytest.mark.slow)]
)
def test_a_folder_of_many_files_that_is_moved_in_becomes_as_many_jobs(make_daemon, files):
    """All of them, once, also over a kill in the midst of it."""
    daemon = make_daemon(NO_RESCAN)
    daemon.start()
    daemon.wait_log("watches")
    daemon.sttd("pause")
    stage = daemon.root / "stage"
    for number in range(files):
        folder = stage / str(number // 1000)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.mp3").write_bytes(b"x")
    stage.rename(daemon.inbox / "moved")
    wait_for(lambda: queued(daemon), "the first are queued")
    daemon.process.kill()
    daemon.wait()
    daemon.start()
    wait_for(lambda: sum("watches" in line for line in daemon.log) == 2, "it takes signals again")
    wait_for(lambda: queued(daemon) == files, "all are queued")
    assert len({job.source for job in daemon.jobs()}) == len(daemon.jobs()) == files
    assert daemon.stop() == 0


@pytest.mark.ci
def test_an_inbox_that_is_replaced_or_deleted_while_it_runs_loses_no_job(make_daemon):
    """What waits goes on waiting, and that is said; the folder that comes back has its files, a new one is taken."""
    daemon = make_daemon({"watch.rescan_interval": "1s"})
    daemon.start()
    daemon.wait_log("watches")
    daemon.sttd("pause")
    speech.encode(daemon.root / "a.flac", speech.sample("english")).rename(daemon.inbox / "a.flac")
    daemon.wait_state(State.QUEUED)
    elsewhere = daemon.inbox.rename(daemon.root / "elsewhere")
    daemon.inbox.mkdir()
    assert "not the folder that it was" in wait_for(lambda: daemon.json("status")["inbox"]["away"], "it is said")
    daemon.sttd("resume")
    remove_folder(daemon.inbox)
    elsewhere.rename(daemon.inbox)
    daemon.wait_state(State.DONE)
    remove_folder(daemon.inbox)
    wait_for(lambda: daemon.json("status")["inbox"]["away"], "it is said")
    daemon.inbox.mkdir()
    speech.encode(daemon.root / "b.flac", speech.sample("clip01")).rename(daemon.inbox / "b.flac")
    job = daemon.wait_state(State.DONE, 2)
    assert not job.attempts
    assert daemon.stop() == 0

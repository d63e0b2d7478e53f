"""Files that change, vanish or close up under the daemon's hands; a file replaced in mid-job is in tests/e2e."""

from __future__ import annotations

import os

import pytest

from sttd.job import State
from sttd.part import Cause
from tests import speech
from tests.harness import Daemon, wait_for

SLOW = {"transcribe.batch_size": "1", "pool.machine_wait": "1s", "watch.rescan_interval": "1s"}
# root reads what it may not, unless these are taken from it
_WITHOUT = "-dac_override,-dac_read_search"


class Bound(Daemon):
    """A daemon that modes count for, root's too."""

    def command(self, *words: str) -> list[str]:
        bound = ["setpriv", f"--bounding-set={_WITHOUT}", f"--inh-caps={_WITHOUT}"] if os.geteuid() == 0 else []
        return [*bound, *super().command(*words)]


@pytest.fixture
def bound(tmp_path):
    daemon = Bound(tmp_path, SLOW)
    yield daemon
    daemon.close()


def long(path, seconds=60, seed=31):
    recording = speech.compose(seconds=seconds, language="en", seed=seed)
    speech.encode(path, recording.audio)
    return recording


def good_behind(daemon):
    """A good file that came later; wait until it is done."""
    speech.encode(daemon.inbox / "good.flac", speech.sample("clip09"))
    wait_for(lambda: [job for job in daemon.jobs() if job.source == "good.flac"], "the good file is a job")
    number = next(job.id for job in daemon.jobs() if job.source == "good.flac")
    daemon.wait_state(State.DONE, number)
    assert speech.says(daemon.text("good.flac", "en"), "clip09")


@pytest.mark.ci
def test_a_file_that_grows_while_it_is_read_is_transcribed_whole_and_once(make_daemon):
    """What was there at first is no result of its own."""
    daemon = make_daemon(SLOW)
    first = long(daemon.root / "first.aac")
    second = speech.encode(daemon.root / "second.aac", speech.sample("english"))
    (daemon.root / "first.aac").rename(daemon.inbox / "talk.aac")
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    with (daemon.inbox / "talk.aac").open("ab") as file:
        file.write(second.read_bytes())
    job = daemon.wait_state(State.DONE)
    assert job.attempts == 0
    assert job.audio_seconds > first.seconds + len(speech.sample("english")) / 16_000 - 1
    assert daemon.stop() == 0
    assert len(daemon.jobs()) == 1
    assert len(list(daemon.transcripts.glob("*.txt"))) == 1


@pytest.mark.ci
def test_a_file_that_is_deleted_while_it_is_read_has_vanished(make_daemon):
    """Nothing is left of it, no attempt is spent, and what is behind it is served."""
    daemon = make_daemon(SLOW)
    long(daemon.inbox / "talk.flac")
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    (daemon.inbox / "talk.flac").unlink()
    good_behind(daemon)
    job = daemon.wait_state(State.VANISHED)
    assert job.attempts == 0
    assert daemon.stop() == 0
    assert not list(daemon.transcripts.glob("talk*"))
    assert not (daemon.transcripts / ".sttd-staging").exists()


@pytest.mark.ci
def test_a_file_that_is_cut_off_while_it_is_read_is_taken_as_it_is_now(make_daemon):
    daemon = make_daemon(SLOW)
    long(daemon.inbox / "talk.flac")
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    with (daemon.inbox / "talk.flac").open("r+b") as file:  # closed again: its writer is known to have ended
        file.truncate(20_000)
    job = daemon.wait_state(State.DONE)
    assert (job.size, job.attempts) == (20_000, 0)
    assert any("ends early" in warning for warning in daemon.result("talk.flac", job.language)["warnings"])
    assert daemon.stop() == 0


@pytest.mark.ci
def test_files_that_may_not_be_read_wait_and_say_what_to_do(bound):
    """At first sight, or taken away in mid-job: no attempt is spent, and they go on when they may be read."""
    recording = long(bound.inbox / "talk.flac")
    bound.start()
    wait_for(bound.checkpoint, "a chunk is checkpointed")
    (bound.inbox / "talk.flac").chmod(0)
    closed = speech.encode(bound.root / "closed.flac", speech.sample("english"))
    closed.chmod(0)
    closed = closed.rename(bound.inbox / "closed.flac")
    good_behind(bound)
    # the one was transcribed from the handle that was open: its results wait until it can be read once more
    bound.wait_log("talk.flac: its results cannot be written")
    job = wait_for(lambda: unreadable(bound, "closed.flac"), "it is said of the other")
    assert (job.state, job.attempts) == (State.QUEUED, 0)
    assert "chmod u+r" in job.error, "its owner is the service itself"
    for name in ("talk.flac", "closed.flac"):
        (bound.inbox / name).chmod(0o640)
    wait_for(lambda: all(job.state is State.DONE for job in bound.jobs()), "both are done")
    assert bound.job(job.id).attempt == 2, "no attempt while it could not be read"
    assert speech.error_rate(recording.said(), bound.text("talk.flac", "en"), "en") < 0.35
    assert speech.says(bound.text("closed.flac", "en"), "english")
    assert bound.stop() == 0
    assert len(list(bound.transcripts.glob("*.txt"))) == 3


def unreadable(daemon, name):
    jobs = [job for job in daemon.jobs() if job.source == name]
    return next((job for job in jobs if job.cause == Cause.UNREADABLE and job.state is State.QUEUED), None)


@pytest.mark.ci
def test_times_of_change_in_the_past_and_in_the_future_mean_nothing(make_daemon):
    """1970, 1901, the end of this century, and beyond what 64 bits of nanoseconds hold: each is transcribed once."""
    daemon = make_daemon({"watch.dedupe": "false", "watch.settle": "300ms"})
    times = {"epoch": 0, "before": -(2**31), "century": 4_102_444_800, "far": 13_569_465_600, "last": 15_032_385_535}
    for name, seconds in times.items():
        path = speech.encode(daemon.inbox / f"{name}.flac", speech.sample("clip09"))
        os.utime(path, ns=(0, seconds * 10**9 + 7))
    speech.encode(daemon.inbox / "good.flac", speech.sample("clip09"))
    assert daemon.drain() == 0
    assert {job.source: (job.state, job.attempt) for job in daemon.jobs()} == {
        f"{name}.flac": (State.DONE, 1) for name in [*times, "good"]
    }
    assert len(list(daemon.archive.glob("[!.]*"))) == len(times) + 1

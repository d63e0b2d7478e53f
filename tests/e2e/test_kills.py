"""What is killed, stopped or frozen loses nothing."""

from __future__ import annotations

import itertools
import math
import os
import signal

import psutil
import pytest

from sttd.job import State
from tests import speech
from tests.harness import PATIENCE, Daemon, wait_for

# every window a checkpoint, and nothing left to chance
SLOW = {"transcribe.batch_size": "1", "transcribe.temperatures": "0"}


@pytest.fixture(scope="module")
def recording():
    return speech.compose(seconds=100, language="en", seed=11)


@pytest.fixture(scope="module")
def quiet(recording, tmp_path_factory) -> Daemon:
    """A run that nobody disturbs."""
    daemon = Daemon(tmp_path_factory.mktemp("undisturbed"), SLOW)
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    assert daemon.drain() == 0
    return daemon


@pytest.fixture(scope="module")
def undisturbed(quiet) -> list[tuple[float, str]]:
    return segments(quiet)


def segments(daemon) -> list[tuple[float, str]]:
    return [(each["start"], each["text"]) for each in daemon.result("long.flac", "en")["segments"]]


def assert_seamless(chunks) -> None:
    """Every sample in exactly one chunk."""
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert all(before.end == after.start for before, after in itertools.pairwise(chunks))


@pytest.mark.ci
def test_a_stopped_worker_is_killed_and_its_job_resumes_at_its_next_chunk(make_daemon, recording, quiet, undisturbed):
    """SIGSTOP in mid-job: the sweep kills it, the log says so, and no chunk is transcribed twice."""
    # the first chunk is there long before, on this machine as busy as it is
    limit = max(5, math.ceil(10 * quiet.job().service / quiet.job().chunks))
    daemon = make_daemon(SLOW | {"pool.job_timeout": f"{limit}s", "pool.sweep_interval": "1s", "pool.kill_grace": "1s"})
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    worker = daemon.children()[0]
    worker.suspend()
    before = daemon.checkpoint()
    daemon.wait_log(f"⏰ Job timed out after {limit} seconds")
    job = daemon.wait_state(State.DONE)
    assert not psutil.pid_exists(worker.pid)
    assert job.resumes >= 1
    assert job.chunks > len(before)
    assert segments(daemon) == undisturbed
    assert any("resumes at" in line for line in daemon.log)
    assert daemon.stop() == 0


@pytest.mark.ci
def test_the_others_do_not_pause_while_one_worker_is_stopped(make_daemon, recording):
    """With two workers, one stopped in mid-job: the other serves every other file meanwhile."""
    daemon = make_daemon(SLOW | {"pool.workers": "2", "pool.sweep_interval": "1s"})
    speech.encode(daemon.inbox / "a-long.flac", recording.audio)
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    (worker,) = daemon.children()
    worker.suspend()
    for number in range(4):
        speech.encode(daemon.inbox / f"short{number}.flac", speech.sample(f"clip0{number}"))
    for number in range(4):
        daemon.wait_state(State.DONE, number + 2)
    assert daemon.job(1).state is State.RUNNING
    worker.resume()
    daemon.wait_state(State.DONE, 1)
    assert daemon.stop() == 0


def test_sigkill_of_the_daemon_leaves_no_process_and_the_next_start_goes_on(make_daemon, recording, undisturbed):
    """SIGKILL in mid-job: every worker dies with its parent, and the job is finished from its checkpoint."""
    daemon = make_daemon(SLOW)
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    daemon.start()
    wait_for(lambda: len(daemon.checkpoint()) >= 2, "two chunks are checkpointed")
    workers = daemon.children()
    assert workers
    daemon.stop(signal.SIGKILL)
    psutil.wait_procs(workers, timeout=PATIENCE)
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]
    before = daemon.checkpoint()
    daemon.start()
    job = daemon.wait_state(State.DONE)
    assert job.resumes == 1
    assert any(f"resumes at {before[-1].end / 16000:.0f} s" in line for line in daemon.log)
    assert segments(daemon) == undisturbed
    assert daemon.stop() == 0


@pytest.mark.ci
def test_sigterm_ends_with_0_and_the_job_queued_with_its_checkpoint(make_daemon, recording):
    """SIGTERM in mid-job: exit 0, the job waits with what is done, and no process outlives the daemon."""
    daemon = make_daemon(SLOW)
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    family = psutil.Process(daemon.process.pid).children(recursive=True)
    daemon.process.terminate()
    assert daemon.process.wait(PATIENCE) == 0
    assert not [each for each in family if each.is_running()]
    job = daemon.job()
    assert job.state is State.QUEUED
    assert job.attempts == 0
    chunks = daemon.checkpoint()
    assert chunks
    assert_seamless(chunks)
    assert daemon.drain() == 0
    assert daemon.job().resumes == 1


@pytest.mark.ci
def test_a_worker_that_dies_is_seen_at_once_and_its_job_resumes(make_daemon, recording):
    """SIGKILL of a worker with a sweep an hour away: the cause is logged, and the job goes on from its checkpoint."""
    daemon = make_daemon(SLOW | {"pool.sweep_interval": "1h"})
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    os.kill(daemon.children()[0].pid, signal.SIGKILL)
    daemon.wait_log("SIGKILL")
    job = daemon.wait_state(State.DONE)
    assert job.attempts == 1
    assert job.resumes == 1
    assert daemon.stop() == 0

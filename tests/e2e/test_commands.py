"""What people type, while the daemon runs and while it does not."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

from sttd.job import Identity, State
from sttd.ledger import Ledger, facts
from tests import speech
from tests.cli.test_terminal import Screen
from tests.emulator import Terminal
from tests.harness import PATIENCE, wait_for

STATUS = {"daemon", "jobs", "workers", "memory"}
JOB = {
    "id", "source", "state", "attempts", "resumes", "chunks", "audio_seconds", "language", "model", "requested_model",
    "fallback_reason", "error", "outputs",
}  # fmt: skip


@pytest.mark.ci
def test_status_and_jobs_say_the_same_while_it_runs_and_while_it_does_not(make_daemon):
    daemon = make_daemon({"transcribe.batch_size": "1"})
    speech.encode(daemon.inbox / "long.flac", speech.compose(seconds=90, language="en", seed=2).audio)
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    with daemon.held():
        status = wait_for(lambda: (found := daemon.json("status"))["workers"] and found, "a worker is shown")
        assert status.keys() >= STATUS
        assert status["daemon"]["running"] is True
        assert status["daemon"]["pid"] == daemon.process.pid
        assert status["jobs"]["running"] == 1
        assert status["jobs"].keys() >= {"queued", "running", "done", "failed", "cancelled"}
        assert status["workers"][0].keys() >= {"pid", "state", "job", "model", "progress"}
        (job,) = daemon.json("jobs")
        assert job.keys() >= JOB
        assert job["state"] == "running"
    assert daemon.stop() == 0
    status = daemon.json("status")
    assert status["daemon"]["running"] is False
    assert status["jobs"]["queued"] == 1
    assert daemon.json("jobs")[0]["state"] == "queued"
    assert daemon.json("show", "1")["id"] == 1


@pytest.mark.ci
def test_cancel_and_retry_while_it_runs(make_daemon):
    """A running job is cancelled within moments; retried, it goes on from its checkpoint."""
    daemon = make_daemon({"transcribe.batch_size": "1"})
    speech.encode(daemon.inbox / "long.flac", speech.compose(seconds=90, language="en", seed=2).audio)
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    with daemon.held():
        assert daemon.sttd("cancel", "1").returncode == 0
        daemon.wait_state(State.CANCELLED)
    assert (daemon.inbox / "long.flac").exists()
    assert daemon.sttd("retry", "1").returncode == 0
    job = daemon.wait_state(State.DONE)
    assert job.resumes == 1
    assert daemon.stop() == 0


@pytest.mark.ci
def test_what_is_asked_while_it_does_not_run_is_done_at_its_next_start(make_daemon):
    daemon = make_daemon()
    (daemon.inbox / "bad.wav").write_bytes(b"no sound")
    assert daemon.drain() == 1
    speech.encode(daemon.failed / "bad.wav", speech.sample("english"))
    asked = daemon.sttd("retry", "--failed")
    assert asked.returncode == 0
    assert "next start" in asked.stdout
    daemon.drain()
    assert daemon.job().attempt >= 2


def test_redo_makes_a_new_job_from_the_archived_source(make_daemon):
    """The old result stays, the new one lies beside it, the source stays in the archive."""
    daemon = make_daemon()
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    daemon.start().wait_state(State.DONE)
    assert daemon.sttd("redo", "1", "--language", "en").returncode == 0
    daemon.wait_state(State.DONE, 2)
    assert daemon.stop() == 0
    assert (daemon.transcripts / "english.en.txt").is_file()
    assert (daemon.transcripts / "english (2).en.txt").is_file()
    assert [path.name for path in daemon.archive.glob("[!.]*")] == ["english.flac"]


@pytest.mark.ci
def test_redo_of_a_source_that_is_gone_ends_in_words(make_daemon):
    """No inbox tells of it, so that it would be tried for ever."""
    daemon = make_daemon()
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    assert daemon.drain() == 0
    assert daemon.sttd("redo", "1").returncode == 0
    (daemon.archive / "english.flac").unlink()
    assert daemon.drain() == 1
    job = daemon.job(2)
    assert job.state is State.FAILED
    assert "not there any more" in (job.error or "")


@pytest.mark.ci
def test_a_wait_that_the_clock_made_endless_is_cut_short(make_daemon):
    """It was set back by a year since the wait was stored."""
    daemon = make_daemon({"pool.machine_wait": "1s", "watch.patience": "1s", "model.retry_after": "1s"})
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    daemon.state.mkdir()
    ledger = Ledger.open(daemon.state / "ledger.db")
    seen = Identity.of((daemon.inbox / "english.flac").stat())
    ahead = time.time() + 365 * 86400
    ledger.add("english.flac", seen, ahead, not_before=ahead + 30)
    ledger.close()
    daemon.start()
    cut = re.search(r"each waits (\d+) s at most", daemon.wait_log("the clock was set back"))
    assert cut is not None
    assert int(cut[1]) <= 2, "another wait of the configuration is longer: give it a second here too"
    daemon.wait_state(State.DONE)
    assert daemon.stop() == 0


def test_paused_nothing_starts_until_resumed(make_daemon):
    daemon = make_daemon()
    daemon.start()
    daemon.wait_log("watches")
    assert daemon.sttd("pause").returncode == 0
    daemon.wait_log("paused")
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    daemon.wait_state(State.QUEUED)
    assert daemon.sttd("resume").returncode == 0
    daemon.wait_state(State.DONE)
    assert daemon.stop() == 0


@pytest.mark.ci
def test_a_drain_of_a_paused_queue_says_so_once_and_goes_on_when_it_is_resumed(make_daemon):
    """What waits has not ended, and nothing is wrong with the machine: a person has paused it, and knows how to go on."""
    daemon = make_daemon()
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    daemon.state.mkdir()
    ledger = Ledger.open(daemon.state / "ledger.db")
    ledger.set_fact(facts.PAUSED, True)
    ledger.close()
    daemon.start("--drain")
    daemon.wait_log(f"no job starts until `sttd --root {daemon.root} resume`")
    daemon.wait_state(State.QUEUED)
    assert daemon.sttd("resume").returncode == 0
    assert daemon.wait() == 0
    assert daemon.job().state is State.DONE
    assert sum("is paused" in line for line in daemon.log) == 1


def test_a_second_daemon_on_the_same_folders_is_refused(make_daemon, tmp_path):
    """Exit 3 and a sentence, for the state folder and for the inbox alone."""
    daemon = make_daemon()
    daemon.start()
    daemon.wait_log("watches")
    second = daemon.sttd("run")
    assert second.returncode == 3
    assert "another sttd" in second.stderr
    other = make_daemon({"paths.inbox": str(daemon.inbox)}, root=tmp_path / "other")
    third = other.sttd("run")
    assert third.returncode == 3
    assert daemon.stop() == 0


def test_an_unwritable_state_folder_is_refused_with_the_remedy(make_daemon, tmp_path):
    (tmp_path / "state").write_text("a file where a folder should be")
    refused = make_daemon().sttd("run")
    assert refused.returncode == 6
    assert "state" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_demo_prints_the_words_and_where_they_lie(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sttd", "--root", str(tmp_path / "demo"), "demo"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "hello world" in done.stdout
    assert "".join(speech.words("thai")) in done.stdout.replace(" ", "")
    assert str(tmp_path / "demo" / "transcripts") in done.stdout


@pytest.mark.ci
def test_on_a_terminal_the_demo_shows_bars_and_each_text_when_it_is_there(tmp_path):
    screen = Screen(tmp_path, 120, "demo")
    seen = screen.read()
    assert screen.close() == 0, seen
    assert "waits" in seen
    assert "model loads" in seen
    lines = Terminal(120).feed(seen).lines
    assert not [line for line in lines if "━" in line]
    for name, heard in (("english.flac", "heard as 'en'"), ("thai.flac", "heard as 'th'")):
        first = next(number for number, line in enumerate(lines) if line.startswith(name))
        assert heard in lines[first]
        assert speech.says(lines[first + 1], name.partition(".")[0])

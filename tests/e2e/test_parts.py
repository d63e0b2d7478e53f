"""A long recording over several real workers: one text, whatever is killed, and a person sees and hears it in its order."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict

import pytest

from sttd.job import State
from tests import speech
from tests.harness import Daemon, wait_for
from tests.invariants import Folders, of_parts

# every window a checkpoint, and nothing left to chance; four parts
SETTINGS = {
    "transcribe.batch_size": "1", "transcribe.temperatures": "0", "pool.workers": "2",
    "pool.split_after": "80s", "pool.part_length": "60s",
}  # fmt: skip


@pytest.fixture(scope="module")
def recording():
    return speech.compose(seconds=240, language="en", seed=11)


@pytest.fixture(scope="module")
def quiet(recording, tmp_path_factory) -> Daemon:
    """A run that nobody disturbs."""
    daemon = Daemon(tmp_path_factory.mktemp("undisturbed"), SETTINGS)
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    assert daemon.drain() == 0
    return daemon


def segments(daemon: Daemon) -> list[tuple[float, str]]:
    return [(each["start"], each["text"]) for each in daemon.result("long.flac", "en")["segments"]]


def numbers(daemon: Daemon) -> set[int]:
    """The parts that have a chunk now."""
    work = daemon.state / "work" / "1"
    return {int(path.stem) for path in work.glob("*.jsonl") if path.read_bytes().count(b"\n") > 1}


@pytest.mark.ci
def test_two_workers_have_parts_of_one_recording_and_it_is_one_transcript(quiet):
    job = quiet.job()
    assert (job.state, job.shared and job.shared.parts) == (State.DONE, 4)
    with quiet.ledger() as ledger:
        attempts, parts = ledger.attempts(1), ledger.parts(job)
    assert {attempt["part"] for attempt in attempts} == {0, 1, 2, 3}
    assert len({attempt["pid"] for attempt in attempts}) == 2
    assert any(one["started_at"] < other["ended_at"] and other["started_at"] < one["ended_at"]
               for one, other in itertools.combinations(attempts, 2))  # fmt: skip
    assert [part.state for part in parts] == [State.DONE] * 4
    assert all(one.ends == pytest.approx(other.begins, abs=0.001) for one, other in itertools.pairwise(parts))
    starts = [start for start, _ in segments(quiet)]
    assert starts == sorted(starts)
    assert quiet.result("long.flac", "en")["chunks"] == sum(part.chunks for part in parts)


@pytest.mark.ci
def test_killed_workers_and_a_killed_daemon_change_nothing_of_the_text(make_daemon, recording, quiet):
    """Both workers while each has a part, then the daemon: every part goes on after its last chunk."""
    daemon = make_daemon(SETTINGS)
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    daemon.start()
    wait_for(lambda: len(numbers(daemon)) > 1, "two parts have chunks")
    for worker in daemon.children():
        worker.kill()
    before = len(daemon.checkpoint())
    wait_for(lambda: len(daemon.checkpoint()) > before, "it goes on")
    daemon.process.kill()
    daemon.wait()
    assert list(of_parts(Folders(daemon.root))) == []
    kept = len(daemon.checkpoint())
    assert daemon.drain() == 0
    assert segments(daemon) == segments(quiet)
    job = daemon.job()
    assert job.chunks > kept > before
    assert job.resumes >= 1


@pytest.mark.ci
def test_a_person_hears_the_text_in_the_order_of_the_recording(quiet, recording, tmp_path):
    """It is printed while several workers have parts of it."""
    file = speech.encode(tmp_path / "talk.flac", recording.audio)
    done = quiet.sttd("transcribe", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout == quiet.text("long.flac", "en")


def border_is_told(daemon: Daemon) -> bool:
    """Whether the status and the job's own figures say the same of both parts under way, and where the later one begins."""
    by_status = [worker for worker in daemon.json("status")["workers"] if worker["part"] is not None]
    spans = {worker["part"]: (worker["begins"], worker["ends"]) for worker in by_status}
    shown = [part for part in daemon.json("show", "1")["parts"] if part["state"] == "running"]
    is_known = any(begins % 60 for begins, _ in spans.values())
    return is_known and len(spans) == 2 and spans == {part["number"]: (part["begins"], part["ends"]) for part in shown}


@pytest.mark.ci
def test_show_and_status_say_how_far_each_part_is(make_daemon, recording):
    daemon = make_daemon(SETTINGS)
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    daemon.start()
    wait_for(lambda: len(numbers(daemon)) > 1, "two parts have chunks")
    with daemon.held():
        wait_for(lambda: border_is_told(daemon), "both tell the border")
        found = daemon.json("status")
        for worker in found["workers"]:
            assert worker["parts"] == 4
            assert 0 <= worker["progress"] <= 1
        assert [part["number"] for part in found["parts"]] == [1, 2, 3, 4]
        told = daemon.sttd("status").stdout
        assert len(re.findall(r"job 1 part \d of 4 \(\d:\d\d to \d:\d\d\)", told)) == 2, told
        shown = daemon.sttd("show", "1").stdout
        assert len(re.findall(r"^part +part \d of 4 .*: attempt \d+, \d+% done$", shown, re.MULTILINE)) == 2, shown
    daemon.wait_state(State.DONE)


def test_a_short_recording_gets_a_worker_of_the_long_one_at_once(make_daemon, recording):
    """Without waiting for the end of a part; the long one goes on with the other worker, and loses nothing."""
    daemon = make_daemon(SETTINGS | {"watch.dedupe": "false"})
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    daemon.start()
    wait_for(lambda: len(numbers(daemon)) > 1, "two parts have chunks")
    speech.encode(daemon.inbox / "short.flac", speech.sample("english"))
    daemon.wait_state(State.DONE, 2)
    daemon.wait_state(State.DONE, 1)
    with daemon.ledger() as ledger:
        attempts = ledger.attempts(1)
    by_part = defaultdict(list)
    for attempt in attempts:
        by_part[attempt["part"]].append(attempt["cause"])
    assert daemon.job(2).finished_at < daemon.job(1).finished_at
    assert any("asked" in causes for causes in by_part.values()), by_part
    assert daemon.job(1).attempts == 0

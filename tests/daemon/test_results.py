"""What a worker's batches tell the ledger."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from sttd.daemon.source import source_below
from sttd.job import State
from sttd.part import Cause, Chunk, Chunks, Done, Notice, Started
from tests.properties.stations import STARTED, Attempt, Stations


def begun(tmp_path: Path) -> tuple[Stations, Attempt, dict[str, Any]]:
    """A daemon with one recording, which a worker has; its attempt, and what each message about that carries."""
    stations = Stations(tmp_path, "archive")
    (stations.config.paths.inbox / "a.wav").write_text("a")
    stations.look()
    stations.tick(1.0)
    (attempt,) = stations.pool.attempts.values()
    return stations, attempt, {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}


def test_a_worker_is_told_the_inbox_that_the_recording_lies_in(tmp_path):
    """Below it everybody may put a link, which no worker follows; a folder of the service's own may lie behind one."""
    stations, attempt, _ = begun(tmp_path)
    assert attempt.spec.below == str(stations.config.paths.inbox)
    (job,) = stations.context.ledger.jobs()
    moved = stations.context.ledger.update(job, location=str(tmp_path / "archive" / "a.wav"))
    assert source_below(stations.context, moved) == ""
    stations.context.ledger.close()


def test_silence_at_the_end_of_a_batch_takes_no_language_away(tmp_path):
    """A person speaks, then nobody does, in one batch: the result was named `und`, with its text in it."""
    stations, attempt, carried = begun(tmp_path)
    stations.step(attempt)
    said = stations._chunk(attempt)
    silence = Chunk(said.index + 1, said.end, said.end + 16_000, (), "und", 0.0, "demo")
    stations.message(Chunks(chunks=(said, silence), done=silence.end, **carried))
    stations.message(Done(audio_seconds=2.0, **carried))
    while stations.errands.posted:
        stations.settle()
    (job,) = stations.context.ledger.jobs()
    assert (job.state, job.language, job.warnings) == (State.DONE, "en", ())
    assert (stations.config.paths.transcripts / "a.en.txt").exists()
    stations.context.ledger.close()


def test_sound_that_an_earlier_attempt_took_for_no_speech_is_told_too(tmp_path):
    """Half of it before a kill, half of it after: the last attempt alone knew of too little for a warning."""
    stations = Stations(tmp_path, "archive")
    (stations.config.paths.inbox / "a.wav").write_text("a")
    stations.look()
    stations.tick(1.0)
    for place in (0, 1):
        (attempt,) = stations.pool.attempts.values()
        stations.step(attempt)
        carried = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}
        said = stations._chunk(attempt)
        heard = dataclasses.replace(said, levels=((-80, 2000, 0), (-20, 1500, 1500)))
        stations.message(Chunks(chunks=(heard,), done=heard.end, **carried))
        attempt.sent += 1
        if not place:
            stations.end(attempt, Cause.TIMEOUT)
            stations.tick(1.0)
    del stations.pool.attempts[attempt.spec.part_id]
    stations.message(Done(audio_seconds=2.0, **carried))
    while stations.errands.posted:
        stations.settle()
    (job,) = stations.context.ledger.jobs()
    assert job.state is State.DONE
    assert [text for text in job.warnings if text.startswith("96 s of sound well above the noise")]
    stations.context.ledger.close()


def test_a_worker_that_says_again_and_again_that_it_starts_gets_no_more_time(tmp_path):
    """Each began the part's time anew, so that it was never over."""
    stations, attempt, carried = begun(tmp_path)
    timeout = stations.config.pool.job_timeout
    for _ in range(3):
        stations.message(Started(pid=1, model="demo", **STARTED, **carried))
        stations.now += timeout / 2
        stations.context.deadlines.tick(stations.now, timeout / 2)
    assert stations.context.deadlines.overdue(stations.now) == [(attempt.spec.part_id, timeout)]
    stations.context.ledger.close()


def test_a_worker_that_says_more_than_anybody_reads_is_left_out_of_the_log(tmp_path, log):
    stations, _, carried = begun(tmp_path)
    for _ in range(3000):
        stations.message(Notice(level="INFO", text="a flood", event="x", **carried))
    said = [line for line in log if "a flood" in line or "is left out" in line]
    assert len(said) == 1000
    assert said[-1].strip().endswith("its worker says more than anybody reads: the rest is left out")
    stations.context.ledger.close()


def test_a_model_whose_name_is_no_text_is_no_fault_of_the_daemon(tmp_path):
    """A worker that was taken over says such names, or a folder has one. SQLite takes none, and the third job ended the daemon."""
    stations, _, carried = begun(tmp_path)
    known = STARTED | {"requested_model": "\udcff", "fallback_reason": "\ud800"}
    stations.message(Started(pid=1, model="\ud800", **known, **carried))
    stations.tick(1.0)
    (job,) = stations.context.ledger.jobs()
    assert (job.state, job.model, job.requested_model) == (State.RUNNING, "\\ud800", "\\udcff")
    stations.context.ledger.close()


def test_a_worker_that_leaves_out_what_all_channels_have_alike_is_no_fault_of_the_daemon(tmp_path, log):
    """One that was taken over says chunks of one side of a call alone. The third such job ended the daemon."""
    stations, attempt, carried = begun(tmp_path)
    stations.step(attempt)
    said = dataclasses.replace(stations._chunk(attempt), channel=2)
    stations.message(Chunks(chunks=(said,), done=said.end, **carried))
    stations.message(Done(audio_seconds=1.0, **carried))
    while stations.errands.posted:
        stations.settle()
    (job,) = stations.context.ledger.jobs()
    assert (job.state, job.error) == (State.DONE, None)
    assert (stations.config.paths.transcripts / "a.en.txt").exists()
    stations.context.ledger.close()

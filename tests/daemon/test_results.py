"""What a worker's batches tell the ledger."""

from __future__ import annotations

import dataclasses

from sttd.job import State
from sttd.part import Cause, Chunk, Chunks, Done
from tests.properties.stations import Stations


def test_silence_at_the_end_of_a_batch_takes_no_language_away(tmp_path):
    """A person speaks, then nobody does, in one batch: the result was named `und`, with its text in it."""
    stations = Stations(tmp_path, "archive")
    (stations.config.paths.inbox / "a.wav").write_text("a")
    stations.look()
    stations.tick(1.0)
    (attempt,) = stations.pool.attempts.values()
    stations.step(attempt)
    carried = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}
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

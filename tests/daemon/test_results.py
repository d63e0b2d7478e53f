"""What a worker's batches tell the ledger."""

from __future__ import annotations

from sttd.job import State
from sttd.part import Chunk, Chunks, Done
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
    stations.message(Chunks(chunks=(said, silence), **carried))
    stations.message(Done(audio_seconds=2.0, **carried))
    while stations.errands.posted:
        stations.settle()
    (job,) = stations.context.ledger.jobs()
    assert (job.state, job.language, job.warnings) == (State.DONE, "en", ())
    assert (stations.config.paths.transcripts / "a.en.txt").exists()
    stations.context.ledger.close()

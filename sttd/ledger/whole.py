"""The checkpoints of all parts of a shared-out recording, read as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from sttd.ledger.checkpoint import Broken, Checkpoint
from sttd.ledger.merging import by_time
from sttd.part import Chunk, Segment


class Whole:
    """Every method may raise OSError: they cannot be read."""

    def __init__(self, parts: Sequence[Checkpoint]) -> None:
        self._parts = parts  # in the order of the recording

    def broken(self) -> Broken | None:
        """The first part whose chunks are not all there, or do not go on where those before them ended; None: there is none.

        In each channel every sample must be in exactly one chunk: otherwise the transcript lacks something or has it twice.
        """
        ends: dict[int, int] = {}
        for number, checkpoint in enumerate(self._parts):
            resume = checkpoint.resume()
            if (lacking := checkpoint.broken()) is not None:
                return lacking
            if any(begin != ends.get(channel, 0) for channel, begin in resume.begins.items()):
                return Broken(number, is_apart=True)
            ends |= {channel: place.sample for channel, place in resume.places.items()}
        return None

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, numbered anew."""
        every = (chunk for checkpoint in self._parts for chunk in checkpoint.chunks())
        return (dataclasses.replace(chunk, index=index) for index, chunk in enumerate(every))

    def segments(self) -> Iterator[Segment]:
        """The segments of all chunks that the ledger counts; see `Checkpoint.segments`, also for what it raises."""
        channels = {channel for checkpoint in self._parts for channel in checkpoint.resume().places}
        return by_time((chunk for checkpoint in self._parts for chunk in checkpoint.all_chunks()), channels)

"""A chunk as a line of a checkpoint holds it."""

from __future__ import annotations

import dataclasses
from typing import Any

from sttd.part import Chunk, Segment, Word


def to_json(chunk: Chunk) -> dict[str, Any]:
    return {"index": chunk.index, "channel": chunk.channel} | dataclasses.asdict(chunk)


def from_json(value: dict[str, Any]) -> Chunk | None:
    """The chunk, or None where the line holds something else."""
    try:
        segments = tuple(
            Segment(**{**segment, "words": tuple(Word(**word) for word in segment["words"])})
            for segment in value["segments"]
        )
        levels = tuple((level, frames, skipped) for level, frames, skipped in value.get("levels", ()))
        return Chunk(**{**value, "segments": segments, "levels": levels})
    except (KeyError, TypeError, ValueError):
        return None

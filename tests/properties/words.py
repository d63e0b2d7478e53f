"""Strategies for what travels and what is stored: chunks as a worker makes them, names as file systems allow them."""

from __future__ import annotations

import os
import tempfile

from hypothesis import settings, strategies as st

from sttd.part import Chunk, Segment, Word

MEMORY = "/dev/shm"  # where an fsync costs nothing: what is proven here does not depend on it

figures = st.floats(allow_nan=False)
texts = st.text(st.characters(), max_size=20)  # lone surrogates too: a model's bytes need not be whole characters
languages = st.sampled_from(["th", "en", "und"])
spoken = st.builds(Word, figures, figures, texts, figures)
segments = st.builds(
    Segment, figures, figures, texts, figures, figures, figures, figures, languages,
    st.lists(spoken, max_size=3).map(tuple),
)  # fmt: skip
names = st.binary(min_size=1, max_size=255).map(lambda raw: os.fsdecode(raw.translate(bytes.maketrans(b"\0/", b"_-"))))


def _chained(parts: list[tuple[int, tuple[Segment, ...], str, float]]) -> tuple[Chunk, ...]:
    chunks, start = [], 0
    for index, (length, said, language, sure) in enumerate(parts):
        spoken = ("th", sure) if sure > 0.5 else ("", 0.0)
        chunks.append(Chunk(index, start, start + length, said, language if said else "und", sure, "demo", *spoken))
        start += length
    return tuple(chunks)


# one after the other without a gap, as a part's chunks are
chunks = st.lists(
    st.tuples(st.integers(1, 480_000), st.lists(segments, max_size=2).map(tuple), languages, st.floats(0, 1)),
    max_size=5,
).map(_chained)


def folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for one example."""
    return tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)


def percent(share: int) -> settings:
    """For dear examples: this share of the profile's number of them."""
    return settings(max_examples=settings().max_examples * share // 100)

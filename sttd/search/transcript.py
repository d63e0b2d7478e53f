"""The segments of a JSON result, whether it is as sttd wrote it or a person has corrected it."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sttd.fs.below import open_below

_SMALL = 32 * 2**20  # bytes of a file that is read in one piece
_LONGEST = 10_000  # characters of a segment
_SURROGATES = re.compile("[\ud800-\udfff]")


class Said(NamedTuple):
    """A segment."""

    start: float  # seconds
    end: float
    text: str
    language: str


class Signature(NamedTuple):
    """Of a file: while it is the same, the file is not read again."""

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, seen: os.stat_result) -> Signature:
        return cls(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


class NotATranscript(ValueError):
    """The file is no transcript, or is damaged."""


def read(paths: Sequence[str], folders: Sequence[Path]) -> tuple[Signature, list[Said]]:
    """What a JSON result says.

    Args:
        paths: where the result may lie, the likeliest place first.
        folders: of the configuration, below one of which it lies.

    Raises:
        OSError: it cannot be read.
        NotATranscript: it is no transcript.
    """
    handle, name = open_below(paths, folders)
    with os.fdopen(handle, "rb") as file:
        signature = Signature.of(os.fstat(file.fileno()))
        try:
            return signature, list(_segments(file, signature.size))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise NotATranscript(f"{name} is no transcript: {error}") from error


def _segments(file: BinaryIO, size: int) -> Iterator[Said]:
    """A small file is read whole, as a person may have changed its line breaks; a large one line by line, as sttd wrote it."""
    if size <= _SMALL:
        for segment in json.loads(file.read())["segments"]:
            yield from _said(segment)
        return
    lines = itertools.dropwhile(lambda line: not line.startswith(b'  "segments": ['), file)
    next(lines, None)
    for line in itertools.takewhile(lambda line: not line.startswith(b"  ]"), lines):
        yield from _said(json.loads(line.rstrip(b",\n")))


def _said(segment: Any) -> Iterator[Said]:
    """A segment; a very long one comes in pieces, because an excerpt of a hit looks at each word of its segment."""
    times, language = (_figure(segment["start"]), _figure(segment["end"])), _whole(segment.get("language") or "und")
    text = _whole(segment["text"])
    first = 0
    while len(text) - first > _LONGEST:
        space = text.rfind(" ", first + 1, first + _LONGEST)
        last = space if space > 0 else first + _LONGEST
        yield Said(*times, text[first:last], language)
        first = last
    yield Said(*times, text[first:], language)


def _whole(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot encode."""
    return _SURROGATES.sub("\ufffd", text)


def _figure(value: Any) -> float:
    """Seconds; null in JSON, for a figure that was not finite, becomes 0."""
    seconds = 0.0 if value is None else float(value)
    return seconds if math.isfinite(seconds) else 0.0

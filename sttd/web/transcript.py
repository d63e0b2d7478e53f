"""The JSON result of a job, read a piece at a time: a recording of ten hours has a hundred thousand words.

A person may have corrected the file, or written it anew with other line breaks. So no value in it is trusted, and the check sum
is not asked for.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import re
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from sttd.part import Segment, Word
from sttd.web.latest import Latest

LARGEST = 64 * 2**20  # bytes of a file that sttd did not lay out: it is in memory as a whole
_HEAD = 2**20  # bytes before the segments of a file that sttd laid out
_OPEN, _CLOSE = b'  "segments": [', b"  ]"
_SPAN = re.compile(rb'\s*\{"start": ([0-9.e+-]+|null), "end": ([0-9.e+-]+|null)')


class NotATranscript(ValueError):
    """The file is no transcript."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """Where the segments of a file stand in it, and what is known of all of them."""

    head: dict[str, Any]  # its keys before `segments`, not checked
    offsets: array[int] = field(
        default_factory=lambda: array("q")
    )  # of each segment's line, and of what follows the last
    starts: array[float] = field(default_factory=lambda: array("d"))  # seconds
    ends: array[float] = field(default_factory=lambda: array("d"))
    lines: tuple[bytes, ...] = ()  # the segments themselves, where the file is laid out in another way
    size: int = 0  # bytes of these

    def __len__(self) -> int:
        return len(self.starts)

    def segments(self, handle: int, first: int, most: int) -> Iterator[Segment]:
        """At most so many segments of the open file, from one on."""
        last = min(len(self), first + most)
        if self.lines:
            found: Iterator[bytes] = iter(self.lines[first:last])
        else:
            block = os.pread(handle, self.offsets[last] - self.offsets[first], self.offsets[first])
            found = iter(block.splitlines())
        for line in itertools.islice(found, last - first):
            with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError, RecursionError):
                yield segment_of(json.loads(line.rstrip(b",\r\n ")))


def read(file: BinaryIO) -> Transcript:
    """Look through a file, which is at its beginning.

    Raises:
        NotATranscript: it is no transcript.
    """
    with contextlib.suppress(ValueError, RecursionError):
        head = _head(file)
        found = Transcript(_object(json.loads(b"".join(head).rstrip(b",\n") + b"}")))
        at = sum(map(len, head)) + len(_OPEN) + 1
        for line in _lines(file, LARGEST):
            if line.startswith(_CLOSE):
                break
            span = _SPAN.match(line)
            if span is None:
                raise ValueError("a segment in another layout")
            found.offsets.append(at)
            found.starts.append(_seconds(span[1]))
            found.ends.append(_seconds(span[2]))
            at += len(line)
        found.offsets.append(at)
        return found
    return _read_whole(file)


def _head(file: BinaryIO) -> list[bytes]:
    """The lines before the segments. Raises ValueError where there are too many for a file that sttd laid out."""
    head: list[bytes] = []
    size = 0
    for line in _lines(file, _HEAD):
        if line.startswith(_OPEN):
            break
        head.append(line)
        size += len(line)
        if size > _HEAD:
            raise ValueError("a head in another layout")
    return head


def _lines(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """A longer line comes in pieces: a file of one line must not be in memory before its size is looked at."""
    return iter(lambda: file.readline(longest), b"")


class Known:
    """The latest transcripts that were looked through: a page asks for many pieces of one."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._latest: Latest[Transcript] = Latest(self._are_many)

    def read(self, file: BinaryIO) -> Transcript:
        """See `read` of this module. A file that was changed is looked through again.

        One is looked through once, however many ask for it at the same time: a large one takes hundreds of MiB meanwhile.
        """
        return self._latest.get(identity(file), lambda: read(file))

    def _are_many(self, found: Collection[Transcript]) -> bool:
        return len(found) > self._most or sum(each.size for each in found) > LARGEST


def identity(file: BinaryIO) -> tuple[int, ...]:
    """What an open file is known by: with other content it is another one."""
    seen = os.fstat(file.fileno())
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns


LATEST = Known()  # of this process: pages and downloads ask for the same


def _read_whole(file: BinaryIO) -> Transcript:
    """A file that another program has laid out."""
    file.seek(0)
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise NotATranscript("the file was laid out anew, and is too large to be read as a whole")
    try:
        head = _object(json.loads(data))
        segments = [(each, segment_of(each)) for each in head.pop("segments")]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise NotATranscript("the file is no transcript any more") from None
    lines = tuple(json.dumps(each).encode() for each, _ in segments)
    found = Transcript(head, lines=lines, size=sum(map(len, lines)))
    found.starts.extend(segment.start for _, segment in segments)
    found.ends.extend(segment.end for _, segment in segments)
    return found


def segment_of(value: dict[str, Any]) -> Segment:
    """A segment for a reader: what decides about its words only. Raises an error where it has no text."""
    start = _number(value.get("start"))
    words = value.get("words")
    return Segment(
        start=start,
        end=max(start, _number(value.get("end"))),
        text=_text(value["text"]),
        avg_logprob=0.0,
        compression_ratio=0.0,
        no_speech_prob=0.0,
        temperature=0.0,
        language=_text(value.get("language") or "und"),
        words=tuple(_word(each) for each in words) if isinstance(words, list) else (),
        speaker=_text(value.get("speaker") or ""),
    )


def _word(value: dict[str, Any]) -> Word:
    return Word(_number(value.get("start")), _number(value.get("end")), _text(value.get("word")), 0.0)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _number(value: Any) -> float:
    """Seconds; what is none counts as 0."""
    is_one = isinstance(value, int | float) and math.isfinite(value) and 0 <= value < 1e9
    return float(value) if is_one else 0.0


def _seconds(text: bytes) -> float:
    return 0.0 if text == b"null" else _number(float(text))

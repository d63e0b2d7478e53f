"""The JSON with everything that is known, one line for each segment. It is written and read back as a stream.

Its last key, `check`, is the SHA-256 of all bytes before the comma in front of it. It shows whether a person has corrected
the result: only one that is unchanged is copied for an equal recording.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO

from sttd.outbox.formats.base import whole
from sttd.outbox.meta import Meta
from sttd.part import Segment, Word

_OPEN, _CLOSE = b'  "segments": [', b"  ]"
_CHECK = b',\n  "check": "'
_END = b'"\n}\n'
_TAIL = len(_CHECK) + 64 + len(_END)  # bytes


class Json:
    suffix = "json"

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:
        digest = hashlib.sha256()
        for piece in _pieces(meta, segments):
            digest.update(piece.encode())
            file.write(piece)
        file.write(f"{_CHECK.decode()}{digest.hexdigest()}{_END.decode()}")


class Altered(ValueError):
    """The file is not, or no longer, what `Json` wrote."""


def read(file: BinaryIO) -> tuple[Meta, Iterator[Segment]]:
    """Head and segments of what `Json` wrote; the segments are read as they are asked for.

    Raises:
        Altered: a byte of it has been changed, or another program wrote it.
    """
    _check(file)
    lines = list(itertools.takewhile(lambda text: not text.startswith(_OPEN), file))
    try:
        head = json.loads(b"".join(lines).rstrip(b",\n") + b"}")
        return Meta.from_head(head), _segments(file)
    except (KeyError, TypeError, ValueError) as error:
        raise Altered(f"the head of the transcript is of another version: {error}") from error


def _check(file: BinaryIO) -> None:
    """Compare the checksum, and go back to the beginning. Raises Altered."""
    body = file.seek(0, 2) - _TAIL
    if body < 0:
        raise Altered("the transcript is cut off")
    file.seek(body)
    tail = file.read()
    file.seek(0)
    digest = hashlib.sha256()
    while body > 0 and (piece := file.read(min(body, 1 << 20))):
        digest.update(piece)
        body -= len(piece)
    if tail != _CHECK + digest.hexdigest().encode() + _END:
        raise Altered("the transcript has been changed since it was written")
    file.seek(0)


def _segments(file: BinaryIO) -> Iterator[Segment]:
    for text in file:
        if text.startswith(_CLOSE):
            return
        value = _numbers(json.loads(text.rstrip(b",\n")))
        words = tuple(Word(**_numbers(word)) for word in value.get("words", ()))
        yield Segment(**{**value, "words": words})


def _numbers(value: dict[str, Any]) -> dict[str, Any]:
    """Turn null back into NaN: in JSON a number that is not finite becomes null."""
    return {name: math.nan if item is None else item for name, item in value.items()}


def _pieces(meta: Meta, segments: Iterator[Segment]) -> Iterator[str]:
    head = json.dumps(_plain(meta.head()), ensure_ascii=False, allow_nan=False, indent=2)
    # no other line can begin as `_OPEN` does: new lines in texts are escaped, and inner lists are indented further
    yield head.removesuffix("\n}") + f",\n{_OPEN.decode()}"
    comma = ""
    for segment in segments:
        value = dataclasses.asdict(segment)
        for name in ("words", "heard", "channel", "speaker"):
            if not value[name]:
                del value[name]
        yield f"{comma}\n    {json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)}"
        comma = ","
    yield f"\n{_CLOSE.decode()}"


def _plain(value: Any) -> Any:
    """`value` as strict JSON can hold it: no lone surrogates, no NaN."""
    match value:
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case str():
            return whole(value)
        case float() if not math.isfinite(value):
            return None
    return value

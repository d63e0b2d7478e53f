"""What all formats use: text made safe, times as whole milliseconds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Protocol, TextIO

from sttd.outbox.meta import Meta
from sttd.part import Segment

_SURROGATES = re.compile("[\ud800-\udfff]")
# control characters that are no white space, noncharacters and the byte order mark: XML and some players fail on them
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")


class Format(Protocol):
    """Writes one kind of file. `suffix` is its name in `output.formats`, and the file's suffix."""

    suffix: str

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:
        """Write the whole file, segment by segment; `file` is UTF-8 and translates no new lines."""


def line(text: str) -> str:
    """`text` as one line: white space and new lines become single spaces; what cannot be encoded is replaced."""
    return " ".join(_CONTROLS.sub("", whole(text)).split())


def whole(text: str) -> str:
    """`text` with U+FFFD for lone surrogates, which UTF-8 cannot hold."""
    return _SURROGATES.sub("\ufffd", text)


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, rounded before they are split up (59.9996 s is one minute), as Whisper's writers do."""
    return max(0, round(seconds * 1000)) if math.isfinite(seconds) else 0


def clock(milliseconds: int, decimal: str) -> str:
    """`HH:MM:SS.mmm` with `decimal` for the point; the hours may have more than two digits."""
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal}{thousandths:03d}"

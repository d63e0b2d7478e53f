"""Plain text to read, and a table for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from sttd.outbox.formats.base import line, rows
from sttd.outbox.meta import Meta
from sttd.part import Segment


class Txt:
    """One line a segment, as Whisper's."""

    suffix = "txt"

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:  # noqa: ARG002 - every format's
        for segment in segments:
            text = line(segment.text)
            if text:
                file.write(f"{text}\n")


class Tsv:
    """Start and end in whole milliseconds, and the text, parted by tabs, as Whisper's."""

    suffix = "tsv"

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:  # noqa: ARG002 - every format's
        file.write("start\tend\ttext\n")
        for row in rows(segments):  # noqa: FURB122 - as the others
            file.write(f"{row.start}\t{row.end}\t{row.text}\n")

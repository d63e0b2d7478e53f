"""Subtitles for players. No line of a cue is empty, so that nothing within it can end the cue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from sttd.config import Subtitles
from sttd.outbox.formats.base import clock
from sttd.outbox.formats.cues import cues
from sttd.outbox.meta import Meta
from sttd.part import Segment

# https://www.w3.org/TR/webvtt1/#webvtt-cue-text-span; `>` too, so that no `-->` is left
_VTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Srt:
    """SubRip knows no escapes; its arrow becomes a short one, as Whisper's writer does."""

    suffix = "srt"

    def __init__(self, limits: Subtitles) -> None:
        self._limits = limits

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:  # noqa: ARG002 - every format's
        for number, cue in enumerate(cues(segments, self._limits), 1):
            text = "\n".join(cue.lines).replace("-->", "->")
            file.write(f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{text}\n\n")


class Vtt:
    suffix = "vtt"

    def __init__(self, limits: Subtitles) -> None:
        self._limits = limits

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:  # noqa: ARG002 - every format's
        file.write("WEBVTT\n")
        for cue in cues(segments, self._limits):
            text = "\n".join(cue.lines).translate(_VTT)
            file.write(f"\n{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{text}\n")

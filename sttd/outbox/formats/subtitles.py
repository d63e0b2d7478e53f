"""Subtitles for players. A cue is one line of text, so that nothing within it can end the cue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from sttd.outbox.formats.base import clock, cues
from sttd.outbox.meta import Meta
from sttd.part import Segment

# https://www.w3.org/TR/webvtt1/#webvtt-cue-text-span; `>` too, so that no `-->` is left
_VTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Srt:
    """SubRip knows no escapes; its arrow becomes a short one, as Whisper's writer does."""

    suffix = "srt"

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:  # noqa: ARG002 - every format's
        for number, cue in enumerate(cues(segments), 1):
            start, end, text = clock(cue.start, ","), clock(cue.end, ","), cue.text.replace("-->", "->")
            file.write(f"{number}\n{start} --> {end}\n{text}\n\n")


class Vtt:
    suffix = "vtt"

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:  # noqa: ARG002 - every format's
        file.write("WEBVTT\n")
        for cue in cues(segments):  # noqa: FURB122 - as the others
            file.write(f"\n{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{cue.text.translate(_VTT)}\n")

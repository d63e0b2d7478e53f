"""Subtitles for players. No line of a cue is empty, so that nothing within it can end the cue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TextIO

from sttd.config import Subtitles
from sttd.outbox.formats.base import clock, milliseconds
from sttd.outbox.formats.cues import cues
from sttd.outbox.meta import Meta
from sttd.part import Segment

_SILENCE = 2_000  # milliseconds after which a player of lyrics is told to show nothing
_TIMES = re.compile(r"[\[<](?=\d+:\d)")  # what a player of lyrics would take for one
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


class Lrc:
    """Lyrics, as music players show them: a line stays until the next one, so that an empty one ends it."""

    suffix = "lrc"

    def __init__(self, limits: Subtitles) -> None:
        self._limits = limits

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:
        file.write(
            f"[la:{meta.language}]\n[length:{_minutes(milliseconds(meta.duration or 0.0))}]\n[re:sttd {meta.version}]\n"
        )
        end: int | None = None
        for cue in cues(segments, self._limits):
            if end is not None and cue.start - end >= _SILENCE:
                file.write(f"[{_minutes(end)}]\n")
            file.write(f"[{_minutes(cue.start)}]{_TIMES.sub('(', cue.text)}\n")
            end = cue.end
        if end is not None:
            file.write(f"[{_minutes(end)}]\n")


def _minutes(milliseconds: int) -> str:
    """`MM:SS.hh`; the minutes grow past 99 as they must."""
    seconds, thousandths = divmod(milliseconds, 1000)
    return f"{seconds // 60:02d}:{seconds % 60:02d}.{thousandths // 10:02d}"

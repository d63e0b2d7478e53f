"""Subtitles for players. No line of a cue is empty, so that nothing within it can end the cue."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import TextIO

from sttd.config import Subtitles
from sttd.outbox.formats.base import clock, milliseconds
from sttd.outbox.formats.cues import Cue, cues
from sttd.outbox.formats.speakers import label
from sttd.outbox.meta import Meta
from sttd.part import Segment

_SILENCE = 2_000  # milliseconds of silence from which on an empty line of lyrics clears the display
_TIMES = re.compile(r"[\[<](?=\d+:\d)")  # text that a player of lyrics would take for a time
# https://www.w3.org/TR/webvtt1/#webvtt-cue-text-span; `>` too, so that no `-->` is left
_VTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class CueFormat:
    """Writes cues. Several of them are written together, because the layout of a long Thai recording takes minutes."""

    suffix: str

    def __init__(self, limits: Subtitles) -> None:
        self.limits = limits

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:
        write_together({self: file}, meta, segments)

    def pieces(self, meta: Meta, cues: Iterator[Cue]) -> Iterator[str]:
        """The file: a head, then one piece for each cue, then an end. Head and end may be empty."""
        raise NotImplementedError


def write_together(files: Mapping[CueFormat, TextIO], meta: Meta, segments: Iterator[Segment]) -> None:
    """Write several files with the same limits, so that the layout is done once. Only one cue at a time is in memory."""
    limits = next(iter(files)).limits
    shared = itertools.tee(cues(segments, limits), len(files))
    written = [one.pieces(meta, each) for one, each in zip(files, shared, strict=True)]
    for pieces in zip(*written, strict=True):
        for file, piece in zip(files.values(), pieces, strict=True):
            file.write(piece)


class Srt(CueFormat):
    """SubRip has no escapes: an arrow `-->` in the text becomes `->`, as in Whisper's writer."""

    suffix = "srt"

    def pieces(self, meta: Meta, cues: Iterator[Cue]) -> Iterator[str]:  # noqa: ARG002 - every format's
        yield ""
        for number, cue in enumerate(cues, 1):
            text = (label(cue.speaker) + "\n".join(cue.lines)).replace("-->", "->")
            yield f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{text}\n\n"
        yield ""


class Vtt(CueFormat):
    """WebVTT. The speaker becomes a voice span, see https://www.w3.org/TR/webvtt1/#webvtt-cue-voice-span."""

    suffix = "vtt"

    def pieces(self, meta: Meta, cues: Iterator[Cue]) -> Iterator[str]:  # noqa: ARG002 - every format's
        yield "WEBVTT\n"
        for cue in cues:
            voice = f"<v {cue.speaker.translate(_VTT)}>" if cue.speaker else ""
            text = "\n".join(cue.lines).translate(_VTT)
            yield f"\n{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{voice}{text}\n"
        yield ""


class Lrc(CueFormat):
    """Lyrics for music players. A line is shown until the next one begins, so an empty line ends it."""

    suffix = "lrc"

    def pieces(self, meta: Meta, cues: Iterator[Cue]) -> Iterator[str]:
        length = _minutes(milliseconds(meta.duration or 0.0))
        yield f"[la:{meta.language}]\n[length:{length}]\n[re:sttd {meta.version}]\n"
        end: int | None = None
        for cue in cues:
            silence = f"[{_minutes(end)}]\n" if end is not None and cue.start - end >= _SILENCE else ""
            text = label(cue.speaker) + cue.text
            yield f"{silence}[{_minutes(cue.start)}]{_TIMES.sub('(', text)}\n"
            end = max(cue.end, end or 0)
        yield "" if end is None else f"[{_minutes(end)}]\n"


def _minutes(milliseconds: int) -> str:
    """`MM:SS.hh`; the minutes may have more than two digits."""
    seconds, thousandths = divmod(milliseconds, 1000)
    return f"{seconds // 60:02d}:{seconds % 60:02d}.{thousandths // 10:02d}"

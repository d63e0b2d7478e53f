"""What a job's page shows of its transcript."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sttd.config import Config
from sttd.job import Job
from sttd.part import Segment
from sttd.web import files, transcript
from sttd.web.pages import reading
from sttd.web.pages.drawing import draw
from sttd.web.pages.language import Words

_LETTERS, _SEGMENTS = 4000, 300  # of a piece at most: telling words apart in Thai takes 10 µs a letter
BARS = 160  # of the picture in the player
_PLAIN = 2**20  # bytes of a txt result that are shown where there is no JSON
_COLOURS = 6  # of speakers


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to see of a transcript."""

    pieces: Markup | None = None  # its beginning, with times
    text: tuple[str, ...] | None = None  # paragraphs without times
    head: dict[str, Any] | None = None  # of the JSON
    bars: tuple[float, ...] = ()


class Texts:
    """The transcripts of jobs."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def beginning(self, job: Job, words: Words) -> Shown:
        """What a job's page begins with."""
        try:
            handle, _ = files.open_result(job, "json", self._config)
        except files.Missing:
            return Shown(text=self._plain(job))
        with os.fdopen(handle, "rb") as file:
            try:
                found = transcript.LATEST.read(file)
            except transcript.NotATranscript:
                return Shown(text=self._plain(job))
            length = job.audio_seconds or max(found.ends, default=0.0)
            bars = tuple(reading.bars(found.starts, found.ends, length, BARS))
            return Shown(self._piece(job, found, file.fileno(), 0, words), None, found.head, bars)

    def piece(self, job: Job, first: int, words: Words) -> Markup | None:
        """The segments from one on; None: they cannot be read any more."""
        try:
            handle, _ = files.open_result(job, "json", self._config)
        except files.Missing:
            return None
        with os.fdopen(handle, "rb") as file:
            try:
                found = transcript.LATEST.read(file)
            except transcript.NotATranscript:
                return None
            return self._piece(job, found, file.fileno(), min(first, len(found)), words)

    def _piece(self, job: Job, found: transcript.Transcript, handle: int, first: int, words: Words) -> Markup:
        taken = list(_enough(found.segments(handle, first, _SEGMENTS)))
        following = first + len(taken)
        return draw(
            "pieces.html",
            words,
            passages=list(reading.passages(taken, first)),
            number=job.id,
            following=following if taken and following < len(found) else None,
            speakers=_speakers(found.head),
            several=_count(found.head.get("languages")) > 1,
        )

    def _plain(self, job: Job) -> tuple[str, ...] | None:
        try:
            handle, _ = files.open_result(job, "txt", self._config)
        except files.Missing:
            return None
        with os.fdopen(handle, "rb") as file:
            text = file.read(_PLAIN).decode("utf-8", "replace")
        return tuple(line for line in text.splitlines() if line.strip())


def _enough(segments: Iterator[Segment]) -> Iterator[Segment]:
    letters = 0
    for segment in segments:
        yield segment
        letters += len(segment.text)
        if letters > _LETTERS:
            return


def _count(value: Any) -> int:
    return len(value) if isinstance(value, dict) else 0


def _speakers(head: dict[str, Any]) -> dict[str, int]:
    """The colour of each speaker, from 1."""
    known = head.get("speakers")
    names = [each.get("name") for each in known if isinstance(each, dict)] if isinstance(known, list) else []
    return {name: index % _COLOURS + 1 for index, name in enumerate(names) if isinstance(name, str)}

"""Finds messages of a worker whose types are right and whose values make no sense: they would break code of the daemon.

Three jobs in a row that meet a fault in sttd end the daemon. A worker that is broken, or was taken over, is to end alone.
`seat.py` and `sequence.py` check whether a message fits those before it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

from sttd.part import Cause, Chunk, Chunks, Done, Failed, Loaded, Notice, Progress, Started
from sttd.sharing import MOST_PARTS

LONGEST = 65536  # characters of a text for people, or of a chunk's texts together; half a minute of speech has 1000
_NAME = 4096  # characters of a model's name: a path has so many
_FAR = 1e8  # seconds; no recording is so long (worker/audio/lengths.py), and no other figure of a chunk comes near
_MANY = 10_000  # words of a chunk
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")  # it becomes a part of file names
_STOPS = (Cause.SLICE, Cause.ASKED, Cause.MEMORY)
# the other causes are the pool's and the daemon's: a worker that said `cancelled` would cancel the job
_FAILS = (
    Cause.OOM, Cause.NO_MODEL, Cause.CONFIGURATION, Cause.MACHINE, Cause.GPU_MEMORY, Cause.BAD_FILE, Cause.UNREADABLE,
    Cause.CHANGED, Cause.GONE, Cause.EXISTING, Cause.ERROR,
)  # fmt: skip


def nonsense(message: Any) -> str:
    """What is wrong with a message, in words that fit into a sentence; "": nothing."""
    values = [getattr(message, each.name) for each in dataclasses.fields(message)]
    if any(isinstance(value, str) and len(value) > LONGEST for value in values):
        return "a text without end"
    match message:
        case Notice() if message.level not in _LEVELS:
            return "an unknown level"
        case Progress() | Started() | Done() if not _are_times(value for value in values if isinstance(value, float)):
            return "a time that no recording has"
        case Started() if not 1 <= message.parts <= MOST_PARTS:
            return "parts that no recording has"
        case Started() | Loaded() if len(message.model) > _NAME:
            return "a name without end"
        case Done() if (message.cause in _STOPS) != (message.resume_at is not None) or (message.resume_at or 0) < 0:
            return "an end that is none"
        case Done() if sum(map(len, message.warnings), len(message.warnings)) > LONGEST:
            return "warnings without end"
        case Failed() if message.cause not in _FAILS or message.unread < 0:
            return "an end that no worker comes to"
        case Chunks(chunks=()):
            return "no chunk"
        case Chunks():
            return next((wrong for chunk in message.chunks if (wrong := _wrong(chunk))), "")
    return ""


def _are_times(values: Iterable[float]) -> bool:
    return all(0 <= value < _FAR for value in values)


def _wrong(chunk: Chunk) -> str:
    """What is wrong with a chunk; "": nothing. Its texts are written to disk, its language into file names too."""
    segments = chunk.segments
    if not all(
        map(_LANGUAGE.fullmatch, [chunk.language, chunk.spoken or "und", *(each.language for each in segments)])
    ):
        return "a language that is none"
    words = [word for segment in segments for word in segment.words]
    texts = [chunk.model, *(word.word for word in words)]
    figures = [
        chunk.language_probability,
        chunk.spoken_probability,
        *(figure for level in chunk.levels for figure in level),
    ]
    for each in segments:
        texts += (each.text, each.heard, each.speaker)
        figures += (
            each.start,
            each.end,
            each.avg_logprob,
            each.compression_ratio,
            each.no_speech_prob,
            each.temperature,
        )
    for word in words:
        figures += (word.start, word.end, word.probability)
    if sum(map(len, texts), len(texts)) > LONGEST or max(len(words), len(segments), len(chunk.levels)) > _MANY:
        return "more words than anybody says"
    if not all(-_FAR < figure < _FAR for figure in figures):
        return "a figure that nothing has"
    return ""

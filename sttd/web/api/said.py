"""A transcript as other services' clients want it: in memory, with the keys of Whisper's own JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sttd.config import Config
from sttd.job import Job
from sttd.outbox.formats.paragraphs import paragraphs
from sttd.outbox.meta import Meta
from sttd.part import Segment
from sttd.web import results
from sttd.web.words import words as words_of


@dataclass(frozen=True, slots=True)
class Transcript:
    meta: Meta
    segments: list[Segment]
    text: str  # all of it


def transcript(job: Job, config: Config) -> Transcript:
    """What a finished job says. Blocks.

    Raises:
        HTTPException: see `results.response`.
    """
    with results.opened(job, config) as (_, meta, read):
        segments = list(read)
    return Transcript(meta, segments, " ".join(each.text for each in paragraphs(iter(segments))))


def segment(number: int, found: Segment) -> dict[str, Any]:
    """Whisper's keys. `seek` and `tokens` are about its way of decoding, and have no counterpart."""
    return {
        "id": number,
        "seek": 0,
        "start": found.start,
        "end": found.end,
        "text": found.text,
        "tokens": [],
        "temperature": _finite(found.temperature),
        "avg_logprob": _finite(found.avg_logprob),
        "compression_ratio": _finite(found.compression_ratio),
        "no_speech_prob": _finite(found.no_speech_prob),
    }


def words(found: Segment) -> list[dict[str, Any]]:
    """Words, also where Whisper's tokens are pieces of them: see `sttd.web.words`."""
    return [{"word": each.word.strip(), "start": each.start, "end": each.end} for each in words_of(found)]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""Subtitles in the file itself: tracks of Matroska, MP4 and others. No decoder of theirs ever runs."""

from __future__ import annotations

from typing import Any

from av.stream import Disposition

from sttd.existing import ExistingSubtitles, enough, track
from sttd.languages import language_of
from sttd.part import Cause, Existing
from sttd.worker.errors import PartFailed

_PARTIAL = Disposition.forced | Disposition.comment


def check(container: Any, heard: Any, existing: Existing) -> None:
    """Make sure that the recording needs a transcript.

    Args:
        container: the open file.
        heard: the audio track that would be transcribed.
        existing: what is wanted, and what lies beside the file.

    Raises:
        PartFailed: EXISTING; it has subtitles that are enough.
    """
    found = [ExistingSubtitles(name, language) for name, language in existing.beside]
    found += [each for number, stream in enumerate(container.streams.subtitles, 1) if (each := _track(number, stream))]
    why = enough(found, existing.wanted, language_of(heard.language or "") or "")
    if why is not None:
        raise PartFailed(Cause.EXISTING, why)


def _track(number: int, stream: Any) -> ExistingSubtitles | None:
    title = f"{stream.metadata.get('title', '')} {stream.metadata.get('handler_name', '')}"
    return track(number, stream.language or "", title, is_partial=bool(stream.disposition & _PARTIAL))

"""The formats of results: one class each. A new one is a class, its line here, and its name in `config.Output`."""

from __future__ import annotations

from sttd.config import Subtitles
from sttd.outbox.formats.base import Format
from sttd.outbox.formats.record import Json
from sttd.outbox.formats.subtitles import CueFormat, Lrc, Srt, Vtt, write_together
from sttd.outbox.formats.text import Md, Tsv, Txt

__all__ = ["FORMATS", "CueFormat", "Format", "formats", "write_together"]


def formats(limits: Subtitles) -> dict[str, Format]:
    """Every format by its suffix, with the configured limits of subtitles."""
    return {each.suffix: each for each in (Txt(), Md(), Srt(limits), Vtt(limits), Lrc(limits), Json(), Tsv())}


FORMATS = formats(Subtitles())  # with the default limits

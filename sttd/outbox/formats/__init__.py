"""The formats of results: one class each. A new one is a class, its line here, and its name in `config.Output`."""

from __future__ import annotations

from sttd.outbox.formats.base import Format
from sttd.outbox.formats.record import Json
from sttd.outbox.formats.subtitles import Srt, Vtt
from sttd.outbox.formats.text import Tsv, Txt

__all__ = ["FORMATS", "Format"]

FORMATS: dict[str, Format] = {each.suffix: each for each in (Txt(), Srt(), Vtt(), Json(), Tsv())}

"""The report: what sttd did in a period, as figures, as a page with charts, and in words. It reads only the ledger."""

from __future__ import annotations

from sttd.report.figures import Figures, Levels, build
from sttd.report.markup import Markup
from sttd.report.page import content, document, period, style, words_of
from sttd.report.summary import as_json, facts, troubles

__all__ = [
    "Figures",
    "Levels",
    "Markup",
    "as_json",
    "build",
    "content",
    "document",
    "facts",
    "period",
    "style",
    "troubles",
    "words_of",
]

"""The words of the pages: English stands in the code and the templates, words/LANGUAGE.toml has it in others."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sttd.languages import english_name

ENGLISH, THAI = "en", "th"
OFFERED = {ENGLISH: "English", THAI: "ไทย"}  # as their speakers write them
COOKIE = "sttd-language"
_FOLDER = Path(__file__).with_name("words")
_LONGEST = 200  # characters of Accept-Language that are read


@dataclass(frozen=True, slots=True)
class Words:
    """What the pages say in one language."""

    language: str
    phrases: Mapping[str, str]  # by the English ones

    def __call__(self, english: str, **values: object) -> str:
        """A phrase, with values in place of its {names}."""
        phrase = self.phrases.get(english, english)
        return phrase.format(**values) if values else phrase

    def count(self, number: int, one: str, many: str) -> str:
        """The phrase for a number, which stands in place of {n}. Thai knows no plural: it has the second one alone."""
        if number == 1 and self.language == ENGLISH:
            return one
        return self(many, n=f"{number:,}")

    def span(self, seconds: float) -> str:
        """How long something takes, in one or two units."""
        whole = max(0, round(seconds))
        if whole < 60:
            return self("{n} s", n=whole)
        if whole < 3600:
            return self("{n} min", n=round(whole / 60))
        return self("{h} h {n} min", h=whole // 3600, n=whole % 3600 // 60)

    def name_of(self, language: str) -> str:
        """What one of Whisper's languages is called."""
        return self(english_name(language))


@functools.cache
def words(language: str) -> Words:
    """The words of one of `OFFERED`."""
    if language == ENGLISH:
        return Words(ENGLISH, {})
    return Words(language, tomllib.loads((_FOLDER / f"{language}.toml").read_text("utf-8")))


def chosen(cookie: str | None, accepted: str | None) -> str:
    """Which of `OFFERED` a person wants.

    Args:
        cookie: what the switch on the page has stored.
        accepted: the header Accept-Language (RFC 9110, 12.5.4).
    """
    if cookie in OFFERED:
        return cookie
    wanted: list[tuple[float, str]] = []
    for each in (accepted or "")[:_LONGEST].split(","):
        name, _, weight = each.strip().partition(";")
        wanted.append((_weight(weight), name.split("-")[0].lower()))
    # equal ones stay in their order
    ordered = [name for weight, name in sorted(wanted, key=lambda pair: -pair[0]) if weight > 0]
    return next((name for name in ordered if name in OFFERED), ENGLISH)


def _weight(text: str) -> float:
    try:
        return float(text.strip().removeprefix("q=") or 1)
    except ValueError:
        return 0.0

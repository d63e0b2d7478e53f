"""Texts in the reader's language: the English ones are in the code and the templates, translations in files."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sttd.languages import english_name

ENGLISH, THAI = "en", "th"
OFFERED = {ENGLISH: "English", THAI: "ไทย"}  # as their speakers write them


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language."""

    language: str
    phrases: Mapping[str, str]  # by the English ones

    def __call__(self, english: str, **values: object) -> str:
        """A phrase, with values in place of its {names}."""
        phrase = self.phrases.get(english, english)
        return phrase.format(**values) if values else phrase

    def count(self, number: int, one: str, many: str) -> str:
        """The phrase for a number, which replaces {n}. Thai has no plural: it uses only `many`."""
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
def words(folder: Path, language: str) -> Words:
    """The words of one of `OFFERED`: English, or what `folder`/LANGUAGE.toml has."""
    if language == ENGLISH:
        return Words(ENGLISH, {})
    return Words(language, tomllib.loads((folder / f"{language}.toml").read_text("utf-8")))

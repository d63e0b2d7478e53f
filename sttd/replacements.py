"""Replaces what Whisper heard by what a person's list says (`transcribe.replace`): names and spellings, a pair a line.

    # what Whisper hears → what is to be written
    jon smith → John Smyth
    เอส ที ที → STT

Whole words are replaced, whatever their case; of several entries that fit, the longest one counts. In scripts without spaces
no word borders are visible: there an entry fits anywhere, between graphemes.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sttd.errors import SttdError
from sttd.fs.regular import open_regular
from sttd.script import CHINESE, JAPANESE, THAI, may_cut, script_of_letter

MOST = 5_000  # pairs
_LARGEST = 1 << 20  # bytes
_ARROW = re.compile(r"\s*(?:→|->)\s*")


class BadReplacements(SttdError):
    """The list cannot be used; the message names its file and line."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class _Pair:
    heard: re.Pattern[str]
    length: int
    written: str


class Replacements:
    """The pairs, ready to be applied."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """`pairs`: what is heard, and what is written for it; what is heard is not empty."""
        self._by_first: dict[str, list[_Pair]] = {}
        for heard, written in pairs:
            words = r"\s+".join(map(re.escape, heard.split()))
            pair = _Pair(re.compile(words, re.IGNORECASE), len(heard), written)
            for first in {heard[0].lower(), heard[0].upper(), heard[0].casefold()[:1]}:
                self._by_first.setdefault(first, []).append(pair)
        for candidates in self._by_first.values():
            candidates.sort(key=lambda pair: -pair.length)

    def apply(self, text: str) -> str:
        """`text` as it is to be written. What was written is not looked at again."""
        made: list[str] = []
        at = done = 0
        while at < len(text):
            found = self._at(text, at) if text[at] in self._by_first and _is_border(text, at) else None
            if found is None:
                at += 1
                continue
            end, written = found
            made += (text[done:at], written)
            at = done = end
        return "".join((*made, text[done:]))

    def _at(self, text: str, at: int) -> tuple[int, str] | None:
        """What to replace from `at` on: its end, and the new text."""
        for pair in self._by_first[text[at]]:
            match = pair.heard.match(text, at)
            if match is not None and _is_border(text, match.end()):
                return match.end(), pair.written
        return None


def read(path: Path) -> Replacements:
    """The list in a file.

    Raises:
        BadReplacements: it cannot be read, or a line of it is no pair.
    """
    try:
        with os.fdopen(open_regular(os.path.realpath(path)), "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise BadReplacements(f"[transcribe] replace: {path}: cannot be read ({error.strerror})") from None
    if len(data) > _LARGEST:
        raise BadReplacements(f"[transcribe] replace: {path}: is over {_LARGEST >> 20} MiB")
    try:
        return Replacements(parse(data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise BadReplacements(f"[transcribe] replace: {path}: is not UTF-8 text (byte {error.start + 1})") from None
    except ValueError as error:
        raise BadReplacements(f"[transcribe] replace: {path}: {error}") from None


def parse(text: str) -> list[tuple[str, str]]:
    """The pairs of a list.

    Raises:
        ValueError: a line is no pair, has the same words as another one, or there are too many.
    """
    pairs: dict[str, tuple[int, str, str]] = {}
    for number, each in enumerate(text.splitlines(), 1):
        if not each.strip() or each.lstrip().startswith("#"):
            continue
        heard, *rest = _ARROW.split(unicodedata.normalize("NFC", each.strip()))
        if not heard or len(rest) != 1:
            raise ValueError(f"line {number}: write it as `heard → written` (or ->), not {each.strip()!r}")
        key = " ".join(heard.casefold().split())
        if key in pairs:
            raise ValueError(f"line {number}: {heard!r} stands in line {pairs[key][0]} already")
        if len(pairs) == MOST:
            raise ValueError(f"line {number}: more than {MOST:,} pairs")
        pairs[key] = (number, heard, rest[0])
    return [(heard, written) for _, heard, written in pairs.values()]


def _is_border(text: str, at: int) -> bool:
    """Whether a word may begin or end before `text[at]`."""
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    if not may_cut(text, at):
        return False
    if any(script_of_letter(char) in (THAI, CHINESE, JAPANESE) for char in (before, after)):
        return True
    return not (_is_of_word(before) and _is_of_word(after))


def _is_of_word(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char).startswith("M")

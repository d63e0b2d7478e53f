"""How much of a text is wrong: edits by kind, with loops counted apart from other insertions.

English is compared word by word behind Whisper's own normaliser, so that "twenty two" is "22" and "I've" is "I have".
Scripts that put no spaces between words are compared character by character, without spaces and punctuation, after
Unicode's NFC; nothing else is changed. In a text of several languages each run of Thai is compared as Thai, the rest as
English.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

_UNSPACED = {"th", "lo", "km", "my", "zh", "yue", "ja"}
_THAI = re.compile(r"([\u0e00-\u0e7f]+)")
_TURNS = 3  # times that something is said in a row from which on it is a loop, if nobody said it
_PHRASE = 60  # units of the longest phrase that can loop


@dataclass(frozen=True)
class Score:
    """What is wrong with one text, or with several together."""

    units: int = 0  # words, or characters of scripts without spaces, that were said
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0
    loops: int = 0  # units that were inserted by saying the same again and again

    @property
    def errors(self) -> int:
        return self.substitutions + self.insertions + self.deletions + self.loops

    @property
    def rate(self) -> float:
        return self.errors / max(1, self.units)

    def __add__(self, other: Score) -> Score:
        return Score(
            self.units + other.units,
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.loops + other.loops,
        )


def score(said: str, heard: str, language: str) -> Score:
    """Compare two texts. Where nobody speaks each word counts, also one in brackets, which the normaliser leaves out."""
    if not said:
        return Score(insertions=len(heard.split()))
    left, right = units(said, language), units(heard, language)
    edits = Levenshtein.editops(left, right)
    inserted = [edit.dest_pos for edit in edits if edit.tag == "insert"]
    looping = looped(right)
    loops = sum(1 for place in inserted if looping[place])
    kinds = [edit.tag for edit in edits]
    return Score(len(left), kinds.count("replace"), len(inserted) - loops, kinds.count("delete"), loops)


def differences(said: str, heard: str, language: str) -> str:
    """The edits for people: what was said -> what was heard, each with the unit before it."""
    left, right = units(said, language), units(heard, language)
    joint = "" if language in _UNSPACED else " "
    found = []
    for block in Levenshtein.opcodes(left, right):
        if block.tag != "equal":
            before = joint.join(left[max(0, block.src_start - 2) : block.src_start])
            was, became = (
                joint.join(side) or "∅"
                for side in (left[block.src_start : block.src_end], right[block.dest_start : block.dest_end])
            )
            found.append(f"{before} [{was} → {became}]")
    return "; ".join(found)


def units(text: str, language: str) -> list[str]:
    """What is counted: words, or characters."""
    if language == "mul":
        pieces = enumerate(_THAI.split(unicodedata.normalize("NFC", text)))
        return [unit for index, piece in pieces for unit in units(piece, "th" if index % 2 else "en")]
    if language in _UNSPACED:
        return [sign for sign in unicodedata.normalize("NFC", text) if unicodedata.category(sign)[0] not in "PZC"]
    return _normalizer(language)(text).split()


@functools.cache
def _normalizer(language: str) -> Callable[[str], str]:
    return EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()


def looped(heard: Sequence[str]) -> list[bool]:
    """For each unit, whether it repeats a phrase that stands `_TURNS` times in a row or more."""
    found = [False] * len(heard)
    for length in range(1, min(_PHRASE, len(heard) // _TURNS) + 1):
        same = [heard[place] == heard[place + length] for place in range(len(heard) - length)]
        place = 0
        for equal, run in itertools.groupby(same):
            count = len(list(run))
            if equal and count >= length * (_TURNS - 1):
                found[place : place + count + length] = [True] * (count + length)
            place += count
    return found

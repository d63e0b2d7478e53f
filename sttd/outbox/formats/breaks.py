"""Where a line of text may be broken, and at what price: after a sentence, a phrase, a word; within a word if it must be.

Spaces separate the words of most languages. Chinese, Japanese and Thai have none: there budoux's models give a score for each
border between two words. budoux itself takes every border with a score above 0, which cuts Thai within syllables. A line needs
only one good border near its end, so here the score becomes part of the price. For Lao, Khmer and Burmese budoux has no model:
these are broken at spaces, else where a syllable seems to begin. No break is within a grapheme (script.may_cut).
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sttd.script import CHINESE, JAPANESE, LATIN, THAI, may_cut, script_of_letter, width_of

SENTENCE, PHRASE, WORD, WITHIN = 0.0, 3.0, 10.0, 100.0  # prices
_TIED = 5.0  # added between words that belong together: a short word and the next one, a number and what it counts
_UNSURE = 6.0  # added, at most, for a border that has a low score of the model
_SYLLABLE = 18.0  # the price between two syllables of a language without a model

_SENTENCE_ENDS = frozenset(".?!…。！？｡।॥؟۔。။៕")
_PHRASE_ENDS = frozenset(",;:–—،؛、，；：､၊")
_CLOSERS = "\"'”’»)]}」』）】》〉"
_SHORT = 3  # letters; most articles, prepositions and conjunctions have no more
_TITLES = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "vs."})
# Characters that begin no line, beside Unicode's closing and other punctuation. For Japanese:
# https://www.w3.org/TR/jlreq/#characters_not_starting_a_line
_NO_BEGIN = frozenset("ーァィゥェォッャュョヮヵヶぁぃぅぇぉっゃゅょゎゕゖ々〻ゝゞヽヾ〜～ๆฯໆ។៕៖ៗ၊။")
_PARTICLES = frozenset("的了吗嗎呢吧啊们們嘛呀")  # of Chinese: they belong to the word before them
_THAI_RUN = range(0x0E00, 0x0E80)
_BURMESE_KILLERS = "\u103a\u1039"  # they make the consonant before them the end of its syllable
_UNSPACED = (THAI, CHINESE, JAPANESE)
_FIRST_UNSPACED = "\u0e00"  # the first letter of Thai; scripts before it in Unicode have spaces between words
_NOTHING = "\uffff" * 3  # padding before and after a text
_SPACE = "\u200b"  # zero width: separates the words of Khmer, Burmese and Thai in some texts

_FEATURES = (
    ("UW1", -3, -2), ("UW2", -2, -1), ("UW3", -1, 0), ("UW4", 0, 1), ("UW5", 1, 2), ("UW6", 2, 3), ("BW1", -2, 0),
    ("BW2", -1, 1), ("BW3", 0, 2), ("TW1", -3, 0), ("TW2", -2, 1), ("TW3", -1, 2), ("TW4", 0, 3),
)  # fmt: skip


class Break(NamedTuple):
    end: int  # where the text before the break ends, without the space
    start: int  # where the text after the break begins
    price: float


def breaks(text: str, most: int) -> list[Break]:
    """The places where a text of one line may be broken, in order.

    Args:
        text: without two spaces in a row.
        most: columns; a piece between two places that is wider may be broken after each grapheme.
    """
    found: list[Break] = []
    scores: _Scores | None = None
    last = 0
    for at in range(1, len(text)):
        before, after = text[at - 1], text[at]
        if after == " " or _is_within_word(before, after):
            continue
        if before == " " or (before == _SPACE and may_cut(text, at)):
            price = _spaced(text, at) if at > 1 else None
        elif not may_cut(text, at) or not _kinsoku(before, after):
            price = None
        else:
            price = _touching(text, at)
            if price is None and _is_unspaced(before, after):
                scores = scores or _Scores(text)
                price = _scored(text, at, scores)
        if price is not None:
            made = Break(at - 1 if before == " " else at, at, price)
            found += _within(text, last, made.end, most)
            found.append(made)
            last = at
    return found + list(_within(text, last, len(text), most))


def ends_sentence(text: str) -> bool:
    """Whether a text, which is not empty, ends with the end of a sentence."""
    word = text[text.rfind(" ") + 1 :].rstrip(_CLOSERS)
    return bool(word) and word[-1] in _SENTENCE_ENDS and word.lower() not in _TITLES


def _spaced(text: str, at: int) -> float | None:
    """The price of a break at the space before `text[at]`."""
    words = text[: at - 1]
    after = text[at]
    if after in _NO_BEGIN or unicodedata.category(after) in ("Pe", "Pf"):
        return None
    word = words[words.rfind(" ") + 1 :]
    bare = word.rstrip(_CLOSERS)
    if not bare:
        return WORD + _TIED
    if ends_sentence(word):
        return SENTENCE
    if bare[-1] in _PHRASE_ENDS:
        return PHRASE
    if _is_thai(bare[-1]) and _is_thai(after):  # Thai has spaces between phrases
        return PHRASE
    if word[-1] in _CLOSERS:
        return WORD - 2
    return WORD + (_TIED if len(bare) <= _SHORT else 0.0)


def _touching(text: str, at: int) -> float | None:
    """The price of a break after a punctuation mark that no space follows; None: it allows no break, or is no such mark."""
    before, after = text[at - 1], text[at]
    wide = script_of_letter(after) in (CHINESE, JAPANESE) or width_of(before) == 2
    if before in _CLOSERS and at > 1 and wide:
        before = text[at - 2]
    if before in _SENTENCE_ENDS and wide:
        return SENTENCE
    if before in "—–…" or (before in _PHRASE_ENDS and wide):
        return PHRASE
    if before == "-" and after.isalpha() and at > 1 and text[at - 2].isalpha():
        return WORD + _TIED
    return None


def _kinsoku(before: str, after: str) -> bool:
    """Whether a line may end with `before` and the next one begin with `after`, if no space is between them (kinsoku)."""
    if after in _NO_BEGIN or unicodedata.category(after) in ("Pe", "Pf", "Po", "Pd"):
        return False
    return unicodedata.category(before) not in ("Ps", "Pi", "Sc") and before not in "¿¡#@"


def _is_within_word(before: str, after: str) -> bool:
    """Whether both are letters or digits of scripts with spaces between words. Most places are: a fast first check."""
    return before < _FIRST_UNSPACED and after < _FIRST_UNSPACED and before.isalnum() and after.isalnum()


def _is_unspaced(before: str, after: str) -> bool:
    """Whether a word may end here without a space: one of the characters is of a script that has no spaces between words."""
    return script_of_letter(before) in _UNSPACED or script_of_letter(after) in _UNSPACED


def _is_thai(char: str) -> bool:
    return ord(char) in _THAI_RUN


def _scored(text: str, at: int, scores: _Scores) -> float | None:
    """The price of a break between two characters without a space; None if they seem to belong to one word."""
    before, after = text[at - 1], text[at]
    if after == _SPACE:
        return None
    if before.isdigit() or (after.isdigit() and not before.isspace()):
        return WORD + _TIED + _UNSURE
    if script_of_letter(before) is LATIN or script_of_letter(after) is LATIN:
        return WORD
    score = scores.at(at)
    if score is None:
        return _syllable(text, at)
    if score <= 0 or after in _PARTICLES:
        return None
    return WORD + _UNSURE * (1 - min(1.0, score))


def _syllable(text: str, at: int) -> float | None:
    """The price of a break between two graphemes of Lao, Khmer or Burmese; None: never."""
    end = at + 1
    while end < len(text) and not may_cut(text, end):
        if text[end] in _BURMESE_KILLERS:
            return None
        end += 1
    # a consonant with a vowel or a mark begins a syllable; one without may end it
    return _SYLLABLE if end > at + 1 else 2 * _SYLLABLE


def _within(text: str, first: int, last: int, most: int) -> Iterator[Break]:
    """A break after every grapheme of `text[first:last]`, if that is too wide for a line."""
    if sum(map(width_of, text[first:last])) > most:
        for at in range(first + 1, last):
            if may_cut(text, at) and text[at] != " ":
                tied = 0.0 if _kinsoku(text[at - 1], text[at]) else WITHIN
                yield Break(at - (text[at - 1] == " "), at, WITHIN + tied)


class _Scores:
    """budoux's scores for the borders between words of a text. Only those that are asked for are computed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._around = f"{_NOTHING}{text}{_NOTHING}"
        scripts = set(map(script_of_letter, text))
        self._ideographs = "ja" if JAPANESE in scripts else _chinese(text) if CHINESE in scripts else ""

    def at(self, at: int) -> float | None:
        """The score of a border before index `at`: 1 or more is sure, 0 or less is none; None: no model (Lao and others)."""
        before, after = self._text[at - 1], self._text[at]
        script = script_of_letter(after) or script_of_letter(before)
        if script not in _UNSPACED or (script is THAI and not (_is_thai(after) or _is_thai(before))):
            return None
        return _score(_model("th" if script is THAI else self._ideographs), self._around[at : at + 6])


def _score(model: _Model, around: str) -> float:
    """The score of a border between the third and the fourth of six characters."""
    total = model.base
    for weight, characters in model.features:
        total += weight(around[characters], 0)
    return total / model.sure


class _Model(NamedTuple):
    base: float
    features: tuple[tuple[Callable[[str, int], int], slice], ...]  # weights, and the characters of the six they are for
    sure: float  # budoux's score of a sure border


_SURE = {"th": 3000.0, "ja": 1500.0, "zh-hans": 3000.0, "zh-hant": 3000.0}  # the median of borders in running text


@functools.cache
def _model(name: str) -> _Model:
    """A model of budoux. The library is imported only when a text needs it: most daemons never meet one."""
    from budoux import parser  # noqa: PLC0415 - see above

    load = {
        "th": parser.load_default_thai_parser,
        "ja": parser.load_default_japanese_parser,
        "zh-hans": parser.load_default_simplified_chinese_parser,
        "zh-hant": parser.load_default_traditional_chinese_parser,
    }
    weights = load[name]().model
    base = -sum(sum(group.values()) for group in weights.values()) / 2
    return _Model(
        base,
        tuple((weights.get(key, {}).get, slice(first + 3, last + 3)) for key, first, last in _FEATURES),
        _SURE[name],
    )


def _chinese(text: str) -> str:
    """The name of the Chinese model (simplified or traditional) that knows more of a text's characters."""
    known = {name: _model(name).features[3][0] for name in ("zh-hans", "zh-hant")}
    return max(known, key=lambda name: sum(known[name](char, 0) != 0 for char in text))

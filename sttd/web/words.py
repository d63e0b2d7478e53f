"""The words of a segment with their times, for readers. Pure.

Whisper's times are those of its tokens. In Thai, Chinese and Japanese faster-whisper hands on these pieces as words
(tokenizer.py, split_to_word_tokens), so that a word such as สวัสดี comes in two or three. The JSON result keeps them as they were
measured, each with its probability; what people and other services' clients get is cut between words, as subtitles are.
"""

from __future__ import annotations

from collections.abc import Iterator

from sttd.outbox.formats.base import line
from sttd.outbox.formats.breaks import breaks
from sttd.outbox.formats.times import Times
from sttd.part import Segment, Word
from sttd.script import CHINESE, JAPANESE, LATIN, THAI, script_of_letter

_ONE_LINE = 2**31  # columns: nothing is too wide
_IN_PIECES = frozenset({"th", "zh", "yue", "ja"})  # languages whose tokens come as words, English ones among them too
_SCRIPTS = (THAI, CHINESE, JAPANESE)  # in which borders of words are known


def borders(text: str) -> list[int]:
    """Where words begin in a line, but for the first one."""
    if all(script_of_letter(char) in (None, LATIN) for char in text):  # asked often: a tenth of the time
        return [at + 1 for at, char in enumerate(text) if char == " "]
    return [each.start for each in breaks(text, _ONE_LINE)]


def words(segment: Segment) -> Iterator[Word]:
    """Its words; none where no times of words are known. What was put together of pieces has the mean probability of all."""
    text = line(segment.text)
    if not segment.words or not _is_in_pieces(segment.language, text):
        yield from segment.words
        return
    times, starts = Times(segment, text), [0, *borders(text)]
    sure = sum(each.probability for each in segment.words) / len(segment.words)
    for first, last in zip(starts, [*starts[1:], len(text)], strict=True):
        word = text[first:last].rstrip()
        if word:
            start, end = times.start(first), times.end(first + len(word))
            yield Word(start / 1000, max(start, end) / 1000, word, sure)


def _is_in_pieces(language: str, text: str) -> bool:
    return bool(text) and (language in _IN_PIECES or any(script_of_letter(char) in _SCRIPTS for char in text))

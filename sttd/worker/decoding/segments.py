"""Turns what the model heard in a stretch of audio into segments of the recording."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from sttd.part import CueRoom, Segment, Word
from sttd.script import script_of, width
from sttd.worker.decoding.generate import Heard
from sttd.worker.decoding.judge import FRAMES_PER_SECOND, Piece
from sttd.worker.decoding.places import Places
from sttd.worker.decoding.words import SECONDS_PER_TIMESTAMP, Timed, untimed

_EMPTY = 0.15  # share of a subtitle's columns that stay empty, because lines break between words
_WORD = 12  # columns that one line break may leave empty; with short lines, this is more
_LABEL = 1.5  # columns to set aside for each column of a speaker's name: the shorter line leaves more empty
_LEAST = 0.1  # seconds; the length of a segment whose time stamps lie after the end of the audio


def is_kept(heard: Heard, piece: Piece) -> bool:
    """Whether a piece becomes a segment: Whisper drops one without text, and one that takes no time."""
    return piece.start != piece.end and bool(_text(heard, piece))


def bridges(heard: Heard, piece: Piece, places: Places) -> bool:
    """Whether a piece reaches across silence that was cut out: without the times of its words it cannot be divided."""
    return is_kept(heard, piece) and places.bridges(*_bounds(heard, untimed(piece)))


def is_long(heard: Heard, piece: Piece, room: CueRoom | None) -> bool:
    """Whether a piece may be too much for one subtitle, so that it will be divided by the times of its words."""
    if room is None or not is_kept(heard, piece):
        return False
    text = _text(heard, piece)
    script = script_of(text)
    line = (room.columns or script.line) * script.columns
    empty = max(_EMPTY * room.lines * line, _WORD * (room.lines - 1))
    label = _LABEL * min(room.label, line // 2)  # as outbox/formats/layout.py has it
    length = (piece.end - piece.start) * SECONDS_PER_TIMESTAMP
    return length > room.longest or width(text) > room.lines * line - empty - label


def segments(
    heard: Heard, piece: Piece, timed: Timed, places: Places, *, language: str, channel: int, with_words: bool
) -> Iterator[Segment]:
    """The segment of a piece; one for each side where it reaches across silence that was cut out.

    Args:
        heard: the result that the piece belongs to.
        piece: with its tokens.
        timed: its time, and that of its words where they were timed.
        places: of the window.
        language: of the text.
        channel: of the window.
        with_words: the words are wanted.
    """
    offset = heard.item.offset / FRAMES_PER_SECOND
    for section in _sections(timed.words, offset, places):
        words = tuple(
            Word(*places.word(offset + word.start, offset + word.end), word.word, word.probability) for word in section
        )
        text = "".join(word.word for word in words).strip() if words else _text(heard, piece)
        if not text:  # a space alone on one side
            continue
        start, end = (words[0].start, words[-1].end) if words else places.segment(*_bounds(heard, timed))
        yield Segment(
            start=start,
            end=max(start, end),
            text=text,
            avg_logprob=heard.score.avg_logprob,
            compression_ratio=heard.score.compression_ratio,
            no_speech_prob=heard.score.no_speech_prob,
            temperature=heard.temperature,
            language=language,
            words=words if with_words else (),
            channel=channel,
        )


def _sections(words: Sequence[Timed], offset: float, places: Places) -> list[list[Timed]]:
    """The words on each side of the breaks; one empty section where they were not timed."""
    sides = itertools.groupby(words, lambda word: places.section(offset + word.start, offset + word.end))
    return [list(side) for _, side in sides] or [[]]


def _text(heard: Heard, piece: Piece) -> str:
    return str(heard.voice.tokenizer.decode(list(piece.tokens))).strip()


def _bounds(heard: Heard, timed: Timed) -> tuple[float, float]:
    """Seconds in the window's audio, within the item."""
    offset, length = heard.item.offset / FRAMES_PER_SECOND, heard.item.frames / FRAMES_PER_SECOND
    end = min(timed.end, length)
    return offset + min(timed.start, max(0.0, end - _LEAST)), offset + end

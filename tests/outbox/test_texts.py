"""Texts for people: paragraphs at pauses, Markdown that is only markup where we wrote it, lyrics for music players."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given

from sttd import __version__, outbox
from sttd.job import Job
from sttd.outbox.formats import FORMATS, paragraphs
from sttd.outbox.formats.base import line
from sttd.part import Segment
from sttd.script import width
from tests.outbox.test_subtitles import transcripts


def said(text: str, start: float, end: float) -> Segment:
    return Segment(start, end, text, -0.2, 1.1, 0.01, 0.0, "en")


def written(suffix: str, *segments: Segment, **facts) -> str:
    file = io.StringIO()
    job = Job(
        1, "sub/talk.mp3", 1, 2, language="en", model="demo", requested_model="demo", audio_seconds=3725.0, **facts
    )
    FORMATS[suffix].write(file, outbox.Meta.of(job, finished_at=0.0), iter(segments))
    return file.getvalue()


TALK = (
    said("We met on Tuesday.", 0, 2), said("And nobody", 2, 3), said("could say why.", 5.5, 7), said("It adjourned.", 9.5, 11),
)  # fmt: skip


def test_a_paragraph_is_measured_once_however_long_it_grows(monkeypatch):
    measured: list[int] = []
    monkeypatch.setattr(paragraphs, "width", lambda text: measured.append(len(text)) or width(text))
    segments = [said("nobody pauses and nobody ends a sentence here", start, start + 1) for start in range(500)]
    text = written("txt", *segments)
    assert text.count("\n\n") == 3, "its limit counts all that is in it"
    assert sum(measured) < 2 * len(text)


def test_a_pause_after_a_sentence_begins_a_paragraph_and_one_within_does_not():
    assert written("txt", *TALK) == "We met on Tuesday. And nobody could say why.\n\nIt adjourned.\n"


def test_thai_has_no_full_stops_and_any_pause_parts_it():
    thai = (said("วันนี้อากาศดีมาก", 0, 2), said("เหมาะแก่การออกไป", 2.5, 4), said("เดินเล่น", 7, 8))
    assert written("txt", *thai) == "วันนี้อากาศดีมาก เหมาะแก่การออกไป\n\nเดินเล่น\n"


def test_chinese_sentences_follow_each_other_without_a_space():
    assert written("txt", said("你好。", 0, 1), said("再见。", 1, 2)) == "你好。再见。\n"


@pytest.mark.parametrize(("gap", "most"), [(0.6, 700), (0.0, 3100)])
def test_a_speaker_who_never_pauses_has_paragraphs_too(gap, most):
    """A breath is enough in a long one, and in an endless one the end of a sentence."""
    count = 200
    talk = [said("There is always one thing more that has to be said.", i * 4, i * 4 + 4 - gap) for i in range(count)]
    parts = written("txt", *talk).split("\n\n")
    assert len(parts) > 1
    assert all(len(each) <= most for each in parts)


def test_a_text_without_any_sentence_is_not_held_in_memory_for_ever():
    parts = written("txt", *(said("and then", i, i + 1) for i in range(5000))).split("\n\n")
    assert max(map(len, parts)) < 7000


@given(transcripts())
def test_paragraphs_lose_nothing(segments):
    words = "".join(line(segment.text).replace(" ", "") for segment in segments)
    assert "".join(written("txt", *segments).split()) == "".join(words.split())


def test_markdown_has_the_facts_and_the_times():
    text = written("md", *TALK, warnings=("the file ends early",), fallback_reason="load failed")
    head, _, body = text.removeprefix("---\n").partition("---\n")
    facts = {key: json.loads(value) for key, _, value in (each.partition(": ") for each in head.splitlines())}
    assert facts == {
        "source": "talk.mp3",
        "language": "en",
        "length": "01:02:05",
        "model": "demo",
        "fallback_reason": "load failed",
        "transcribed": "1970-01-01T00:00:00.000+00:00",
        "warnings": ["the file ends early"],
    }
    assert body == (
        "\n# talk.mp3\n\n**00:00:00** We met on Tuesday. And nobody could say why.\n\n**00:00:09** It adjourned.\n"
    )


def test_what_was_said_is_no_markup():
    text = written("md", said("# <img src=x> ![a](http://b) *c* `d` & $e$", 0, 1))
    assert text.endswith("\n**00:00:00** \\# \\<img src\\=x\\> !\\[a\\](http://b) \\*c\\* \\`d\\` \\& \\$e\\$\n")


def test_lyrics_have_their_times_and_end_where_nobody_speaks():
    text = written("lrc", *TALK, said("[00:01.00] Over an hour.", 6000, 6002))
    assert text.splitlines() == [
        "[la:en]", "[length:62:05.00]", f"[re:sttd {__version__}]", "[00:00.00]We met on Tuesday.", "[00:02.00]And nobody",
        "[00:03.00]", "[00:05.50]could say why.", "[00:07.00]", "[00:09.50]It adjourned.", "[00:11.00]",
        "[100:00.00](00:01.00] Over an hour.", "[100:02.00]",
    ]  # fmt: skip

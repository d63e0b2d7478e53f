"""Subtitles are read by people: cues and lines within their limits, broken where a reader would pause, shown while it is said."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import pysubs2
import pytest
import webvtt
from hypothesis import given, strategies as st

from sttd import outbox
from sttd.config import Subtitles
from sttd.job import Job
from sttd.outbox.formats import FORMATS, layout, write_together
from sttd.outbox.formats.base import line
from sttd.outbox.formats.breaks import breaks
from sttd.outbox.formats.cues import Cue, cues
from sttd.part import Segment, Word
from sttd.script import CHINESE, JAPANESE, LATIN, THAI, may_cut, script_of, width
from tests.outbox.ffmpeg import packets
from tests.outbox.test_outbox import make

RIGHTS = json.loads((Path(__file__).parents[1] / "worker" / "human_rights.json").read_text("utf-8"))
DEFAULTS = Subtitles()
TOO_LONG = "The committee met on Tuesday, and nobody could say why. It adjourned without a vote, as it had done before."


def said(text: str, start: float = 0.0, end: float = 5.0, words: tuple[Word, ...] = ()) -> Segment:
    return Segment(start, end, text, -0.2, 1.1, 0.01, 0.0, "en", words)


def shown(*segments: Segment, **limits: float) -> list[Cue]:
    return list(cues(iter(segments), Subtitles(**limits)))


def spoken(text: str, pace: float = 0.3, pauses: dict[str, float] | None = None) -> Segment:
    """A segment with the times of its words, each as long as the others, and pauses in seconds after some of them."""
    words, at = [], 0.0
    for word in text.split(" "):
        words.append(Word(at, at + pace, f" {word}", 0.9))
        at += pace + (pauses or {}).get(word, 0.0)
    return said(text, 0.0, words[-1].end, tuple(words))


# what holds for any text

ALPHABETS = (
    "abcdef ABC .,?!-'\"()&<>", "กขคงจะาิีึืุูเแโใไ่้๊็ำๆฯ ", "ກຂຄງຈະາິີເແໂໃໄ່້ຳໆ ", "កខគងចាិីេែៃំះ្ ។\u200b",
    "ကခဂငစာိီေ့်္ ၊။", "漢字你好，。、「」的了 ", "かなカナーっ、。「」 ", "한국어 말 ", "कखगािीं् ", "אבג ", "0123456789 ",
    "🇹🇭🇱🇦👩‍👩‍👧👍🏽e\u0301\u0308 ", "\u200d\ufe0f\u00ad\x00\ud800\n\t ",
)  # fmt: skip
runs = st.sampled_from(ALPHABETS).flatmap(lambda alphabet: st.text(alphabet, min_size=1, max_size=60))
texts = st.lists(runs, max_size=5).map("".join)
seconds = st.floats(0, 40) | st.sampled_from([float("nan"), float("inf"), -1.0])


@st.composite
def transcripts(draw):
    at, made = 0.0, []
    for text in draw(st.lists(texts, max_size=5)):
        length = draw(seconds)
        start = at + draw(st.sampled_from([0.0, 0.1, 3.0, -0.5]))
        words = ()
        if draw(st.booleans()):
            pieces = draw(st.lists(st.tuples(seconds, seconds), min_size=1, max_size=4))
            size = -(-len(text) // len(pieces))
            words = tuple(Word(a, b, text[i * size : (i + 1) * size], 0.5) for i, (a, b) in enumerate(pieces))
        made.append(said(text, start, start + length, words))
        at = start + length if length == length and length < 1e6 else at
    return made


limits = st.builds(
    Subtitles, lines=st.integers(1, 3), line_length=st.sampled_from([0, 8, 20]), shortest=st.sampled_from([0.0, 1.0]),
    longest=st.sampled_from([1.0, 7.0]), reading_speed=st.sampled_from([0, 5]),
)  # fmt: skip


@given(transcripts(), limits)
def test_nothing_is_lost_no_limit_is_passed_and_no_cluster_is_cut(segments, limits):
    """Cues in order and never two at once; over a limit only where a single cluster is."""
    whole = " ".join(filter(None, (line(segment.text) for segment in segments)))
    found = list(cues(iter(segments), limits))
    at = 0
    for cue in found:
        script = script_of(" ".join(cue.lines))
        assert len(cue.lines) <= limits.lines
        assert 0 < cue.end - cue.start <= limits.longest * 1000
        for each in cue.lines:
            single = not any(may_cut(each, i) for i in range(1, len(each)))
            assert width(each) <= limits.columns(script) or single, each
            assert each == each.strip(" ") != ""
            at += whole[at] == " "
            assert whole[at : at + len(each)] == each
            at += len(each)
            assert at == len(whole) or whole[at] == " " or may_cut(whole, at), (each, whole[at:])
    assert at == len(whole)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))


@given(transcripts())
def test_other_readers_see_the_same_cues(segments):
    found = list(cues(iter(segments), DEFAULTS))
    times = [(cue.start, cue.end) for cue in found]
    events = pysubs2.SSAFile.from_string(written("srt", segments), "srt")
    assert [(event.start, event.end) for event in events] == times
    read = webvtt.from_string(written("vtt", segments)) if found else []
    assert [(cue.start_in_seconds, len(cue.lines)) for cue in read] == [
        (cue.start // 1000, len(cue.lines)) for cue in found
    ]


def written(suffix: str, segments) -> str:
    file = io.StringIO()
    FORMATS[suffix].write(file, outbox.Meta.of(Job(1, "a.mp3", 1, 2), finished_at=0.0), iter(segments))
    return file.getvalue()


def written_together(segments) -> dict[str, str]:
    files = {FORMATS[suffix]: io.StringIO() for suffix in ("srt", "vtt", "lrc")}
    write_together(files, outbox.Meta.of(Job(1, "a.mp3", 1, 2), finished_at=0.0), iter(segments))
    return {one.suffix: file.getvalue() for one, file in files.items()}


@given(transcripts())
def test_formats_that_are_written_together_are_as_each_alone(segments):
    assert written_together(segments) == {suffix: written(suffix, segments) for suffix in ("srt", "vtt", "lrc")}


def test_results_are_staged_with_one_layout(monkeypatch, tmp_path):
    """The search for the breaks of 48 h of dense Thai takes minutes: it is made once for all formats."""
    segments = [said(RIGHTS["th"][at : at + 60], at, at + 5.0) for at in range(0, 1200, 60)]
    measured: list[str] = []
    monkeypatch.setattr(layout, "breaks", lambda text, most: measured.append(text) or breaks(text, most))
    written("srt", segments)
    once = sorted(measured)
    measured.clear()
    config, job, _ = make(tmp_path)
    plan = outbox.stage(
        job, outbox.Meta.of(job, finished_at=1.0), lambda: iter(segments), config, outbox.Places(config.paths)
    )
    assert {"srt", "vtt", "lrc"} < set(plan.hashes)
    assert sorted(measured) == once


# where it is broken


def test_a_long_segment_is_divided_at_its_sentence_and_its_lines_at_phrases():
    assert [cue.lines for cue in shown(said(TOO_LONG, 0, 10))] == [
        ("The committee met on Tuesday,", "and nobody could say why."),
        ("It adjourned without a vote,", "as it had done before."),
    ]


def test_what_has_room_in_one_line_stays_in_one():
    assert [cue.lines for cue in shown(said("It adjourned, without a vote."))] == [("It adjourned, without a vote.",)]


def test_no_line_ends_with_an_article_or_a_preposition():
    (cue,) = shown(said("We walked from the end of the village to the top of a steep hill."))
    assert cue.lines == ("We walked from the end of the village", "to the top of a steep hill.")


@pytest.mark.parametrize("language", ["en", "th", "lo", "km", "my", "hi", "zh", "ja", "ko", "ar", "ru"])
def test_a_page_of_any_script_is_within_the_limits_of_that_script(language):
    text = RIGHTS[language]
    for cue in shown(said(text, 0.0, len(text) / 10)):
        script = script_of("".join(cue.lines))
        assert all(width(each) <= DEFAULTS.columns(script) for each in cue.lines)
        assert len(cue.lines) <= 2
    assert (DEFAULTS.columns(LATIN), DEFAULTS.columns(THAI)) == (42, 35)
    assert (DEFAULTS.columns(CHINESE), DEFAULTS.columns(JAPANESE)) == (2 * 16, 2 * 13)


THAI_WORDS = (
    "วันนี้ อากาศ ดี มาก เหมาะ แก่ การ ออก ไป เดิน เล่น นอก บ้าน ฉัน เดินทาง ไป เที่ยว ที่ จังหวัด เชียงใหม่ ใน ช่วง ฤดู หนาว เพื่อ สัมผัส "
    "อากาศ หนาว ผม กำลัง พัฒนา แอปพลิเคชัน สำหรับ แปลง เสียง เป็น ข้อความ ภาษาไทย"
)


def test_thai_is_broken_between_words():
    """As people divide them, and with nothing but letters to tell where."""
    words = THAI_WORDS.split(" ")
    text = "".join(words)
    borders = {sum(map(len, words[:count])) for count in range(len(words) + 1)}
    at, bad = 0, 0
    for cue in shown(said(text, 0.0, 14.0)):
        for each in cue.lines:
            at += len(each)
            bad += at not in borders
    assert at == len(text)
    assert bad == 0


def test_chinese_and_japanese_keep_punctuation_and_small_kana_where_they_belong():
    for text in (RIGHTS["zh"], RIGHTS["ja"]):
        for cue in shown(said(text, 0.0, len(text) / 5)):
            for each in cue.lines:
                assert each[0] not in "，。、；：）」』ーっゃゅょ々的"
                assert each[-1] not in "（「『"


def test_a_word_that_is_wider_than_a_line_is_broken_between_clusters():
    found = breaks("e\u0301" * 50, 42)
    assert [place.start for place in found] == list(range(2, 100, 2))


def test_what_was_divided_is_not_joined_again_with_a_space_within_a_word():
    """Nor has a part without a letter less room than the text that it is of."""
    divided = shown(said("、" * 8 + "了", 0.0, 0.0), lines=1, line_length=8)
    assert all(len(cue.lines) == 1 for cue in divided)
    joined = shown(said("AA", 0.0, 0.0), said("<" * 11 + "、" * 9 + "了", 0.0, 0.0), lines=1)
    assert "".join(cue.text for cue in joined).replace(" ", "") == "AA" + "<" * 11 + "、" * 9 + "了"
    assert not any("、 " in cue.text for cue in joined)


def test_no_line_begins_with_a_mark_behind_a_zero_width_space():
    assert all(place.start != 3 for place in breaks("កក\u200bា", 2))


# when it is shown


def test_what_is_divided_is_shown_when_its_words_are_said():
    """The second half begins after a pause in mid-segment; by the share of its letters it would come 2.7 s too early."""
    segment = spoken(TOO_LONG, pauses={"why.": 6.0})
    first, second = shown(segment)
    assert (first.start, second.start) == (0, 9000)
    assert second.lines[0].startswith("It adjourned")
    assert first.end < 9000


def test_a_pause_is_a_good_place_to_divide():
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    divided = shown(spoken(words, pauses={"eight": 1.0}))
    assert divided[0].lines[-1].endswith("eight")


def test_a_cue_stays_until_it_is_read_where_nothing_follows_and_no_longer_than_it_may():
    assert [(cue.start, cue.end) for cue in shown(said("Yes.", 1.0, 1.2), said("No.", 9.0, 30.0))] == [
        (1000, 2000),
        (9000, 16000),
    ]
    dense = "Forty signs take more than two seconds."
    assert shown(said(dense, 0.0, 0.5))[0].end == round(len(dense) / 17 * 1000)


def test_hasty_cues_are_shown_together():
    found = shown(said("Yes.", 0.0, 0.3), said("I know.", 0.3, 0.8), said("And then we went home together.", 0.8, 3.0))
    assert [cue.lines for cue in found] == [("Yes. I know.", "And then we went home together.")]


def test_a_quick_answer_stands_with_its_question_and_a_sentence_of_its_own_alone():
    question, answer = said("Can I eat this lemon tree leaf?", 0.0, 1.6), said("Yes.", 1.8, 2.0)
    sentence = said("Okay, but I could eat it.", 2.9, 3.8)
    assert [cue.text for cue in shown(question, answer, sentence)] == [
        "Can I eat this lemon tree leaf? Yes.",
        "Okay, but I could eat it.",
    ]
    tail = said("and all.", 1.8, 2.0)
    assert [cue.text for cue in shown(said("He ate it, leaf", 0.0, 1.6), tail)] == ["He ate it, leaf and all."]


def test_a_few_words_over_half_a_minute_are_not_spread_over_it():
    """Without the words' times nobody knows where the pauses are: they are shown at the segment's beginning."""
    (cue,) = shown(said("Thank you for watching.", 2.0, 31.0))
    assert (cue.start, cue.end) == (2000, 9000)


def test_the_limits_are_a_persons_to_set():
    found = shown(said(TOO_LONG, 0, 10), lines=1, line_length=60, longest=10)
    assert all(len(cue.lines) == 1 and len(cue.lines[0]) <= 60 for cue in found)


def test_ffmpeg_reads_every_cue(tmp_path):
    for suffix, codec in (("srt", "srt"), ("vtt", "webvtt")):
        path = tmp_path / f"a.{suffix}"
        path.write_text(written(suffix, [said(TOO_LONG, 0, 10), said(RIGHTS["th"][:300], 11, 40)]), "utf-8")
        count = len(list(cues(iter([said(TOO_LONG, 0, 10), said(RIGHTS["th"][:300], 11, 40)]), DEFAULTS)))
        assert packets(path) == (codec, count)

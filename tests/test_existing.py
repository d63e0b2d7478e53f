"""Which subtitles of a recording count, and whether they are enough."""

from __future__ import annotations

import pytest

from sttd.configfile.languages import CODES
from sttd.existing import ExistingSubtitles, beside, enough, track
from sttd.languages import codes_of, english_name, language_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((text, "en") for text in ("en", "eng", "EN-us", "English", "english [SDH]", " eng ")),
        *((text, "de") for text in ("de", "ger", "deu", "German", "de-AT")),
        *((text, "th") for text in ("th", "tha", "Thai")),
        ("zh-Hans", "zh"), ("chi", "zh"), ("Chinese (Simplified)", "zh"), ("pt_BR", "pt"), ("pob", "pt"), ("nob", "no"),
        ("jv", "jw"), ("iw", "he"), ("fil", "tl"),
        *((text, None) for text in ("und", "", "zxx", "forced", "sdh", "1", "Director's")),
    ],
)  # fmt: skip
def test_a_language_is_known_by_each_of_its_names(text, code):
    assert language_of(text) == code


def test_every_language_of_whisper_has_its_names():
    assert all(language_of(code) == code and code in codes_of(code) for code in CODES)
    assert all(language_of(english_name(code)) == code for code in CODES)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("film.srt", ""), ("film.und.srt", ""), ("film.en.srt", "en"), ("film.eng.SRT", "en"), ("film.th.vtt", "th"),
        ("film.English.ass", "en"), ("film.en.hi.ssa", "en"), ("film.hi.srt", "hi"), ("film.sdh.en.sub", "en"),
        ("film.pt-BR.default.srt", "pt"), ("film.whisper.medium.deu.srt", "de"), ("film.1.srt", ""),
    ],
)  # fmt: skip
def test_a_file_with_the_stem_of_the_recording_is_its_subtitles(name, language):
    assert beside("film.mkv", ["film.mkv", name]) == [ExistingSubtitles(name, language)]


@pytest.mark.parametrize(
    "name",
    ["film.en.forced.srt", "film.forced.eng.srt", "film.signs.srt", "film.en.commentary.srt", "film.nfo", "film.en.txt",
     "film2.en.srt", "film (2).en.srt", "Film.en.srt", "film.part2.en.srt", "film-trailer.srt"],
)  # fmt: skip
def test_what_is_forced_or_of_another_recording_is_not(name):
    assert beside("film.mkv", ["film.mkv", "film.part2.mkv", name]) == []


def test_a_track_counts_unless_it_has_only_a_part_of_what_is_said():
    assert track(1, "eng", "", is_partial=False) == ExistingSubtitles("track 1 of its subtitles", "en", is_track=True)
    assert track(1, "und", "SDH", is_partial=False) == ExistingSubtitles("track 1 of its subtitles", "", is_track=True)
    for title, is_partial in (("", True), ("English (Forced)", False), ("Signs & Songs", False), ("Commentary", False)):
        assert track(1, "eng", title, is_partial=is_partial) is None


FILE, TRACK = ExistingSubtitles("film.en.srt", "en"), ExistingSubtitles("track 1 of its subtitles", "th", is_track=True)
NAMELESS = ExistingSubtitles("film.srt", ""), ExistingSubtitles("track 2 of its subtitles", "", is_track=True)


@pytest.mark.parametrize(
    ("found", "wanted", "spoken", "is_enough"),
    [
        ([FILE], ["en"], "", True),
        ([FILE], ["th"], "", False),
        ([FILE, TRACK], ["th"], "", True),
        ([FILE], ["th", "en"], "", True),  # nobody knows which of them is spoken
        ([FILE], ["th", "en"], "th", False),  # the audio track says it
        ([FILE], [], "", True),  # any language will do
        ([FILE], [], "th", False),
        ([FILE], ["en"], "th", True),  # a translation, or what a person has set, goes over what the track says
        ([NAMELESS[0]], ["th"], "", True),
        ([NAMELESS[1]], ["th"], "", False),
        ([NAMELESS[1]], [], "", True),
        ([ExistingSubtitles("film.zh.srt", "zh")], ["yue"], "", True),
        ([], [], "", False),
    ],
)
def test_subtitles_in_the_wanted_language_are_enough(found, wanted, spoken, is_enough):
    assert (enough(found, wanted, spoken) is not None) == is_enough


def test_the_reason_names_language_and_file():
    assert enough([FILE], ["en"]) == "not transcribed: it has subtitles in English (film.en.srt)"
    assert enough(NAMELESS, ["en"]) == "not transcribed: it has subtitles of an unknown language (film.srt)"

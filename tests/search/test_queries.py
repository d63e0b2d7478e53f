"""What a person may type, and what a hit says."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from sttd.search import Search
from sttd.search.atoms import placed
from sttd.search.index import Index, Recording
from sttd.search.transcript import NotATranscript, Said, Signature, read
from tests.properties.words import folder
from tests.search.transcripts import Archive

TALK = ["The quick brown fox recorded it.", "Nobody knew of the budget,", "and the fox went home.", "Then came winter."]


@pytest.fixture
def talk(archive):
    job = archive.done("talks/2024/Annual meeting.mp3", TALK, "en")
    archive.follow()
    return archive, job


def passage(archive, asked):
    return archive.search.find(asked).hits[0].passage


def test_all_words_must_occur_in_one_recording(talk):
    archive, job = talk
    other = archive.done("b.mp3", ["the budget alone"], "en")
    archive.follow()
    assert archive.jobs("fox budget") == [job.id]
    assert archive.jobs("budget") == [other.id, job.id]


def test_a_hit_begins_where_the_words_are_nearest_to_each_other(talk):
    archive, _ = talk
    found = passage(archive, "fox budget")
    assert (found.start, found.end) == (3.0, 9.0)
    assert found.excerpt.text == "Nobody knew of the budget, and the fox went home."
    assert [found.excerpt.text[start:end] for start, end in found.excerpt.marks] == ["budget", "fox"]


def test_what_is_in_quotes_is_found_as_it_stands_across_segments_too(talk):
    archive, job = talk
    assert archive.jobs('"fox went home" winter') == [job.id]
    assert archive.jobs('"home then came"') == [job.id]
    assert archive.jobs('"fox brown"') == []


def test_a_word_finds_longer_ones_that_begin_with_it_and_in_quotes_itself_alone(talk):
    archive, job = talk
    assert archive.jobs("record") == [job.id]
    assert archive.jobs('"record"') == []
    assert archive.jobs("ti") == []


def test_a_recording_is_found_by_its_name_and_words_may_be_in_both(talk):
    archive, job = talk
    hit = archive.search.find("annual").hits[0]
    assert (hit.job, hit.source, hit.passage, hit.places) == (job.id, "talks/2024/Annual meeting.mp3", None, 0)
    assert [hit.name.text[start:end] for start, end in hit.name.marks] == ["Annual"]
    assert passage(archive, "annual winter").start == 9.0


def test_the_places_of_one_recording_are_all_its_segments_with_a_word(talk):
    archive, job = talk
    assert [each.start for each in archive.search.within(job.id, "fox winter")] == [0.0, 6.0, 9.0]
    assert archive.search.find("fox").hits[0].places == 2
    assert archive.search.within(job.id + 1, "fox") == ()


def test_a_long_text_is_cut_around_what_was_asked_for(archive):
    archive.done("a.mp3", ["word " * 200 + "needle " + "word " * 200], "en")
    archive.follow()
    excerpt = passage(archive, "needle").excerpt
    assert len(excerpt.text) <= 242
    assert (excerpt.text[:5], excerpt.text[-1]) == ("…word", "…")
    assert [excerpt.text[start:end] for start, end in excerpt.marks] == ["needle"]


def test_filters_by_language_time_and_folder(archive):
    jobs = [
        archive.done(source, ["needle"], language, at=at).id
        for source, language, at in [("a/b/x.mp3", "th", 100.0), ("a/y.mp3", "en", 200.0), ("ab/z.mp3", "th", 300.0)]
    ]
    archive.follow()
    assert archive.jobs("needle", language="th") == [jobs[2], jobs[0]]
    assert archive.jobs("needle", since=200.0) == [jobs[2], jobs[1]]
    assert archive.jobs("needle", until=200.0) == [jobs[0]]
    assert archive.jobs("needle", since=101.0, until=200.0) == []
    assert archive.jobs("needle", folder="a") == [jobs[1], jobs[0]]
    assert archive.jobs("needle", folder="a/b/") == [jobs[0]]
    assert archive.jobs("needle", folder="a", language="en", until=300.0) == [jobs[1]]


def test_pages_follow_each_other_by_key_whatever_comes_meanwhile(archive):
    jobs = [archive.done(f"{number}.mp3", ["needle"]).id for number in range(5)]
    archive.follow()
    first = archive.search.find("needle", limit=2)
    archive.done("new.mp3", ["needle"])
    archive.follow()
    second = archive.search.find("needle", limit=2, before=first.next)
    third = archive.search.find("needle", limit=2, before=second.next)
    assert [hit.job for page in (first, second, third) for hit in page.hits] == jobs[::-1]
    assert third.next is None
    assert len(archive.search.find("needle", before=10**30).hits) == 6


def test_an_index_that_is_not_there_yet_finds_nothing(tmp_path):
    assert Search(tmp_path / "search.db").find("word").hits == ()


@pytest.fixture(scope="module")
def one():
    """An index whose one recording is put in place anew."""
    with folder() as path:
        archive = Archive(Path(path))
        with contextlib.closing(Index(archive.index)) as index:
            yield index, archive.search
        archive.close()


spoken = st.text(
    st.sampled_from('กาที่น้ำเแไโใ็ๆฯ๒ ,"ສະບາຍດີຳភាសាខ្មែរမြန်မာစ္စ東京タワーがｶﾞ한국abcéÀ1ß*-()\u200b\u200d\u0301\u0e4d\u0e32'),
    max_size=30,
) | st.text(max_size=20)


@given(st.lists(spoken, min_size=1, max_size=3), st.data())
def test_every_stretch_between_two_clusters_or_words_is_found(one, texts, data):
    """Whatever the text is, and wherever its segments end."""
    index, search = one
    said = [
        Said(float(number), number + 1.0, text.encode("utf-8", "replace").decode(), "th")
        for number, text in enumerate(texts)
    ]
    with index.transaction():
        index.put(Recording(1, b"0", 0.0, "th", b"/x"), Signature(1, 1, 1), said)
    whole = " ".join(each.text for each in said)
    parts = list(placed(whole))
    if not parts:
        return
    first = data.draw(st.integers(0, len(parts) - 1))
    last = data.draw(st.integers(first, min(len(parts) - 1, first + 8)))
    asked = whole[parts[first].start : parts[last].end]
    for query in (asked, f'"{asked}"', asked.upper()):
        if (
            query is asked
            or query.startswith('"')
            or [each.atom for each in placed(query)] == [each.atom for each in placed(asked)]
        ):
            hits = search.find(query).hits
            assert [hit.job for hit in hits] == [1]
            assert hits[0].passage.excerpt.marks


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            [
                '"',
                "*",
                "NEAR(a b)",
                "-a",
                "AND",
                "OR",
                "NOT",
                "name:",
                "^a",
                "(",
                "{",
                "a + b",
                "'",
                "\0",
                "\ue000",
                "\ud800",
                ";",
                "กา",
            ]
        )
    ).map(" ".join)
)
def test_no_query_is_an_error(one, asked):
    """Nothing of it is syntax."""
    _, search = one
    search.find(asked)
    search.within(1, asked)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["start", "end", "text", "language"]), inner)
    ),
    max_leaves=8,
)
said = st.fixed_dictionaries(
    {"start": values, "end": values, "text": st.text(st.characters(), max_size=9) | values},
    optional={"language": values},
)


@given(st.fixed_dictionaries({"segments": st.lists(said, max_size=2) | values}) | values)
@example({"segments": [{"start": 10**400, "end": 0, "text": "a"}]})
@example({"segments": [{"start": 0, "end": 0, "text": "\ud800", "language": "\ud800"}]})
def test_whatever_stands_in_a_result_can_be_indexed_or_is_no_transcript(one, content):
    """A person may have edited it; lone surrogates and figures without end are what JSON can hold."""
    index, search = one
    path = index.path.with_name("result.json")
    path.write_text(json.dumps(content))
    try:
        signature, segments = read([str(path)], [path.parent])
    except NotATranscript:
        return
    with index.transaction():
        index.put(Recording(1, b"needle", 0.0, "th", b"/x"), signature, segments)
    assert [hit.job for hit in search.find("needle").hits] == [1]

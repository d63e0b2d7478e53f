"""Names of results and filed sources: for any bytes, never too long, never outside, never two files one name."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given, strategies as st

from sttd.config import Paths
from sttd.fs import moves
from sttd.fs.folder import Folder
from sttd.outbox import Places, Plan, names
from sttd.outbox.formats import FORMATS
from sttd.outbox.names import RECORD
from sttd.outbox.place import place
from sttd.outbox.publish import publish
from tests.properties import words

# short ones of few letters, so that they collide; long ones that are cut to the same beginning; and any
alike = st.builds(
    "{}.{}".format, st.sampled_from(["a", "a (2)", "a.en", "\u00e9", "e\u0301", "A"]), st.sampled_from(["mp3", "m4a"])
)
cut_alike = st.builds(
    lambda end, suffix: "ก" * 80 + end + suffix, st.text("กขา", max_size=5), st.sampled_from([".mp3", ""])
)
sources = st.one_of(alike, cut_alike, words.names).filter(lambda name: name not in (".", ".."))
paths = st.lists(words.names | st.sampled_from(["..", ".", ""]), min_size=1, max_size=4).map("/".join)


@given(paths, words.texts, st.integers(1, 10**6))
def test_every_name_fits_its_folder_and_stays_in_it(source, language, number):
    """Any path, any language, any number: at most 255 bytes, no separator, nothing hidden, no way up."""
    folders, name = names.split(source)
    made = [
        *names.results(name, language, FORMATS, number).values(),
        names.numbered(name, number),
        names.fit(name, RECORD),
    ]
    assert len(set(made)) == len(made)
    for each in (*folders, name, *made):
        assert each not in ("", ".", "..")
        assert not each.startswith(".")
        assert "/" not in each
        assert "\0" not in each
    assert all(len(os.fsencode(each)) <= 255 for each in made)


@given(words.names, st.integers(9, 255), st.integers(9, 255))
def test_what_is_cut_keeps_its_beginning_and_its_difference(stem, most, other):
    """A cut name begins as the whole one, and two names that differ behind the cut still differ."""
    cut = names.cut(stem, most)
    assert len(os.fsencode(cut)) <= most
    if len(os.fsencode(stem)) > most:
        assert stem.startswith(cut[:-9])
        assert cut != names.cut(stem + "x", most)
        assert names.cut(stem, other)[-9:] == cut[-9:] or len(os.fsencode(stem)) <= other
    else:
        assert cut == stem


def planned(root: Path, number: int, source: str, language: str, suffixes: list[str]) -> Plan:
    """A job with results in staging, as `stage` leaves them."""
    staging = root / ".sttd-staging" / str(number)
    staging.mkdir(parents=True)
    with Folder.open(staging) as folder:
        hashes = {
            suffix: moves.write_whole(folder, suffix, lambda file, suffix=suffix: print(number, suffix, file=file))
            for suffix in suffixes
        }
    return Plan(
        job=number, name=source, language=language, sha256="", size=0, mtime_ns=0, fate="keep", location=None,
        staging=str(number), number=1, word="", young=False, hashes=hashes,
    )  # fmt: skip


@words.percent(25)
@given(
    st.lists(st.tuples(sources, st.sampled_from(["en", "th"]), st.sets(st.sampled_from(["txt", "srt", "json"]), min_size=1)),
             min_size=2, max_size=5),
    st.lists(sources.filter(lambda name: len(os.fsencode(name)) < 256), max_size=2),
)  # fmt: skip
def test_no_two_jobs_ever_share_a_name_and_a_persons_files_stay(jobs, mine):
    """Results of any sources in one folder, beside files that were there: each is whole, its job's own, and still there."""
    with words.folder() as folder:
        root = Path(folder)
        for name in mine:
            (root / name).write_text("mine")
            for made in names.results(names.split(name)[1], "en", ["txt"], 1).values():
                (root / made).write_text("mine")
        before = {path.name for path in root.iterdir()}
        places = Places(Paths(transcripts=root), marked=False)
        outputs = {
            number: publish(planned(root, number, source, language, sorted(suffixes)), places)
            for number, (source, language, suffixes) in enumerate(jobs)
        }
        for number, (_, _, suffixes) in enumerate(jobs):
            said = sorted(Path(path).read_text() for path in outputs[number])
            assert said == sorted(f"{number} {suffix}\n" for suffix in suffixes)
        made = [path for found in outputs.values() for path in found]
        assert len(set(made)) == len(made)
        assert all((root / name).read_text() == "mine" for name in before)
        assert {path.name for path in root.iterdir() if path.is_file()} == before | {Path(path).name for path in made}


@words.percent(30)
@given(st.lists(sources, min_size=2, max_size=6))
def test_no_source_that_is_filed_away_replaces_another(sources):
    """Files of any names, moved into one archive one after the other: all are there, each with its own bytes."""
    with words.folder() as folder:
        placed = []
        for number, name in enumerate(sources):
            path = Path(folder, "source")
            path.write_text(str(number))
            with Folder.open(folder) as here, here.make("archive") as archive:
                placed.append(archive.path_of(place(here, "source", archive, names.split(name)[1])))
        assert [Path(path).read_text() for path in placed] == [str(number) for number in range(len(sources))]
        assert len(list(Path(folder, "archive").iterdir())) == len(sources)

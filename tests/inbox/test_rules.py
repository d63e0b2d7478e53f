"""Which names are never a job."""

from __future__ import annotations

import os

import pytest

from sttd.config import Watch
from sttd.inbox.rules import Rules, Why

RULES = Rules(Watch().suffixes)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("talk.mp3", None),
        ("TALK.MP3", None),
        ("ประชุม.M4A", None),
        ("two.dots.wav", None),
        ("line\nbreak.wav", None),
        (os.fsdecode(b"caf\xe9.ogg"), None),
        (".talk.mp3", Why.HIDDEN),
        (".syncthing.talk.mp3.tmp", Why.HIDDEN),
        ("talk.mp3.part", Why.UNFINISHED),
        ("talk.PART", Why.UNFINISHED),
        ("talk.mp3.tmp", Why.UNFINISHED),
        ("talk.crdownload", Why.UNFINISHED),
        ("talk.FilePart", Why.UNFINISHED),
        ("~talk.mp3", Why.UNFINISHED),
        ("~syncthing~talk.mp3.tmp", Why.UNFINISHED),
        ("notes.txt", Why.SUFFIX),
        ("mp3", Why.SUFFIX),
        ("part", Why.SUFFIX),
        ("", Why.SUFFIX),
    ],
)
def test_a_name_says_whether_it_is_a_job(name, why):
    assert RULES.file(name) is why


@pytest.mark.parametrize("suffix", ["part", "tmp"])
def test_what_is_unfinished_is_no_job_whatever_the_suffixes_say(suffix):
    assert Rules([suffix]).file(f"a.{suffix}") is Why.UNFINISHED


def test_suffixes_may_be_written_with_a_dot_and_in_any_case():
    assert Rules([".WaV"]).file("a.wav") is None


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("2026/november/talk.mp3", None),
        ("@eaDir/talk.mp3", Why.FOREIGN),
        ("a/@eaDir/b/talk.mp3", Why.FOREIGN),
        (".stfolder/talk.mp3", Why.HIDDEN),
        ("a/.stversions/talk.mp3", Why.HIDDEN),
        ("lost+found/talk.mp3", Why.FOREIGN),
        ("~old/talk.mp3", Why.UNFINISHED),
        ("a.part/talk.mp3", None),  # a folder may be called anything
        ("a/notes.txt", Why.SUFFIX),
    ],
)
def test_everything_below_such_a_folder_is_no_job_either(path, why):
    assert RULES.path(path) is why

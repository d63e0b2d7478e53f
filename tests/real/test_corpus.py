"""The kinds of folders that recordings with texts come in."""

from __future__ import annotations

import json

import pytest

from tests.real.corpus import Clip, NoSpeech, read, some


def test_a_manifest_gives_the_recordings_whose_text_is_known(tmp_path):
    entries = [
        {"file": "a.wav", "group": "one", "language": "en", "text": "yes", "seconds": 1.0},
        {"file": "b.wav", "group": "one", "language": "th", "text": None, "seconds": 1.0},
        {"file": "c.wav", "group": "none", "language": "und", "text": "", "seconds": 1.0},
    ]
    for entry in entries:
        (tmp_path / entry["file"]).touch()
    (tmp_path / "manifest.json").write_text(json.dumps(entries))
    assert [(clip.name, clip.text) for clip in read(tmp_path)] == [("a.wav", "yes"), ("c.wav", "")]


def test_a_librispeech_tree_gives_its_utterances(tmp_path):
    chapter = tmp_path / "test-clean" / "61" / "70968"
    chapter.mkdir(parents=True)
    (chapter / "61-70968.trans.txt").write_text("61-70968-0000 HE BEGAN\n61-70968-0001 GIVE NOT\n")
    (chapter / "61-70968-0000.flac").touch()
    (chapter / "61-70968-0001.flac").touch()
    path, name = chapter / "61-70968-0001.flac", "test-clean/61/70968/61-70968-0001"
    assert read(tmp_path)[1] == Clip(path, name, "test-clean", "en", "GIVE NOT")


def test_a_common_voice_tree_gives_its_test_set(tmp_path):
    (tmp_path / "th" / "clips").mkdir(parents=True)
    (tmp_path / "th" / "clips" / "x.mp3").touch()
    for name, text in {"test.tsv": "สวัสดี", "train.tsv": "ไม่"}.items():
        (tmp_path / "th" / name).write_text(f"client_id\tpath\tsentence\tlocale\n1\tx.mp3\t{text}\tth\n")
    assert read(tmp_path) == [Clip(tmp_path / "th" / "clips" / "x.mp3", "x.mp3", "test-th", "th", "สวัสดี")]


def test_a_folder_without_recordings_and_a_group_that_is_not_there_are_errors(tmp_path):
    with pytest.raises(NoSpeech, match=r"no manifest.json"):
        read(tmp_path)
    (tmp_path / "1.trans.txt").write_text("1-1 YES")
    with pytest.raises(NoSpeech, match=r"1-1\.flac is not there"):
        read(tmp_path)
    with pytest.raises(NoSpeech, match="no group b; there are a"):
        some([Clip(tmp_path, "x", "a", "en", "yes")], ["b"], None, 1)


def test_of_a_large_group_the_same_few_are_drawn_each_time(tmp_path):
    clips = [Clip(tmp_path, str(number), "a", "en", "yes") for number in range(100)]
    few = some(clips, [], 5, seed=1)
    assert len(few) == 5
    assert few == some(clips, [], 5, seed=1) != some(clips, [], 5, seed=2)

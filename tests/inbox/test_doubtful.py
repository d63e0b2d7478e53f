"""Files that have settled and may be reserved names of downloads."""

from __future__ import annotations

import os

import pytest

from sttd.inbox import doubtful
from sttd.inbox.doubtful import Doubtful
from sttd.inbox.rules import Why


def test_a_flood_of_empty_files_has_their_folder_read_once(tmp_path, monkeypatch):
    """Read for each of them, 20,000 held the inbox's thread for minutes. Counted, because no test depends on the clock."""
    files = [f"talk{number:03}.wav" for number in range(300)]
    for name in (
        *files,
        "talk007.Xy12.wav.part",
        "talk008.wav.part",
        "talk0.wav.part",
        "talk009.part",
        "talk010.wav.txt",
    ):
        (tmp_path / name).touch()
    (tmp_path / "talk007.wav.part").mkdir()
    reads = []
    for call in ("listdir", "scandir"):
        read = getattr(os, call)
        monkeypatch.setattr(os, call, lambda path, read=read: (reads.append(path), read(path))[1])
    monkeypatch.setattr(doubtful, "TICK", float("inf"), raising=False)
    asked = Doubtful(str(tmp_path))
    left = {name: why for name in files if (why := asked.why_not(name)) is not None}
    assert left == {"talk007.wav": Why.UNFINISHED, "talk008.wav": Why.UNFINISHED}
    assert len(reads) == 1


def test_a_download_that_came_to_its_end_in_the_tick_in_which_its_folder_was_read_is_whole_later(tmp_path, monkeypatch):
    (tmp_path / "talk.wav").touch()
    part = tmp_path / "talk.wav.part"
    part.touch()
    asked, seen = Doubtful(str(tmp_path)), tmp_path.stat()
    assert asked.why_not("talk.wav") is Why.UNFINISHED
    part.unlink()
    os.utime(tmp_path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    monkeypatch.setattr(doubtful, "TICK", 0.0)
    assert asked.why_not("talk.wav") is None


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("talk.mp3", "talk.mp3.aria2"),
        ("talk.mp3", "talk.mp3.st"),  # axel
        ("talk.mp3", "talk.mp3.lftp-pget-status"),
        ("talk.mp4", "talk.mp4.ytdl"),
        ("talk.fhd-video.mp4", "talk.faudio-eng.m4a.part"),  # yt-dlp, formats of other sites
    ],
)
def test_a_file_with_a_downloaders_notes_beside_it_is_taken_when_they_are_gone(tmp_path, monkeypatch, name, beside):
    monkeypatch.setattr(doubtful, "TICK", 0.0)
    (tmp_path / name).write_bytes(b"half")
    (tmp_path / beside).touch()
    asked = Doubtful(str(tmp_path))
    assert asked.why_not(name) is Why.UNFINISHED
    (tmp_path / beside).unlink()
    assert asked.why_not(name) is None


@pytest.mark.parametrize("beside", ["talk.mp3.crdownload", "talk.mp3.opdownload", "talk.aB1.mp3.part", "talk.mp3.!qB"])
def test_an_empty_file_that_keeps_a_downloads_name_is_no_recording_yet(tmp_path, beside):
    (tmp_path / "talk.mp3").touch()
    (tmp_path / beside).write_bytes(b"half")
    assert Doubtful(str(tmp_path)).why_not("talk.mp3") is Why.UNFINISHED

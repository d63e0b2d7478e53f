"""One walk through real folders."""

from __future__ import annotations

import os
import socket
import tempfile
import tracemalloc
from pathlib import Path

import pytest

from sttd.inbox.rules import Rules, Why
from sttd.inbox.scan import Scan, look
from sttd.job import Identity
from tests.unprivileged import as_nobody

RULES = Rules(["wav", "mp3"])
HOSTILE = [
    b"new\nline.wav", b"\x1b[31m.wav", b"caf\xe9\xff.wav", "ประชุม เช้า.wav".encode(), "👩‍👩‍👧.wav".encode(),
    b"'quote\" $(rm).wav", b"-rf.wav", b"tab\t.wav", b"back\\slash.wav", b"a" * 251 + b".wav", b"%s{}.wav",
]  # fmt: skip


def make(root, rel, content=b"x"):
    path = root / rel
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def walk(root):
    scan = Scan(str(root), RULES)
    return dict(scan), scan


def test_every_regular_file_with_a_suffix_is_found_with_its_size_and_time(tmp_path):
    make(tmp_path, "a.wav", b"12345")
    make(tmp_path, "x/y/b.MP3")
    os.utime(tmp_path / "a.wav", ns=(0, 7))
    files, scan = walk(tmp_path)
    assert files.keys() == {"a.wav", "x/y/b.MP3"}
    assert files["a.wav"] == Identity(5, 7)
    assert files["a.wav"].owner == os.getuid(), "among whom the workers' time is shared"
    assert scan.folders == 3
    assert not scan.errors
    assert not scan.mounts


def test_results_beside_their_recordings_are_neither_jobs_nor_counted(tmp_path):
    for name in ("a.wav", "a.en.srt", "a.en.SRT", "a.nfo"):
        make(tmp_path, name)
    scan = Scan(str(tmp_path), Rules(["wav"], results=["srt", "json"]))
    assert dict(scan).keys() == {"a.wav"}
    assert scan.ignored.counts() == {f"{Why.SUFFIX}: .nfo": 1}


def test_names_are_bytes_and_come_through_unharmed(tmp_path):
    for name in HOSTILE:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    files, _ = walk(tmp_path)
    assert {os.fsencode(rel) for rel in files} == set(HOSTILE)
    assert all(look(str(tmp_path), rel) == identity for rel, identity in files.items())


def test_links_and_special_files_are_counted_and_followed_nowhere(tmp_path):
    outside = make(tmp_path, "outside/secret.wav")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "link.wav").symlink_to(outside)
    (inbox / "dangling.wav").symlink_to("nowhere")
    (inbox / "folder").symlink_to(outside.parent)
    (inbox / "loop").symlink_to(inbox)
    os.mkfifo(inbox / "fifo.wav")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(inbox / "socket.wav"))
        files, scan = walk(inbox)
    assert files == {}
    assert scan.ignored.counts() == {Why.LINK: 2, Why.SPECIAL: 2, f"{Why.SUFFIX}: none": 2}
    for rel in ("link.wav", "fifo.wav", "folder/secret.wav", "loop/link.wav"):
        assert look(str(inbox), rel) is None


def test_what_is_no_job_is_counted_by_reason_but_not_what_is_our_own(tmp_path):
    for rel in (
        "notes.txt",
        "b.wav.part",
        ".hidden.wav",
        "@eaDir/a.wav",
        ".stfolder/b.wav",
        ".sttd.lock",
        ".sttd-1.wav",
    ):
        make(tmp_path, rel)
    files, scan = walk(tmp_path)
    assert files == {}
    assert scan.ignored.counts() == {
        f"{Why.SUFFIX}: .txt": 1,
        Why.UNFINISHED: 1,
        Why.HIDDEN: 2,
        Why.FOREIGN: 1,
    }


def test_an_inbox_that_is_missing_is_an_error_not_an_empty_one(tmp_path):
    files, scan = walk(tmp_path / "none")
    assert files == {}
    assert list(scan.errors) == [""]


def test_a_folder_that_cannot_be_read_is_said_and_the_others_are_read(tmp_path, monkeypatch):
    make(tmp_path, "good/a.wav")
    make(tmp_path, "bad/b.wav")
    real = os.scandir

    def scandir(path):
        if path.endswith("/bad"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    files, scan = walk(tmp_path)
    assert list(files) == ["good/a.wav"]
    assert list(scan.errors) == ["bad"]


def test_a_folder_that_is_removed_during_the_walk_is_no_error(tmp_path):
    make(tmp_path, "a/a.wav")
    make(tmp_path, "b/b.wav")
    scan = Scan(str(tmp_path), RULES)
    files = iter(scan)
    first, _ = next(files)
    other = "b" if first == "a/a.wav" else "a"
    (tmp_path / other / f"{other}.wav").unlink()
    (tmp_path / other).rmdir()
    assert list(files) == []
    assert not scan.errors


def test_a_path_that_is_too_long_for_the_kernel_is_counted_and_stops_nothing(tmp_path):
    make(tmp_path, "a.wav")
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    files, scan = walk(tmp_path)
    assert list(files) == ["a.wav"]
    assert not scan.errors
    assert scan.ignored.counts()[Why.DEEP] == 1


def test_a_file_in_a_folder_without_the_right_to_search_is_unknown_not_absent():
    """Root may search every folder, so that it becomes nobody here."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to other users
        os.chmod(folder, 0o755)
        make(Path(folder), "shut/a.wav")
        (Path(folder) / "shut").chmod(0o444)

        def search() -> None:
            _, scan = walk(folder)
            assert list(scan.errors) == ["shut"]
            with pytest.raises(PermissionError):
                look(folder, "shut/a.wav")

        if os.geteuid() == 0:
            assert as_nobody(search) == (0, "", "")
        else:
            search()


def test_a_walk_holds_few_of_the_names_at_a_time(tmp_path):
    """Memory does not grow with the number of files: 5,000 of them stay under half a megabyte."""
    for number in range(5000):
        (tmp_path / f"{number:04d}{'x' * 200}.wav").touch()
    tracemalloc.start()
    try:
        assert sum(1 for _ in Scan(str(tmp_path), RULES)) == 5000
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()

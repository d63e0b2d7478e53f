"""Files with options, read where anybody may have put anything."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from sttd.inbox.options import File, Gone, Unfit, above
from sttd.own import LOCK

NAME = ".sttd.toml"


@pytest.fixture
def inbox(tmp_path):
    root = tmp_path / "inbox"
    (root / "a" / "b").mkdir(parents=True)
    (root / LOCK).touch()
    return root


def look(inbox: Path, folder: str, most: int = 100) -> tuple[File, ...]:
    try:
        return above(inbox, folder, NAME, most)
    finally:
        assert not [link for link in map(_link, os.listdir("/proc/self/fd")) if link.startswith(str(inbox))], (
            "a handle is left open"
        )


def _link(handle: str) -> str:
    """What a handle of this process is of; "": it is closed again."""
    with contextlib.suppress(FileNotFoundError):
        return os.readlink(f"/proc/self/fd/{handle}")
    return ""


def test_the_files_of_all_folders_above_are_found_the_nearest_one_last(inbox):
    assert look(inbox, "a/b") == ()
    for folder in ("", "a/", "a/b/"):
        (inbox / folder / NAME).write_text(folder)
    (inbox / "other").mkdir()
    (inbox / "other" / NAME).write_text("x")
    assert [(file.path, file.data) for file in look(inbox, "a/b")] == [
        (NAME, b""), ("a/.sttd.toml", b"a/"), ("a/b/.sttd.toml", b"a/b/"),
    ]  # fmt: skip
    assert [file.path for file in look(inbox, "")] == [NAME]


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "folder", "socket", "device"])
def test_what_is_no_regular_file_is_named_and_nothing_is_waited_for(inbox, kind, monkeypatch):
    path = inbox / "a" / NAME
    secret = inbox.parent / "secret"
    secret.write_text("secret")
    match kind:
        case "link" | "dangling":
            path.symlink_to(secret if kind == "link" else "nowhere")
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "socket":
            monkeypatch.chdir(path.parent)  # an address has at most 107 bytes
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(NAME)
        case "device":
            try:
                os.mknod(path, 0o20600, os.makedev(1, 5))
            except PermissionError:
                pytest.skip("a device is made by root alone")
    with pytest.raises(Unfit, match=r"^a/\.sttd\.toml: is (a link|not a regular file)"):
        look(inbox, "a/b")
    assert look(inbox, "") == ()


def test_together_they_have_a_bounded_size(inbox):
    (inbox / NAME).write_bytes(b"x" * 60)
    (inbox / "a" / NAME).write_bytes(b"y" * 40)
    assert len(look(inbox, "a/b")) == 2
    with (inbox / "a" / NAME).open("ab") as file:
        file.truncate(1 << 40)
    with pytest.raises(Unfit, match="too large"):
        look(inbox, "a/b")


def test_a_folder_that_is_gone_or_a_link_gives_nothing(inbox):
    elsewhere = inbox.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / NAME).write_text("secret")
    (inbox / "link").symlink_to(elsewhere)
    (inbox / NAME).write_text("x")
    for folder in ("gone", "link", "link/b", "..", "a/../.."):
        with pytest.raises(Gone):
            look(inbox, folder)


def test_what_is_missing_in_an_inbox_that_is_not_mounted_says_nothing(inbox):
    (inbox / LOCK).unlink()
    with pytest.raises(FileNotFoundError):
        look(inbox, "a")
    (inbox / NAME).write_text("x")
    assert len(look(inbox, "a")) == 1


def test_a_file_that_may_not_be_read_says_whose_it_is(inbox, monkeypatch):
    (inbox / "a" / NAME).write_text("x")
    real = os.open

    def refused(path, flags, *rest, **more):
        if path == NAME:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(Unfit, match=r"^a/\.sttd\.toml: cannot be read: it belongs to"):
        look(inbox, "a")


def test_a_deep_folder_needs_no_more_handles_than_any_other(inbox, monkeypatch):
    deep = "/".join(["d"] * 100)
    (inbox / deep).mkdir(parents=True)
    open_at_once, real = [], os.open

    def counted(*args, **more):
        open_at_once.append(len(os.listdir("/proc/self/fd")))
        return real(*args, **more)

    monkeypatch.setattr(os, "open", counted)
    assert look(inbox, deep) == ()
    assert len(open_at_once) > 100
    assert max(open_at_once) <= min(open_at_once) + 3

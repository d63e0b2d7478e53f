"""Moves in two steps, where a file system knows no rename that replaces nothing: whatever fails, the file is there."""

import contextlib
import errno
import os

import pytest

from sttd.fs import moves
from sttd.fs.folder import Folder


@pytest.mark.parametrize("move", [moves.move_new, moves.copy_new])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EIO])
def test_a_file_is_never_lost_whichever_call_fails(tmp_path, monkeypatch, move, number):
    """Its first name was gone and could not be brought to disk, for want of a right: the second one was removed too."""
    monkeypatch.setattr(moves, "_rename_noreplace", lambda *_: False)
    calls: list[int] = []

    def failing(real):
        def call(*args, **more):
            calls.append(1)
            if len(calls) == step:
                raise OSError(number, os.strerror(number))
            return real(*args, **more)

        return call

    for step in range(1, 100):
        source, target = tmp_path / f"from {step}", tmp_path / f"to {step}"
        source.mkdir()
        target.mkdir()
        (source / "a").write_text("a recording")
        calls.clear()
        with Folder.open(source) as old, Folder.open(target) as new, monkeypatch.context() as patch:
            for name in ("link", "unlink", "fsync", "rename"):
                patch.setattr(os, name, failing(getattr(os, name)))
            with contextlib.suppress(OSError):
                move(old, "a", new, "b")
        assert [path for path in (source / "a", target / "b") if path.exists()], step
        if len(calls) < step:
            return

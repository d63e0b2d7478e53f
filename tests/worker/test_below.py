"""A folder of the inbox that was swapped for a link leads no reader to somebody else's recording of the same size and time."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import pytest

from sttd.daemon import readable
from sttd.fs.folder import folder_on_the_way, open_regular_below
from sttd.part import Cause, Failed, ModelSpec, Options, PartSpec
from sttd.pool.blocks import answer, ends_of
from sttd.pool.wire import Ask, Block, NoBlock
from sttd.worker import LoadedModel, load, run_part
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.errors import PartFailed
from tests import speech
from tests.memory import tmp_path

__all__ = ["tmp_path"]


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load(ModelSpec("demo"), lambda *_: None)


@pytest.fixture
def part(tmp_path: Path) -> PartSpec:
    """A recording in a folder of an inbox to which a link of the administrator leads."""
    (tmp_path / "disk" / "theirs").mkdir(parents=True)
    (tmp_path / "inbox").symlink_to("disk")
    speech.encode(tmp_path / "disk" / "theirs" / "talk.flac", speech.sample("english"))
    path = tmp_path / "inbox" / "theirs" / "talk.flac"
    seen = path.stat()
    options = Options(temperatures=(0.0,), beam_size=1)
    below = str(tmp_path / "inbox")
    return PartSpec("1.0", 1, str(path), seen.st_size, seen.st_mtime_ns, ModelSpec("demo"), options, below=below)


def swap(part: PartSpec) -> None:
    theirs = Path(part.source).parent
    theirs.rename(theirs.parent.parent / "archive")
    theirs.symlink_to("../archive")
    assert Path(part.source).stat().st_mtime_ns == part.mtime_ns, "the path leads to the same bytes"


def opened(part: PartSpec) -> None:
    SourceFile(part.source, part.size, part.mtime_ns, below=part.below).close()


def test_a_worker_reads_a_recording_below_its_inbox_and_none_behind_a_link(part, model):
    assert not isinstance(list(run_part(part, model))[-1], Failed)
    swap(part)
    failed = list(run_part(part, model))[-1]
    assert isinstance(failed, Failed)
    assert failed.cause is Cause.GONE, "the inbox makes sure whether it is"


def test_the_last_name_is_no_link_either(part):
    source = Path(part.source)
    opened(part)
    source.rename(source.with_name("other.flac"))
    source.symlink_to("other.flac")
    with pytest.raises(PartFailed, match="there is a symbolic link now") as caught:
        opened(part)
    assert caught.value.cause is Cause.GONE


def test_a_worker_elsewhere_gets_no_byte_from_behind_a_link(part):
    asked = Ask("1.0", 1, 0, 100)
    assert isinstance(answer(asked, part), Block)
    assert ends_of(part.source, part.size, part.below)
    swap(part)
    refused = answer(asked, part)
    assert isinstance(refused, NoBlock)
    assert refused.cause is Cause.GONE
    with pytest.raises(FileNotFoundError):
        ends_of(part.source, part.size, part.below)
    assert isinstance(answer(asked, dataclasses.replace(part, below="")), Block), (
        "of a folder of our own the path counts"
    )


def test_a_look_whether_a_file_can_be_read_ends_at_a_link(part, monkeypatch):
    def fails(*_):
        raise OSError(errno.EIO, "the disk")

    monkeypatch.setattr(os, "pread", fails)
    with pytest.raises(OSError, match="the disk"):
        readable._look(part.source, part.below, 0)
    swap(part)
    assert readable._look(part.source, part.below, 0) is None, "gone: its attempt finds that out"


@pytest.mark.parametrize(
    "name", ["talk.flac", "theirs/../theirs/talk.flac", "theirs/nowhere/talk.flac", "../disk/theirs/talk.flac"]
)
def test_a_path_that_leads_nowhere_or_out_of_its_folder_is_none(part, name):
    with pytest.raises(FileNotFoundError):
        os.close(open_regular_below(f"{part.below}/{name}", part.below))


def test_a_path_elsewhere_is_not_on_the_way(part):
    with pytest.raises(FileNotFoundError, match="leads out"):
        open_regular_below(part.source, f"{part.below}/theirs/deeper")


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_folder_on_the_way_is_the_one_of_the_file(part, slash):
    with folder_on_the_way(part.source, part.below + slash) as folder:
        assert folder.names() == ["talk.flac"]
    with folder_on_the_way(f"{part.below}/a.flac", part.below + slash) as folder:
        assert folder.names() == ["theirs"]

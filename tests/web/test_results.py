"""A job's results, by the page and by tickets: the same files, found and made in one way."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

from sttd import configfile
from sttd.job import FolderOptions
from sttd.outbox.formats import record
from tests.swaps import SWAPS, fifo, link
from tests.web import NO_WEB
from tests.web.served import Served
from tests.web.shelf import Shelf, segment

pytest.importorskip("starlette", reason=NO_WEB)

from sttd.web import results
from sttd.web.api.ticket import Ticket

SAID = [segment(0, 2, "hello world this"), segment(2, 3.9, "is a longer line that has to be broken")]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    made = Shelf(tmp_path_factory.mktemp("root"))
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def served(shelf):
    made = Served(shelf.root)
    yield made
    made.close()


def is_below(handle, folder):
    with contextlib.suppress(FileNotFoundError):  # another thread has closed it
        return str(handle.readlink()).startswith(str(folder))
    return False


def addresses(job, suffix):
    """On the page, and for programs."""
    return f"/jobs/{job.id}/result.{suffix}", f"/api/v1/jobs/{Ticket.of(job)}/result.{suffix}"


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("suffix", ["srt", "json", "md"])
def test_nothing_is_served_that_was_put_in_place_of_a_result(served, shelf, tmp_path_factory, suffix, swap):
    """Members of the group may do that beside their films; the web's user may read what they may not. Nobody waits at a FIFO."""
    folder = f"{swap.__name__} {suffix}"
    job = shelf.finish(f"{folder}/b.flac", SAID, formats=("srt", "json"))
    assert [served.get(each).status for each in addresses(job, suffix)] == [200, 200]
    written = "json" if suffix == "md" else suffix
    swap(shelf.root / "transcripts" / folder / f"b.en.{written}", tmp_path_factory.mktemp("elsewhere") / "it")
    made = suffix == "srt" and swap in (link, fifo)  # of the JSON, which is still there
    for each in addresses(job, suffix):
        answer = served.get(each)
        assert (answer.status, "hello" in answer.text) == ((200, True) if made else (404, False)), each


@pytest.mark.parametrize("swap", SWAPS)
def test_nothing_is_played_that_was_put_in_place_of_a_recording(served, shelf, tmp_path_factory, swap):
    job = shelf.finish(f"{swap.__name__}/c.flac", SAID)
    address = f"/jobs/{job.id}/recording"
    assert served.get(address).status == 200
    swap(shelf.root / "archive" / swap.__name__ / "c.flac", tmp_path_factory.mktemp("elsewhere") / "it")
    assert served.get(address).status == 404
    assert served.get(f"/jobs/{job.id}").status == 200  # and its page says why there is no player


def test_a_name_in_any_script_is_kept(served, shelf):
    job = shelf.finish('ประชุม "1".flac', SAID)
    name = quote('ประชุม "1".en.')
    for suffix in ("srt", "md"):
        for each in addresses(job, suffix):
            found = served.get(each).headers["content-disposition"]
            assert f'filename="______ _1_.en.{suffix}"' in found
            assert f"filename*=UTF-8''{name}{suffix}" in found


def test_a_format_that_is_made_has_the_subtitles_limits_of_its_folder(served, shelf):
    """As the daemon would have written it there, by both addresses alike."""
    chosen = FolderOptions(values={"subtitles.line_length": 20})
    limited, common = (
        shelf.finish(f"{name}.flac", SAID, formats=("json",), **fields)
        for name, fields in (("limited", {"folder_options": chosen}), ("common", {}))
    )
    for job, fits in ((limited, True), (common, False)):
        found = [served.get(each).text for each in addresses(job, "srt")]
        assert found[0] == found[1]
        assert (max(map(len, found[0].replace(" --> ", "\n").splitlines())) <= 20) is fits


def test_a_format_is_made_once_until_its_transcript_changes(served, shelf):
    """Layout takes seconds for a long recording. A download that broke off goes on where it was, with If-Range."""
    job = shelf.finish("once.flac", SAID, formats=("json",))
    path = addresses(job, "srt")[0]
    whole, again = served.get(path), served.get(path)
    assert again.headers["etag"] == whole.headers["etag"]
    rest = served.get(path, {"Range": "bytes=30-", "If-Range": whole.headers["etag"]})
    assert (rest.status, rest.body) == (206, whole.body[30:])
    written = shelf.root / "transcripts" / "once.en.json"
    written.write_text(written.read_text("utf-8").replace("hello", "goodbye"), "utf-8")
    assert "goodbye world" in served.get(path).text
    assert served.get(addresses(job, "srt")[1]).status == 409  # a program gets nothing that a person has changed


def test_files_that_were_made_are_not_kept_for_ever(monkeypatch, shelf, tmp_path):
    """The latest few; the others are closed as soon as nobody sends them any more."""
    job = shelf.finish("kept.flac", SAID, formats=("json",))
    config = configfile.load(root=shelf.root)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(results, "_KEPT", 2)
    for wanted in ("srt", "vtt", "lrc", "md", "tsv"):
        handle, name = results._made(job, wanted, config, record.read)
        assert name == f"kept.en.{wanted}"
        assert os.pread(handle, 10_000, 0)
        os.close(handle)
    assert sum(is_below(each, tmp_path) for each in Path("/proc/self/fd").iterdir()) == 2


def test_a_result_that_cannot_be_read_now_is_asked_for_again(served, shelf):
    """A program tries again, where a share is away or rights are put right."""
    job = shelf.finish("closed.flac", SAID, formats=("srt", "json"))
    path = f"{shelf.root}/transcripts/{'x' * 300}.srt"  # no file system opens it, also for root
    job = shelf.ledger.update(job, outputs=(path, *job.outputs))
    for each in addresses(job, "srt"):
        answer = served.get(each)
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")

"""The JSON results that a page shows, as a person or another program may have left them."""

from __future__ import annotations

import json
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from sttd.outbox.meta import Meta
from tests.harness import PATIENCE
from tests.web import NO_WEB

pytest.importorskip("starlette", reason=NO_WEB)

from sttd.web import results, transcript


def test_a_file_that_is_asked_for_by_several_at_once_is_looked_through_once(tmp_path):
    """One of 50 MiB that an editor has laid out anew takes 300 MiB meanwhile: six at once were over the unit's limit."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"segments": [{"start": n, "end": n + 1, "text": "word"} for n in range(20_000)]}))
    together = threading.Barrier(4)

    def read(_number: int) -> transcript.Transcript:
        with path.open("rb") as file:
            together.wait(PATIENCE)
            return transcript.LATEST.read(file)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, range(4)))
    assert len({id(each) for each in found}) == 1
    assert len(found[0]) == 20_000


def test_a_download_that_is_made_of_a_transcript_does_not_look_through_it_again(tmp_path, monkeypatch):
    """The page has just shown it."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"segments": [{"start": 0, "end": 1, "text": "word"}]}))
    with path.open("rb") as file:
        shown = transcript.LATEST.read(file)
    monkeypatch.setattr(transcript, "read", lambda _file: pytest.fail("it was looked through again"))
    monkeypatch.setattr(Meta, "from_head", lambda head: head)
    with path.open("rb") as file:
        meta, segments = results.corrected(file)
        assert meta is shown.head
        assert [each.text for each in segments] == ["word"]


def test_transcripts_that_are_in_memory_as_a_whole_are_not_kept_together(tmp_path, monkeypatch):
    monkeypatch.setattr(transcript, "LARGEST", 3000)
    known = transcript.Known()
    for number in range(4):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps({"segments": [{"start": 0, "end": 1, "text": "x" * 1000}] * 2}))
        with path.open("rb") as file:
            known.read(file)
    assert sum(each.size for each in known._latest._found.values()) <= transcript.LARGEST


def test_a_large_file_without_lines_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(8 * transcript.LARGEST)
    tracemalloc.start()
    with path.open("rb") as file, pytest.raises(transcript.NotATranscript):
        transcript.read(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * transcript.LARGEST

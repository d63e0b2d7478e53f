"""What several recordings say while it is heard: each text in its turn, whole, and once."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
import threading
from threading import Event

from hypothesis import given, strategies as st

from sttd import outbox
from sttd.cli.progress import At, Pace, Paces, Picture
from sttd.cli.screen import Plain, write
from sttd.cli.teller import Teller
from sttd.cli.texts import Texts
from sttd.config import Config
from sttd.job import Job
from sttd.outbox.formats import FORMATS
from sttd.part import Chunk, Segment
from tests.harness import wait_for
from tests.outbox.test_subtitles import transcripts


def chunk(index: int, *texts: str, at: float = 0.0, channel: int = 0) -> Chunk:
    segments = [Segment(at, at + 1.0, text, -0.2, 1.1, 0.01, 0.0, "en", channel=channel) for text in texts]
    return of(index, segments, at, channel)


def of(index: int, segments: list[Segment], at: float = 0.0, channel: int = 0) -> Chunk:
    return Chunk(index, 0, round((at + 1.0) * 16_000), tuple(segments), "en", 1.0, "demo", channel=channel)


class Told(Texts):
    """What is told: texts, and in brackets the job that is over."""

    def __init__(self, *, screen: bool = False) -> None:
        self.all: list[str] = []
        heading = (lambda number: f"# {number}\n") if screen else None
        super().__init__(
            lambda segment, _: segment, self.all.append, lambda job: self.all.append(f"[{job.id}]"), heading
        )

    def chunk(self, number: int, chunk: Chunk) -> None:
        """One that is all that is known."""
        self.heard(number, [chunk], chunk.end)

    def end(self, number: int) -> None:
        self.ended(Job(number, f"{number}.mp3", 1, 2))

    @property
    def text(self) -> str:
        return "".join(self.all)


def test_a_text_goes_out_as_it_is_heard():
    told = Told()
    told.chunk(1, chunk(0, "one"))
    assert told.text == "one"
    told.chunk(1, chunk(1, "two", at=1.0))
    assert told.text == "one two"


def test_what_is_heard_of_a_later_recording_waits_for_its_turn():
    told = Told()
    told.chunk(2, chunk(0, "second"))
    told.chunk(1, chunk(0, "first"))
    told.end(2)
    assert told.text == "first"
    told.end(1)
    assert told.text == "first\n[1]\nsecond\n[2]"


def test_what_is_said_in_several_channels_goes_out_by_time():
    """As far as nothing is missing in any of them."""
    told = Told()
    told.heard(1, [chunk(0, "one", at=0.0, channel=1), chunk(1, "three", at=2.0, channel=1)], 0)
    assert told.text == ""
    told.heard(1, [chunk(2, "two", at=1.0, channel=2)], 32_000)
    assert told.text == "one two"
    told.end(1)
    assert told.text == "one two three\n[1]"


def test_channels_have_their_names_while_they_are_heard():
    """Before anything goes out all of them have a chunk, so that it is known how many there are."""
    said: list[str] = []
    texts = Texts(outbox.writer(Config()), said.append, lambda job: None)
    texts.heard(1, [chunk(0, "one", at=1.0, channel=1)], 0)
    texts.heard(1, [chunk(1, at=9.0), chunk(2, "two", "three", at=2.0, channel=2)], 32_000)
    texts.heard(1, [chunk(3, "four", at=3.0, channel=1)], 48_000)
    texts.ended(Job(1, "call.wav", 1, 2))
    assert "".join(said) == "Left: one\n\nRight: two three\n\nLeft: four\n"


def test_a_recording_without_a_text_leaves_no_line():
    told = Told()
    told.end(1)
    told.chunk(2, chunk(0, "second"))
    told.end(2)
    assert told.text == "[1]second\n[2]"


def test_what_ends_in_no_way_is_told_at_the_end():
    """Its machine was at fault, say. The order stays."""
    told = Told()
    told.chunk(3, chunk(0, "third"))
    told.chunk(1, chunk(0, "first"))
    told.end(3)
    told.finish()
    assert told.text == "first\n\nthird\n[3]"


def test_a_chunk_that_comes_again_is_not_told_again():
    """Its checkpoint was damaged. A file that has changed is another text."""
    told = Told()
    told.chunk(1, chunk(0, "one"))
    told.chunk(1, chunk(0, "one"))
    assert told.text == "one"
    told.anew(1)
    told.chunk(1, chunk(0, "other"))
    assert told.text == "one\n\nother"


def test_of_several_channels_a_chunk_that_comes_again_may_have_another_number():
    """A channel that had to wait for its language need not any more, so that its windows are decoded before those of others."""
    told = Told()
    told.heard(1, [chunk(0, "one", channel=1), chunk(1, "two", at=1.0, channel=1)], 0)
    told.heard(1, [chunk(1, "three", at=2.0, channel=2), chunk(2, "two", at=1.0, channel=1)], 32_000)
    told.end(1)
    assert told.text == "one two three\n[1]"


def test_on_a_screen_each_segment_has_a_line_and_a_name_can_drive_nothing():
    told = Told(screen=True)
    told.chunk(1, chunk(0, "one", "two\x1b[31m"))
    told.chunk(1, chunk(1, "long after.", at=60.0))
    told.end(1)
    assert told.text == "# 1\none\ntwo[31m\n\nlong after.\n[1]"


@given(transcripts(), st.integers(1, 3))
def test_in_a_pipe_the_text_is_what_a_txt_result_says(segments, size):
    told, file = Told(), io.StringIO()
    for index, first in enumerate(range(0, len(segments), size)):
        told.chunk(1, of(index, segments[first : first + size], at=float(index)))
    told.finish()
    FORMATS["txt"].write(file, outbox.Meta.of(Job(1, "a.mp3", 1, 2), finished_at=0.0), iter(segments))
    assert told.text == file.getvalue()


def test_where_no_text_can_be_written_the_rest_is_not_transcribed(monkeypatch):
    """A full disk behind standard output. What is also wanted in files is transcribed all the same."""
    for paths in (False, True):
        with open("/dev/full", "w", encoding="utf-8") as full:
            monkeypatch.setattr(sys, "stdout", full)
            teller, stopped = Teller(Config(), Plain(), paths=paths, heading=None), Event()
            teller.begin(stopped.set)
            teller.heard(Job(1, "a.mp3", 1, 2), [chunk(0, "one")], 16_000)
            teller.close(drop=False)
            monkeypatch.undo()
        assert teller.failure.errno == errno.ENOSPC
        assert stopped.is_set() is not paths


def test_remarks_that_nobody_reads_leave_the_text_alone(monkeypatch, tmp_path):
    """Standard error may be closed, or full: the log stops nothing either."""
    with open("/dev/full", "w", encoding="utf-8") as full, open(tmp_path / "text", "w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", full)
        teller = Teller(Config(), Plain(), paths=True, heading=None)
        teller.begin(lambda: None)
        for number in (1, 2):
            teller.heard(Job(number, "a.mp3", 1, 2), [chunk(0, "one")], 16_000)
            teller.ended(Job(number, "a.mp3", 1, 2, outputs=("/out/a.txt",)))
        teller.close(drop=False)
        monkeypatch.undo()
    assert teller.failure is None
    assert (tmp_path / "text").read_text(encoding="utf-8") == "one\n\none\n"


def test_a_text_that_a_fault_has_ended_is_not_whole(monkeypatch):
    class Faulty(Plain):
        def write(self, text: str) -> None:
            raise ValueError(text)

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    teller = Teller(Config(), Faulty(), paths=True, heading=None)
    teller.begin(lambda: None)
    teller.heard(Job(1, "a.mp3", 1, 2), [chunk(0, "one")], 16_000)
    teller.close(drop=False)
    assert not teller.is_whole


def test_a_reader_that_is_slow_gets_all_though_the_pipe_does_not_wait():
    """O_NONBLOCK is shared by all that have a terminal open: one program may have set it for the others."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    text = "word " * 100_000

    def work() -> None:
        with os.fdopen(os.dup(writing), "w", encoding="utf-8") as stream, contextlib.suppress(OSError):
            write(stream, text)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: not select.select([], [writing], [], 0)[1], "the pipe is full")
    os.close(writing)
    with os.fdopen(reading, "rb") as reader:
        assert reader.read().decode() == text
    thread.join()


# how fast it goes


def test_a_pace_is_what_was_done_since_it_was_first_seen():
    """A batch is done at a time: between two of them the time that is left goes down all the same."""
    pace = Pace(first=100.0, begun=60.0, last=100.0, done=60.0)
    assert (pace.speed(), pace.left(360.0, 104.0)) == (None, None)
    pace.note(180.0, 110.0)
    assert pace.speed() == 12.0
    assert pace.left(360.0, 110.0) == 15.0
    pace.note(180.0, 114.0)
    assert pace.speed() == 12.0
    assert pace.left(360.0, 114.0) == 11.0
    assert pace.left(360.0, 999.0) == 0.0


def test_the_clock_of_an_attempt_begins_when_its_model_is_ready():
    paces, at = Paces(), At(0.0, 60.0, attempt=1, begun=0.0)
    loads, hears = Job(1, "a.mp3", 1, 2), Job(1, "a.mp3", 1, 2, model="demo")
    paces.note(Picture((loads,), {1: at}), 10.0)
    assert paces.of(loads, at) is None
    paces.note(Picture((hears,), {1: at}), 20.0)
    at = At(30.0, 60.0, attempt=1, begun=0.0)
    paces.note(Picture((hears,), {1: at}), 22.0)
    assert paces.of(hears, at).speed() == 15.0

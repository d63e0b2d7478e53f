"""A worker that is broken, or was taken over by a recording, says what no sound one does: it ends alone, and nothing of that is kept."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import struct
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from sttd.config import Config, Remote
from sttd.part import (
    ENDS,
    Cause,
    Chunk,
    Chunks,
    Done,
    Event,
    Failed,
    Lost,
    ModelSpec,
    Notice,
    Options,
    PartSpec,
    Place,
    Progress,
    Segment,
    Started,
    Word,
)
from sttd.pool.command.greeting import Messages
from sttd.pool.command.source import CommandSource
from sttd.pool.death import Death
from sttd.pool.local.source import LocalSource
from sttd.pool.seat import Seat
from sttd.pool.sense import LONGEST
from sttd.pool.sequence import OutOfOrder, Sequence
from sttd.pool.wire import MARK, MOST_SAID, Ask, Beat, Decoder, Do, Exit, Gone, Hello, Ready, Took, WireError, encode
from sttd.pool.worker import Ears
from sttd.sharing import Share
from tests.harness import PATIENCE
from tests.pool.conftest import Rig
from tests.pool.contract.kinds import Kind
from tests.pool.liar import HELLO, LiarSource, begun

SR = 16_000
CARRIED: dict[str, Any] = {"part_id": "1.0", "attempt": 1}
PART = PartSpec("1.0", 1, "a", 1, 1, ModelSpec("demo"), Options(), parts=1, budget=0.0)
SEGMENT = Segment(0.0, 1.0, "hello", -0.1, 1.0, 0.0, 0.0, "en", (Word(0.0, 1.0, "hello", 0.9),))
FAR, LOCAL = CommandSource(Config(remotes=(Remote("far", ("x",)),)), "far"), LocalSource(Config(), worker="none")


def chunk(index: int = 0, start: int = 0, end: int | None = None, **changes: Any) -> Chunk:
    made = Chunk(index, start, start + SR if end is None else end, (SEGMENT,), "en", 0.9, "demo")
    return dataclasses.replace(made, **changes)


def chunks(*made: Chunk, done: int | None = None) -> Chunks:
    return Chunks(chunks=made, done=made[-1].end if done is None else done, **CARRIED)


def seated(part: PartSpec = PART, source: Any = FAR, *, is_begun: bool = True) -> Seat:
    seat = Seat(0, source, ready=True)
    seat.take(part, 0)
    for message in begun(part.part_id, part.attempt) if is_begun else ():
        seat.hear(message, 0.0)
    return seat


def sent(message: object) -> Any:
    """As the daemon's side reads it."""
    (read,) = Decoder().feed(encode(message))
    return read


# -- one after the other ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "said", "words"),
    [
        ({}, [chunk(1)], "chunk 1 from 0 does not follow 0 at 0"),
        ({}, [chunk(0, 5)], "chunk 0 from 5 does not follow 0 at 0"),
        ({}, [chunk(), chunk(1, SR + 1)], "chunk 1 from 16001 does not follow 1 at 16000"),
        ({}, [chunk(), chunk(1, SR - 1)], "chunk 1 from 15999 does not follow 1 at 16000"),
        ({}, [chunk(), chunk(0, SR)], "chunk 0 from 16000 does not follow 1 at 16000"),
        ({}, [chunk(), chunk(2, SR)], "chunk 2 from 16000 does not follow 1 at 16000"),
        ({}, [chunk(end=0)], "chunk 0 goes from 0 to 0"),
        ({}, [chunk(end=-1)], "chunk 0 goes from 0 to -1"),
        ({}, [chunk(end=2**62)], "chunk 0 goes from 0 to"),
        ({"end": SR - 1}, [chunk()], "chunk 0 goes from 0 to 16000"),
        ({}, [chunk(channel=-1)], "chunk 0 is of channel -1"),
        ({}, [chunk(channel=9)], "chunk 0 is of channel 9"),
        ({"places": {0: Place(SR)}, "next_index": 1}, [chunk()], "chunk 0 from 0 does not follow 1 at 16000"),
        ({"number": 1, "share": Share(60.0, 60.0)}, [chunk()], "chunk 0 from 0 does not follow 0 at 960000"),
    ],
)  # fmt: skip
def test_chunks_that_do_not_follow_each_other_are_not_told(part, said, words):
    """They had reached the checkpoint: a transcript with a gap, or a part that began anew at each resume."""
    seat = seated(dataclasses.replace(PART, **part))
    with pytest.raises(WireError, match=f"what does not fit: {words}"):
        seat.hear(sent(chunks(*said, done=0)), 0.0)


def test_chunks_that_follow_are_told_also_of_several_channels_and_of_what_goes_on():
    seat = seated(dataclasses.replace(PART, places={1: Place(2 * SR), 2: Place(SR)}, next_index=3))
    said = [chunk(3, SR, channel=2), chunk(4, 2 * SR, channel=1), chunk(5, 0, channel=3)]
    assert isinstance(seat.hear(sent(chunks(*said, done=SR)), 0.0), Chunks)
    assert isinstance(seat.hear(sent(chunks(chunk(6, SR, channel=3), done=2 * SR)), 0.0), Chunks)


@pytest.mark.parametrize("done", [-1, SR + 1, 2**62])
def test_what_is_done_is_no_more_than_there_are_chunks_for(done):
    with pytest.raises(WireError, match="chunks up to 16000 say that all is done up to"):
        seated().hear(sent(chunks(chunk(), done=done)), 0.0)


def test_what_is_behind_the_longest_recording_is_none_though_it_follows():
    """Else chunks came until the disk is full: each of them is progress, so that no attempt was spent."""
    part = dataclasses.replace(PART, options=Options(max_audio=10.0))
    last = (10 + 3600) * SR
    Sequence(part).check(chunks(chunk(end=last)))
    with pytest.raises(OutOfOrder):
        Sequence(part).check(chunks(chunk(end=last + 1)))


# -- out of turn ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (chunks(chunk()), "a Chunks of a part that it had not started"),
        (Done(audio_seconds=1.0, **CARRIED), "a Done of a part that it had not started"),
        (Done(resume_at=0, cause=Cause.SLICE, **CARRIED), "that it stops"),
    ],
)
def test_what_comes_before_its_time_is_not_told(message, words):
    with pytest.raises(WireError, match=words):
        seated(is_begun=False).hear(sent(message), 0.0)


@pytest.mark.parametrize("cause", [Cause.SLICE, Cause.ASKED, Cause.MEMORY])
def test_one_that_stops_though_nobody_asked_for_that_and_nothing_is_done_is_broken(cause):
    """It costs no attempt and has no wait: the same part would be given out without end, hundreds of times a second."""
    stop = Done(resume_at=0, cause=cause, **CARRIED)
    with pytest.raises(WireError, match="which nobody had asked for"):
        seated().hear(sent(stop), 0.0)
    asked = seated()
    asked.asked.add(cause)
    assert asked.hear(sent(stop), 0.0) == stop
    worked = seated()
    worked.hear(sent(chunks(chunk())), 0.0)
    if cause is Cause.SLICE:
        assert worked.hear(sent(stop), 0.0) == stop
    else:
        with pytest.raises(WireError):
            worked.hear(sent(stop), 0.0)


@pytest.mark.parametrize(
    ("budget", "after", "is_told"), [(1800.0, 5.0, False), (1800.0, 1000.0, True), (30.0, 1.0, True)]
)
def test_a_slice_is_not_over_long_before_its_time(budget, after, is_told):
    """A chunk of one sample was enough for another turn: each costs nothing, and there were hundreds of them a second, for ever."""
    seat = seated(dataclasses.replace(PART, budget=budget))
    seat.hear(sent(chunks(chunk())), 0.0)
    stop = Done(resume_at=0, cause=Cause.SLICE, **CARRIED)
    if is_told:
        assert seat.hear(sent(stop), after) == stop
    else:
        with pytest.raises(WireError, match="which nobody had asked for"):
            seat.hear(sent(stop), after)


def test_what_was_asked_of_one_attempt_is_not_asked_of_the_next():
    seat = seated()
    seat.asked.add(Cause.ASKED)
    seat.take(dataclasses.replace(PART, attempt=2), 0)
    with pytest.raises(WireError, match="nobody had asked"):
        seat.hear(Done(part_id="1.0", attempt=2, resume_at=0, cause=Cause.ASKED), 0.0)


def test_of_a_machine_at_fault_it_is_told_whether_a_worker_says_so_or_none_had_begun():
    """That there is no room for the recording over there costs it nothing, however often; a worker that says so may lie."""
    fault = failed(cause=Cause.MACHINE)
    seat = seated(is_begun=False)
    assert not seat.hear(sent(dataclasses.replace(fault, spoilt=True)), 0.0).spoilt
    seat.take(PART, 0)
    seat.hear(sent(Took("1.0", 1)), 0.0)
    assert seat.hear(sent(fault), 0.0).spoilt


def test_subtitles_are_found_only_where_they_are_looked_for():
    with pytest.raises(WireError, match="subtitles already"):
        seated().hear(sent(Failed(cause=Cause.EXISTING, error="", retriable=False, **CARRIED)), 0.0)


@pytest.mark.parametrize(
    "message",
    [Gone("1.0", 1, 0, "", oom=True), Ask("1.0", 1, 0, 5), Beat(), Ready(), Hello({}), Do(PART), Exit()],
    ids=lambda each: type(each).__name__,
)
def test_a_worker_of_this_machine_says_no_word_of_a_line(message):
    """`Gone` had ended its part, and the process took the next one."""
    with pytest.raises(WireError, match="which no worker says"):
        seated(source=LOCAL).hear(message, 0.0)


def test_a_worker_cannot_take_back_that_it_has_begun():
    """Its death was the machine's fault then, which costs the recording no attempt and held the whole queue up, again and again."""
    seat = seated()
    seat.hear(sent(Took("2.0", 1)), 0.0)
    assert seat.lose(Death(-9), 0).cause is Cause.CRASH


def test_a_worker_that_has_a_model_cannot_say_that_it_has_none():
    """That holds the whole queue up, costs no attempt, and the recording could make it say so in each of its turns."""
    none = Failed(cause=Cause.NO_MODEL, error="", retriable=True, **CARRIED)
    warm = seated()
    assert isinstance(warm.hear(sent(failed()), 0.0), Failed)
    warm.take(PART, 0)
    for seat in (seated(), warm):
        with pytest.raises(WireError, match="no model, though it had one"):
            seat.hear(sent(none), 0.0)
    for seat in (seated(is_begun=False), seated()):
        seat.take(dataclasses.replace(PART, model=ModelSpec("small")), 0)
        assert seat.hear(sent(none), 0.0) == none
    replaced = seated()
    replaced.take(PART, 0)
    replaced.hear(sent(Gone("", 0, 0, "", oom=False)), 0.0)
    assert replaced.hear(sent(none), 0.0) == none, "another process, whose end had crossed the part on its line"


# -- nonsense ---------------------------------------------------------------------------------------------------------


def started(**changes: Any) -> Started:
    return dataclasses.replace(begun()[2], **changes)


def failed(**changes: Any) -> Failed:
    return dataclasses.replace(Failed(cause=Cause.ERROR, error="", retriable=True, **CARRIED), **changes)


def said(**changes: Any) -> Chunks:
    return chunks(chunk(segments=(dataclasses.replace(SEGMENT, **changes),)))


@pytest.mark.parametrize(
    "message",
    [
        *(Progress(done=value, total=None, **CARRIED) for value in (-1.0, 1e9, math.inf)),
        Progress(done=0.0, total=-1.0, **CARRIED), Progress(done=0.0, total=1e300, **CARRIED),
        *(started(**{name: value}) for name in ("audio_seconds", "load_seconds") for value in (-1.0, 1e9, math.inf)),
        started(parts=0), started(parts=17), started(model="m" * 4097), started(fallback_reason="x" * (LONGEST + 1)),
        Done(audio_seconds=-1.0, **CARRIED), Done(audio_seconds=1e9, **CARRIED), Done(resume_at=-1, cause=Cause.SLICE, **CARRIED),
        Done(resume_at=0, **CARRIED), Done(cause=Cause.SLICE, **CARRIED), Done(resume_at=0, cause=Cause.CANCELLED, **CARRIED),
        Done(warnings=("x" * 1000,) * 70, **CARRIED), Done(warnings=("",) * 70_000, **CARRIED),
        *(failed(cause=cause) for cause in Cause if cause not in (
            Cause.OOM, Cause.NO_MODEL, Cause.CONFIGURATION, Cause.MACHINE, Cause.GPU_MEMORY, Cause.BAD_FILE, Cause.UNREADABLE,
            Cause.CHANGED, Cause.GONE, Cause.EXISTING, Cause.ERROR)),
        failed(unread=-1), failed(error="x" * (LONGEST + 1)), Notice(level="PANIC", text="", event="", **CARRIED),
        Gone("1.0", 1, 1, "x" * (LONGEST + 1), oom=False), dataclasses.replace(begun()[1], model="m" * 4097),
        chunks(chunk(language="../../etc/passwd")), chunks(chunk(language="")), chunks(chunk(spoken="\ud800\ud800")),
        chunks(chunk(language="e" * 300)), chunks(chunk(language="ab" + "-a" * 100)), said(language="en\n"), said(start=math.inf), said(end=-math.inf), said(text="x" * LONGEST),
        said(heard="x" * LONGEST), said(speaker="x" * LONGEST), said(words=(Word(math.inf, 1.0, "", 1.0),)),
        said(words=(Word(0.0, 1.0, "x" * LONGEST, 1.0),)), said(words=(Word(0.0, 0.0, "", 0.0),) * 10_001),
        chunks(chunk(segments=(SEGMENT,) * 10_001)), chunks(chunk(levels=((0, 1, 1),) * 10_001)), chunks(chunk(levels=((0, 2**60, 1),))),
        chunks(chunk(language_probability=math.inf)), chunks(chunk(model="m" * LONGEST)),
    ],
    ids=lambda each: f"{type(each).__name__} {each}"[:60],
)  # fmt: skip
def test_what_would_make_the_daemon_stumble_is_not_read(message):
    with pytest.raises(WireError, match=f"a {type(message).__name__} with "):
        sent(message)


def test_what_sound_workers_say_is_read():
    full = chunk(
        segments=tuple(dataclasses.replace(SEGMENT, text="สวัสดี" * 20, language=each) for each in ("en", "th", "und"))
    )
    for message in (
        chunks(chunk()), chunks(full), chunks(chunk(spoken="zh", levels=((-60, 5, 5),) * 90)), said(start=-0.01),
        started(audio_seconds=None), started(audio_seconds=9e6, parts=16), Done(audio_seconds=1.0, warnings=("it is cut",), **CARRIED),
        Done(resume_at=0, cause=Cause.MEMORY, **CARRIED), failed(cause=Cause.UNREADABLE, unread=5), Progress(done=0.0, total=9e6, **CARRIED),
    ):  # fmt: skip
        assert sent(message) == message


# -- large, and many --------------------------------------------------------------------------------------------------


def framed(text: bytes) -> bytes:
    body = struct.pack(">I", len(text)) + text + b"\n"
    return struct.pack(">4sII", b"sttd", len(body), zlib.crc32(body)) + body


@pytest.mark.parametrize("filler", [b"[],", b'{"":[]},', b"[[[[]]]],", b"0,"])
def test_many_values_are_not_even_read(filler):
    """Some millions of them in 16 MiB took nine seconds, and half as many in the daemon's loop."""
    text = b'["Hello",[[' + filler * (MOST_SAID // len(filler) - 10) + b"0]]]"
    with pytest.raises(WireError, match="more values than any message has"):
        list(Decoder().feed(framed(text)))


def test_a_worker_may_not_say_as_much_as_it_is_told():
    order = encode(Do(dataclasses.replace(PART, options=Options(hotwords="x" * MOST_SAID))))
    with pytest.raises(WireError, match="foreign bytes"):
        list(Decoder().feed(order))


def test_the_mark_is_found_however_it_is_cut():
    """What came before it was searched and read anew with each byte."""
    data = b"Welcome\n\xff hello \0sttd" + MARK + encode(HELLO)
    for size in (*range(1, 20), len(data)):
        messages = Messages()
        came = [each for at in range(0, len(data), size) for each in messages.feed(data[at : at + size])]
        assert (came, messages.banner) == ([HELLO], "\ufffd hello \\x00sttd"), size


# -- a fuzz -----------------------------------------------------------------------------------------------------------

ODD: list[Any] = [
    None, True, -1, 0, 1, 17, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**400, 0.0, -0.0, 1e-320, 1e308, math.inf, -math.inf,
    math.nan, "", "\0", "\ud800", "\udcff", "x" * 70_000, "../..", "1.0", "2.0", "en", "slice", "cancelled", "error", [], [[]], {},
    {"a": 1}, [0, 0], [[0, 0]], ["a", "b"], [None] * 20,
]  # fmt: skip
SOUND = [
    *begun(), chunks(chunk()), chunks(chunk(), chunk(1, SR)), chunks(chunk(1, SR)), Progress(done=1.0, total=2.0, **CARRIED),
    Notice(level="INFO", text="hello", event="said", **CARRIED), Done(audio_seconds=2.0, warnings=("a",), **CARRIED),
    Done(resume_at=SR, cause=Cause.SLICE, **CARRIED), failed(), Gone("1.0", 1, 0, "", oom=False), Ask("1.0", 1, 0, 5),
]  # fmt: skip


def mutated(value: Any, chance: random.Random) -> Any:
    """The same with something odd in one place of it."""
    if not isinstance(value, list) or not value or chance.random() < 0.1:
        return chance.choice(ODD)
    changed, place = list(value), chance.randrange(len(value))
    match chance.randrange(8):
        case 0:
            del changed[place]
        case 1:
            changed.insert(place, chance.choice(ODD))
        case 2:
            changed[place] = changed[chance.randrange(len(changed))]
        case _:
            changed[place] = mutated(changed[place], chance)
    return changed


def body_of(message: object) -> Any:
    frame = encode(message)
    (length,) = struct.unpack_from(">I", frame, 12)
    return json.loads(frame[16 : 16 + length])


def lies(seed: int, bodies: list[Any]) -> list[bytes]:
    """What one worker says: some of it sound, some odd, some no text at all."""
    chance, told = random.Random(seed), []
    for _ in range(chance.randrange(1, 12)):
        body = chance.choice(bodies)
        for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
            body = mutated(body, chance)
        frame = framed(json.dumps(body).encode())
        if chance.random() < 0.02:
            place = chance.randrange(len(frame))
            frame = frame[:place] + chance.randbytes(1) + frame[place + chance.randrange(3) :]
        told.append(frame)
    return told


def test_whatever_a_worker_says_what_is_told_of_it_is_sound():
    """Chunks that follow each other, one end and nothing behind it; or the worker is at its end."""
    fuzz(range(600), lambda _: None)


def fuzz(seeds: range, tell: Callable[[list[Event]], None]) -> int:
    """Returns how many messages came."""
    bodies, count = [body_of(message) for message in SOUND], 0
    for seed in seeds:
        seat, decoder, told, sequence = seated(is_begun=seed % 2 == 0), Decoder(), [], Sequence(PART)
        try:
            for frame in lies(seed, bodies):
                count += 1
                for message in decoder.feed(frame):
                    event = seat.hear(message, 0.0)
                    told += [event] if event is not None else []
        except WireError:
            pass
        for event in told:
            if isinstance(event, Chunks):
                sequence.check(event)
        assert [isinstance(event, ENDS) for event in told[:-1]].count(True) == 0, seed
        tell(told)
    return count


# -- through the pool -------------------------------------------------------------------------------------------------


@pytest.fixture
def lying():
    """A pool of one slot, behind which is a liar: the pool, and the source of liars."""
    sources: list[LiarSource] = []

    def make(config: Config) -> list[LiarSource]:
        if not sources:
            sources.append(LiarSource(config))
        return sources

    told = Rig(kind=Kind("liar", make, object), kill_grace=0)
    yield told, sources[0]
    told.pool.close(0.0)
    assert told.pool.workers() == []


def test_a_far_side_whose_chunks_do_not_follow_is_lost_and_its_machine_waits(lying):
    told, source = lying
    told.submit("1.0", "")
    source.liars[0].say(*begun(), chunks(chunk()), chunks(chunk(2, SR)))
    end = told.end("1.0")
    assert (type(end), end.cause) == (Lost, Cause.LINE)
    assert (
        end.error
        == "the worker on far/1 is lost: it sent what does not fit: chunk 2 from 16000 does not follow 1 at 16000"
    )
    assert len(told.of("1.0", Chunks)) == 1
    assert told.pool.sources()[0].away == end.error
    assert source.liars[0].is_over


def test_a_far_side_that_dies_while_it_is_sent_the_recording_may_do_so_of_that(lying):
    told, source = lying
    told.submit("1.0", "hello")
    source.liars[0].say(Ask("1.0", 1, 0, 5))
    told.wait(lambda: told.states() == ["sending"])
    source.liars[0].kill()
    end = told.end("1.0")
    assert (end.cause, end.error) == (
        Cause.LINE,
        "the worker on far/1 is lost: it was killed, while the recording was sent there",
    )
    told.submit("2.0", "hello")
    source.liars[1].say(Took("2.0", 1))
    source.liars[1].kill()
    assert told.end("2.0").cause is Cause.MACHINE, "the model's load, and not the recording"


def test_a_far_side_that_reads_nothing_has_no_end_of_orders_waiting_for_it(lying):
    """One for each recording that ended: it was kept as long as the far side said that it lives."""
    told, _ = lying
    told.reach()
    for number in range(3000):
        told.pool.forget(f"/{number}/" + "x" * 1000)
    (seat,) = told.pool._seats()
    assert 2**18 < len(seat.worker._pipes._rest) < 2**21


def test_a_daemon_that_is_held_up_is_heard_by_the_other_side_all_the_same():
    """A disk may hang for a minute: who had said eight things in it was left waiting, heard no beat, and ended in the middle of its part."""
    settings = dataclasses.replace(Config().pool, remote_timeout=3.0)
    source = LiarSource(dataclasses.replace(Config(), pool=settings))
    in_hand, goes_on, over = threading.Event(), threading.Event(), threading.Event()

    def heard(_message: object) -> None:
        in_hand.set()
        goes_on.wait(PATIENCE)

    worker = source.hire(0, Ears(heard, lambda _: over.set()))
    worker.start()
    try:
        source.liars[0].say(Took("1.0", 1))
        assert in_hand.wait(PATIENCE)
        for _ in range(3):
            source.liars[0].orders_until(Beat)
    finally:
        goes_on.set()
        worker.end(hard=True)
        assert over.wait(PATIENCE)

"""Frames, deaths and GPUs: the pure parts of the pool."""

from __future__ import annotations

import dataclasses
import fractions
import itertools
import json
import signal
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, strategies as st

from sttd.part import Cause, Chunk, Chunks, Done, Lost, ModelSpec, Options, PartSpec, Segment, Word
from sttd.pool import wire
from sttd.pool.death import Death, cause_of, spoken
from sttd.pool.local.gpus import gpu_for
from sttd.pool.local.oom import oom_counter, oom_kills
from sttd.pool.wire import MOST, Clean, Decoder, Do, Exit, Stop, WireError, encode
from sttd.sharing import Decided, Share

SEGMENT = Segment(0.0, 1.0, "สวัสดี", -0.1, 1.0, 0.0, 0.0, "th", (Word(0.0, 1.0, "สวัสดี", 0.9),))
MESSAGES = [
    Chunks(part_id="1.0", attempt=1, chunks=(Chunk(0, 0, 16000, (SEGMENT,), "th", 0.9, "demo"),), done=16000),
    Done(part_id="1.0", attempt=1, cause=Cause.SLICE, resume_at=5),
    Do(PartSpec("1.0", 1, "a\udcff\n.flac", 1, 2, ModelSpec("demo"), Options())),
    Do(
        PartSpec(
            "1.2",
            1,
            "a.flac",
            1,
            2,
            ModelSpec("demo"),
            Options(),
            number=2,
            parts=7,
            share=Share(1200.0, 600.0),
            decided={0: Decided("th", 0.9)},
        )
    ),
    Stop("1.0", 1, Cause.ASKED),
    Clean(),
    Exit(),
    wire.Hello({"protocol": 1, "version": "0.1.0", "host": "gpu1", "gpus": ["0"], "memory": 2**34, "models": ["demo"]}),
    wire.Setup("0.1.0", 1, silence=20.0, beat=5.0),
    wire.Refused("no such model"),
    wire.Gone("1.0", 1, -9, "", oom=True),
    wire.Ask("1.0", 1, 0, 5),
    wire.Block("1.0", 1, 0, b"sound", b"\0" * 32),
    wire.NoBlock("1.0", 1, Cause.CHANGED, "the file has changed"),
]


@given(cuts=st.lists(st.integers(0, 3000), max_size=20))
def test_messages_come_whole_however_the_bytes_are_cut(cuts):
    stream = b"".join(encode(message) for message in MESSAGES)
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    decoder = Decoder()
    came = [message for start, end in itertools.pairwise(places) for message in decoder.feed(stream[start:end])]
    assert came == MESSAGES


@given(garbage=st.binary(min_size=12))
def test_foreign_bytes_are_an_error_and_nothing_else(garbage):
    with pytest.raises(WireError):
        list(Decoder().feed(garbage))


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_spoilt_frame_is_an_error_and_is_never_read(position, flip):
    frame = bytearray(encode(MESSAGES[0]))
    position = 8 + position % (len(frame) - 8)
    frame[position] ^= flip
    with pytest.raises(WireError, match="foreign bytes"):
        list(Decoder().feed(bytes(frame)))


@pytest.mark.parametrize(
    "evil",
    [fractions.Fraction(1, 2), print, ModelSpec("demo"), Lost(part_id="1.0", attempt=1, cause=Cause.OOM, error="")],
)
def test_a_message_is_one_of_our_own_words(evil):
    """So that the parent never imports numpy because a worker sent one of its numbers; nor does a worker say that it is lost."""
    with pytest.raises(WireError, match="cannot be sent: a message may not be a"):
        encode(evil)


@pytest.mark.parametrize(
    "changes",
    [{"resume_at": "5"}, {"resume_at": 1.5}, {"resume_at": True}, {"attempt": None}, {"cause": "slice"}, {"warnings": ("a", 5)},
     {"part_id": b"1.0"}],
)  # fmt: skip
def test_a_message_that_is_not_as_its_class_says_is_not_sent(changes):
    with pytest.raises(WireError, match="cannot be sent"):
        encode(dataclasses.replace(MESSAGES[1], **changes))


@pytest.mark.parametrize("order", [
    wire.Setup("0.1.0", 1, silence=float("nan"), beat=5.0), wire.Setup("0.1.0", 1, silence=2**63, beat=5.0),
    wire.Ask("1.0", 1, -(2**63), 5),
])  # fmt: skip
def test_a_figure_that_no_computer_has_is_not_sent(order):
    with pytest.raises(WireError, match="is due"):
        encode(order)


def framed(text: bytes, data: bytes = b"") -> bytes:
    body = struct.pack(">I", len(text)) + text + data + b"\n"
    return struct.pack(">4sII", b"sttd", len(body), zlib.crc32(body)) + body


DONE = ["Done", ["1.0", 1, 5, "slice", 0.0, []]]


def changed(place: int, value: object) -> list[object]:
    return [DONE[0], [*DONE[1][:place], value, *DONE[1][place + 1 :]]]


def test_what_a_taken_over_worker_may_send_is_a_word_or_an_error():
    """Whatever it says: no code of the daemon meets a value of another type than its own."""
    (done,) = Decoder().feed(framed(json.dumps(DONE).encode()))
    assert done == MESSAGES[1]
    wrong: list[object] = [
        5, [], {}, ["Done"], ["Nothing", []], [["Done"], []], ["Done", []], ["Done", DONE[1][:-1]], ["Done", [*DONE[1], 1]],
        ["Done", dict(enumerate(DONE[1]))], ["Lost", DONE[1]], ["Message", ["1.0", 1]],
        changed(0, 5), changed(1, "1"), changed(1, True), changed(1, 2**63), changed(1, None), changed(2, 5.0),
        changed(3, "hunger"), changed(3, ["slice"]), changed(4, "0"), changed(4, float("nan")), changed(4, float("inf")),
        changed(5, [5]), changed(5, "abc"), changed(5, {"a": 1}),
        ["Block", ["1.0", 1, 0, [0, 7], [5, 1]]], ["Block", ["1.0", 1, 0, [-1, 1], [0, 1]]], ["Block", ["1.0", 1, 0, "", ""]],
        ["Hello", [{"a": 1}]], ["Hello", [[["a"]]]], ["Notice", ["1.0", 1, "PANIC", "", ""]], ["Chunks", ["1.0", 1, [], 0]],
        ["Notice", ["1.0", 1, "INFO", "x" * 70_000, ""]], ["Started", ["1.0", 1, 1, "m", "m", "", False, 0.0, None, 10**9]],
    ]  # fmt: skip
    for each in wrong:
        with pytest.raises(WireError):
            pytest.fail(str(list(Decoder().feed(framed(json.dumps(each).encode(), b"sound")))))
    for text in (b"", b"[", b"\xff\xff", b"[" * 100_000, b"1" * 5000):
        with pytest.raises(WireError):
            list(Decoder().feed(framed(text)))


@pytest.mark.ci
def test_what_comes_in_takes_little_more_memory_than_it_has_bytes():
    """pickle took 4 GiB for 21 bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            list(Decoder().feed(framed(b'["Hello",[' + b"[]," * (MOST // 3 - 10) + b"[]]]")))
        assert tracemalloc.get_traced_memory()[1] < 40 * MOST
    finally:
        tracemalloc.stop()


def test_a_length_of_gigabytes_is_not_waited_for():
    with pytest.raises(WireError, match="foreign"):
        list(Decoder().feed(struct.pack(">4sII", b"sttd", MOST + 1, 0)))


def judged(exitcode, problem="", **changes):
    return cause_of(
        Death(exitcode, problem), **({"ordered": None, "took": True, "loaded": True, "oom": False} | changes)
    )


def test_causes_of_death_are_told_apart():
    assert judged(-9, ordered=Cause.TIMEOUT, oom=True)[0] is Cause.TIMEOUT
    assert judged(-9, oom=True)[0] is Cause.OOM
    assert judged(-9)[0] is Cause.CRASH
    assert judged(-11, oom=True)[0] is Cause.CRASH
    assert judged(1, took=False)[0] is Cause.MACHINE
    assert judged(-9, loaded=False, oom=True) == (
        Cause.NO_MODEL, "the worker died while it loaded the model: killed by the kernel's OOM killer (SIGKILL)"
    )  # fmt: skip
    assert judged(-9, "foreign bytes")[0] is Cause.CRASH


@pytest.mark.parametrize(
    ("known", "cause"), [({}, Cause.LINE), ({"took": False}, Cause.MACHINE), ({"loaded": False}, Cause.MACHINE)]
)
def test_a_line_that_breaks_may_be_the_recordings_fault_once_its_worker_had_begun_with_it(known, cause):
    values = {"ordered": None, "took": True, "loaded": True, "oom": False} | known
    assert cause_of(Death(-9, line="it is lost"), **values) == (cause, "it is lost")


def test_a_line_that_breaks_while_a_recording_is_sent_may_be_its_fault_too():
    """Its bytes may be too many for the other machine's memory; and it would be sent without end."""
    values = {"ordered": None, "sent": True, "took": False, "loaded": True, "oom": False}
    found = cause_of(Death(-9, line="it is lost"), **values)
    assert found == (Cause.LINE, "it is lost, while the recording was sent there")
    assert cause_of(Death(-9, line="it is lost"), **values | {"took": True, "loaded": False})[0] is Cause.MACHINE


def test_exit_codes_in_words():
    assert spoken(3) == "exit code 3"
    assert spoken(-signal.SIGSEGV) == "killed by SIGSEGV"
    assert spoken(-40) == "killed by signal 40"


def cgroup(tmp_path, text, **files):
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(text)
    (tmp_path / "proc" / "vmstat").write_text("nr_free_pages 5\noom_kill 7\n")
    for name, content in files.items():
        path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return oom_counter(tmp_path / "proc", tmp_path)


def test_the_count_of_oom_kills_comes_from_cgroup_v2(tmp_path):
    found = cgroup(tmp_path, "0::/sttd.service\n", sttd_dot_service__memory_dot_events="oom 3\noom_kill 2\n")
    assert oom_kills(found) == 2


def test_or_from_v1_also_where_a_container_hides_the_path(tmp_path):
    text = "4:cpu,memory:/outside/docker/1\n0::/\n"
    found = cgroup(tmp_path, text, memory__memory_dot_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    assert oom_kills(found) == 5


def test_or_from_the_host_or_nowhere(tmp_path):
    assert oom_kills(cgroup(tmp_path, "0::/\n")) == 7
    assert oom_kills(oom_counter(tmp_path / "none", tmp_path / "none")) == 0


def test_workers_are_shared_out_over_the_gpus():
    assert [gpu_for(number, ("0", "1")) for number in range(3)] == ["0", "1", "0"]
    assert [gpu_for(number, ("3", "GPU-8f")) for number in range(2)] == ["3", "GPU-8f"]
    assert gpu_for(0, ()) is gpu_for(1, ("2",)) is None

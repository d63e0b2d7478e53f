"""`sttd worker` over plain pipes: what it says, what it refuses, where its recordings come from, and that it never works on alone."""

from __future__ import annotations

import dataclasses
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sttd import __version__
from sttd.host.capacity import Capacity
from sttd.part import Cause, Chunks, Done, Failed, Loaded, ModelSpec, Notice, Options, PartSpec, Progress, Started
from sttd.pool.blocks import AHEAD, BLOCK, answer, ends_of
from sttd.pool.far import side as sides
from sttd.pool.far.facts import threads
from sttd.pool.far.fetch import Fetch
from sttd.pool.far.shelf import Shelf
from sttd.pool.far.side import Side
from sttd.pool.sense import nonsense
from sttd.pool.wire import (
    PROTOCOL,
    Ask,
    Beat,
    Clean,
    Die,
    Exit,
    Forget,
    Gone,
    NoBlock,
    Ready,
    Refused,
    Setup,
    Stop,
    Took,
    WireError,
    encode,
)
from tests import speech
from tests.harness import PATIENCE, wait_for
from tests.remote.conftest import SCRIPTED, gone, tree
from tests.remote.head import part_of
from tests.remote.tables import WORKER

ENGLISH = speech.SAMPLES / "english.flac"
SILENCE = 10.0  # seconds; a busy machine may let a process wait for some
QUICK = [sys.executable, "-c", SCRIPTED]  # its worker does what the source says


def script(words: str, part_id: str = "1.0", **changes) -> PartSpec:
    return dataclasses.replace(PartSpec(part_id, 1, words, 0, 0, ModelSpec("demo"), Options()), **changes)


def sent(path: Path, source: str, part_id: str = "1.0", **changes) -> PartSpec:
    """A part whose recording the far side does not have: of `source` it is told, `path` it is sent."""
    return dataclasses.replace(part_of(path), part_id=part_id, source=source, **changes)


def from_(path: Path):
    """Answers to Ask from this file, whatever the part's source is called."""
    return lambda ask, part: answer(ask, dataclasses.replace(part, source=str(path)))


def test_a_recording_is_transcribed_where_it_is_and_where_it_has_to_be_sent(head):
    """To the same text. What was sent is kept for the next part, until the job has ended."""
    far = head()
    facts = far.ready()
    assert (facts["protocol"], facts["version"], facts["pid"]) == (PROTOCOL, __version__, far.process.pid)
    assert "demo" in facts["models"]
    assert facts["cores"] >= 1 < facts["memory"]
    here = part_of(ENGLISH)
    assert isinstance(far.run(here), Done)
    assert far.words(here).startswith("hello world")
    assert far.asked == []
    far.answer = from_(ENGLISH)
    away = sent(ENGLISH, "/nowhere/english.flac", "2.0")
    assert isinstance(far.run(away), Done)
    assert far.words(away) == far.words(here)
    assert [ask.length for ask in far.asked] == [ENGLISH.stat().st_size]
    assert isinstance(far.run(dataclasses.replace(away, part_id="2.1")), Done)
    assert len(far.asked) == 1
    far.send(Forget("/nowhere/english.flac"))
    assert isinstance(far.run(dataclasses.replace(away, part_id="2.2")), Done)
    assert len(far.asked) == 2
    assert len({each.pid for each in far.wait(Started)}) == 1, "one warm worker"
    assert [each.spec for each in far.wait(Loaded)] == [here.model], "to the head it is the model that it asked for"
    far.send(Exit())
    assert far.process.wait() == 0


@pytest.mark.parametrize("other", ["another time", "another first byte", "another last byte", "a link"])
def test_a_file_of_the_same_path_that_is_another_is_not_taken_for_it(head, tmp_path, other):
    """It is sent instead: the head's is what was queued."""
    real, theirs = tmp_path / "real.wav", tmp_path / "done"
    real.write_bytes(bytes(2 * 2**20 + 7))
    content = bytearray(real.read_bytes())
    content[0 if "first" in other else -1] = "byte" in other
    theirs.write_bytes(content)
    os.utime(theirs, ns=(1, 1) if "time" in other else (0, real.stat().st_mtime_ns))
    if other == "a link":
        theirs.unlink()
        theirs.symlink_to(real)
    far = head(["sh", "-c", f'cd {tmp_path} && exec {sys.executable} -c "{SCRIPTED}"'])
    far.ready()
    far.answer = from_(real)
    assert isinstance(far.run(sent(real, "done")), Done)
    assert sum(ask.length for ask in far.asked) == real.stat().st_size


@pytest.mark.parametrize("cause", ["UNREADABLE", "GONE"])
def test_a_share_that_is_broken_on_that_machine_alone_is_the_machines_fault(head, tmp_path, cause):
    """The head would look at its own file, find it sound, and send the job to the same machine again, for ever."""
    (tmp_path / f"started failed:{cause}").touch()
    far = head(["sh", "-c", f'cd {tmp_path} && exec {sys.executable} -c "{SCRIPTED}"'])
    far.ready()
    end = far.run(sent(tmp_path / f"started failed:{cause}", f"started failed:{cause}"))
    assert (type(end), end.cause, end.retriable) == (Failed, Cause.MACHINE, True)
    assert end.error == "its own copy of the recording cannot be read: so it is"
    assert far.asked == []
    end = far.run(script(f"started failed:{cause}", "2.0"))
    assert end.cause is Cause[cause], "what it was sent cannot be read for another reason"


def test_a_shells_words_before_and_a_librarys_words_between_do_no_harm(head):
    """What a profile prints comes before the mark; what is printed later goes to standard error."""
    loud = f"import atexit, os; os.write(1, b'early ' + bytes(300)); {SCRIPTED}"
    far = head(["sh", "-c", f'echo Welcome to gpu1; exec {sys.executable} -c "$0"', loud])
    far.ready()
    assert far.before == b"Welcome to gpu1\nearly " + bytes(300)
    assert isinstance(far.run(script("started print done")), Done)
    wait_for(lambda: "a library's words\n" in far.errors, "the words on standard error")


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        (
            {"version": "0.0.1"},
            f"is version {__version__} (protocol {PROTOCOL}), and 0.0.1 ({PROTOCOL}) wants to use it",
        ),
        ({"protocol": 0}, "install the same version on both"),
        ({"model": "tiny", "fallback": "/nowhere"}, "sttd model pull tiny"),
        ({"device": "cuda"}, "shows no NVIDIA GPU"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(head, setup, why, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    far = head()
    far.greet(**setup)
    (refused,) = far.wait(Refused)
    assert why in refused.why
    assert far.process.wait() == 2
    wait_for(lambda: any(why in line for line in far.errors), "the reason in the command's own log")


def test_a_fallback_that_is_there_is_enough(head):
    far = head()
    far.greet(model="/nowhere", fallback="demo")
    assert far.wait(Ready)


@pytest.mark.ci
def test_a_far_side_whose_head_falls_silent_ends_with_its_worker(head):
    """Whatever the worker is in: deaf and stuck with Python's lock, stopped, at work."""
    fars = [head(QUICK, silence=SILENCE) for _ in range(3)]
    workers = []
    for far, state in zip(fars, ["deaf gil", "stop", "chunks"], strict=True):
        far.ready()
        far.do(script(f"started {state}"))
        workers.append(far.worker().pid)
    for far in fars:
        far.silent.set()
    why = f"nothing was heard of the other side for {SILENCE:g} s"
    for far in fars:
        assert far.process.wait() == 1
        wait_for(lambda far=far: any(why in line for line in far.errors), "the reason in the command's own log")
    assert gone(workers)


def test_a_far_side_whose_head_reads_nothing_ends_even_where_it_waits_to_answer(head):
    """The thread that listens stood before a full pipe for good, and did not see that the head is silent."""
    far = head(QUICK, silence=SILENCE / 2)
    far.ready()
    far.deaf.set()
    for _ in range(3000):  # each gets an answer, which is more than the pipe has room for
        far.send(Die())
    far.silent.set()
    assert far.process.wait(PATIENCE) == 1


def test_beats_go_on_while_a_worker_holds_pythons_lock(head):
    far = head(QUICK)
    far.ready()
    far.do(script("started gil"))
    far.wait(Started)
    before = far.beats
    far.until(lambda: far.beats >= before + 8)


@pytest.mark.parametrize("end", ["the head closes the line", "SIGKILL", "SIGTERM", "the worker hears Exit"])
def test_no_worker_outlives_its_far_side(head, end):
    far = head(QUICK)
    far.ready()
    far.do(script("started gil" if "Exit" not in end else "started done"))
    pids = [far.worker().pid, *tree(far.process.pid)]
    if end == "the head closes the line":
        far.process.stdin.close()
    elif "Exit" in end:
        far.send(Exit())
    else:
        far.process.send_signal(signal.Signals[end])
    far.process.wait()
    wait_for(lambda: gone(pids), "all processes of the far side are gone")


def test_the_line_outlives_its_worker(head):
    """A crash, and a kill by the head, which shows the worker's stacks. The next part has a new one."""
    far = head(QUICK)
    far.ready()
    far.do(script("started segv"))
    (first,) = far.wait(Gone)
    assert (first.part_id, first.attempt, first.exitcode, first.oom) == ("1.0", 1, -signal.SIGSEGV, False)
    far.do(script("started hang", attempt=2))
    far.wait(Started, 2)
    far.send(Die())
    second = far.wait(Gone, 2)[1]
    assert (second.attempt, second.exitcode) == (2, -signal.SIGTERM)
    wait_for(lambda: any("hang" in line for line in far.errors), "its stacks")
    assert isinstance(far.run(script("started done", attempt=3)), Done)
    assert len({each.pid for each in far.wait(Started, 3)}) == 3
    far.send(Die())
    assert far.wait(Gone, 3)[2].part_id == "", "it had none any more"


def test_a_worker_that_is_worn_or_spoilt_is_replaced_by_its_far_side(head):
    """After so many parts, after what leaves a process untrustworthy, and with a load that hangs in it."""
    far = head(QUICK, jobs_per_worker=2)
    far.ready()
    stuck = ModelSpec("stuck")
    scripts = ["done", "done", "done", "failed:ERROR", "failed:BAD_FILE", "failed:OOM", "done"]
    for number, words in enumerate(scripts):
        model = stuck if number == len(scripts) - 1 else ModelSpec("demo")
        far.run(script(f"started {words}", f"{number}.0", model=model))
    far.run(script("started done", "last.0"))
    pids = [each.pid for each in far.wait(Started, len(scripts) + 1)]
    groups = [pids[0:2], pids[2:4], pids[4:6], pids[6:7], pids[7:8]]
    assert [len(set(each)) for each in groups] == [1, 1, 1, 1, 1]
    assert len(set(pids)) == 5
    assert [(each.part_id, each.attempt) for each in far.wait(Gone, 4)] == [("", 0)] * 4
    wait_for(lambda: gone(pids[:-1]), "those before have exited")


def test_a_part_that_asks_for_the_cpu_has_it_where_the_head_usually_says_otherwise(head, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    far = head(QUICK, device="auto", usual_device="auto", cpu_threads=3)
    far.ready()
    for name, device in (("1.0", "auto"), ("2.0", "cpu")):
        assert isinstance(far.run(script("started device done", name, model=ModelSpec("demo", device=device))), Done)
    assert [each.text for each in far.wait(Notice, 2)] == ["auto 3", "cpu 3"]


def test_stop_clean_and_every_word_of_a_worker_go_through(head):
    far = head(QUICK, cleanup_every_chunks=10**9)
    far.ready()
    part = script("started notice:hello progress chunks")
    far.do(part)
    far.send(Clean())
    far.until(lambda: any(each.event == "cleanup" for each in far.of(part, Notice)))
    far.send(Stop("1.0", 1, Cause.ASKED))
    end = far.end(part)
    assert (end.resume_at, end.cause) == (far.of(part, Chunks)[-1].done, Cause.ASKED)
    assert [type(each) for each in far.of(part)][:5] == [Took, Started, Notice, Progress, Chunks]


def test_a_part_that_is_stopped_or_killed_while_its_recording_is_on_its_way_ends_at_once(head, tmp_path):
    recording = tmp_path / "long.wav"
    recording.write_bytes(bytes(20 * BLOCK))
    far = head(QUICK)
    far.ready()
    far.answer = lambda ask, part: Beat()  # none
    part = sent(recording, "started done", places={}, start=32000)
    far.do(part)
    far.until(lambda: len(far.asked) >= AHEAD)
    far.send(Stop("1.0", 1, Cause.ASKED))
    end = far.end(part)
    assert (end.resume_at, end.cause) == (32000, Cause.ASKED)
    assert len(far.asked) == AHEAD, "no more than fit into its memory"
    far.do(dataclasses.replace(part, attempt=2))
    far.until(lambda: len(far.asked) == 2 * AHEAD)
    far.send(Die())
    assert far.wait(Gone)[0].attempt == 2
    far.answer = from_(recording)
    assert isinstance(far.run(dataclasses.replace(part, attempt=3)), Done)


@pytest.mark.parametrize(
    ("harm", "cause", "retriable"),
    [("grows", Cause.CHANGED, True), ("vanishes", Cause.GONE, False), ("is another at its end", Cause.CHANGED, True),
     ("is damaged", Cause.MACHINE, True)],
)  # fmt: skip
def test_a_recording_that_changes_while_it_is_sent_is_no_recording(head, tmp_path, harm, cause, retriable):
    recording = tmp_path / "long.wav"
    recording.write_bytes(os.urandom(20 * BLOCK))
    far = head(QUICK)
    far.ready()

    def harmful(ask, part):
        if ask.offset == 12 * BLOCK and harm == "grows":
            with recording.open("ab") as file:
                file.write(b"x")
        if ask.offset == 12 * BLOCK and harm == "vanishes":
            recording.unlink()
        found = from_(recording)(ask, part)
        if harm == "is damaged" and not isinstance(found, NoBlock):
            return dataclasses.replace(found, data=b"x" + found.data[1:])
        return found

    far.answer = harmful
    part = sent(recording, "started done")
    if "another" in harm:  # within one tick of a coarse clock
        part = dataclasses.replace(part, ends=(part.ends[0], "0" * 64))
    end = far.run(part)
    assert (type(end), end.cause, end.retriable) == (Failed, cause, retriable)
    assert far.wait(Ready), "the line lives"


def test_a_long_recording_is_whole_in_nobodys_memory(head, tmp_path):
    """96 MiB through both sides: neither has more than a few blocks of it. Its file over there has no name."""
    recording, spool = tmp_path / "long.wav", tmp_path / "spool"
    spool.mkdir()
    with recording.open("wb") as file:
        for number in range(96):
            file.write(number.to_bytes(1, "big") * 2**20)
    code = SCRIPTED.replace("serve(", f"serve(__import__('pathlib').Path('{spool}'), ")
    far = head([sys.executable, "-c", code])
    far.ready()
    before = peak(far.process.pid)
    far.answer = from_(recording)
    part = sent(recording, "started done")
    assert isinstance(far.run(part), Done)
    assert sum(ask.length for ask in far.asked) == 96 * 2**20
    assert peak(far.process.pid) - before < 16 * 2**20
    assert list(spool.iterdir()) == []
    assert psutil.disk_usage(spool).used > 0
    open_here = [each for each in Path(f"/proc/{far.process.pid}/fd").iterdir() if str(spool) in os.readlink(each)]
    assert open_here
    assert sum(os.stat(each).st_blocks for each in open_here) * 512 // 2 >= 96 * 2**20
    assert [each.total for each in far.of(part, Progress)] in ([], [None] * len(far.of(part, Progress)))


def peak(pid: int) -> int:
    """The most memory that a process ever had resident, in bytes."""
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_recordings_that_are_used_longest_ago_make_room(head, tmp_path):
    recording = tmp_path / "a.wav"
    recording.write_bytes(os.urandom(1000))
    far = head(QUICK)
    far.ready()
    far.answer = from_(recording)
    for number, name in enumerate([*"abcd", "a", "e", "a", "b"]):
        part = sent(recording, f"started done notice:{name}", f"{number}.0")
        assert isinstance(far.run(part), Done)
    assert [ask.part_id for ask in far.asked] == ["0.0", "1.0", "2.0", "3.0", "5.0", "7.0"]


def test_who_types_it_is_told_what_it_is_for():
    main, other = pty.openpty()
    try:
        done = subprocess.run(WORKER, stdin=other, stdout=other, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(main)
        os.close(other)
    assert done.returncode == 2
    assert "[[pool.remote]]" in done.stderr
    assert done.stderr.count("\n") == 1


def test_foreign_bytes_from_the_head_end_it(head):
    far = head(QUICK)
    far.ready()
    far.process.stdin.write(b"GET / HTTP/1.1\r\n\r\n")
    assert far.process.wait() == 1
    wait_for(lambda: any("foreign bytes" in line for line in far.errors), "the reason in the command's own log")


def test_ends_of_the_empty(tmp_path):
    (tmp_path / "a").touch()
    assert len(set(ends_of(str(tmp_path / "a"), 0))) == 1


@pytest.mark.slow
def test_a_gigabyte_is_sent_and_whole_in_nobodys_memory(head, tmp_path, record_property):
    """1 GiB that the far side does not see: how much goes over the line, what it costs, and how much memory."""
    recording = tmp_path / "long.wav"
    with recording.open("wb") as file:
        for _ in range(1024):
            file.write(os.urandom(2**20))
    far = head(QUICK)
    far.ready()
    before, begun = peak(far.process.pid), time.monotonic()
    over = 0

    def counted(ask, part):
        nonlocal over
        block = from_(recording)(ask, part)
        over += len(encode(block)) + len(encode(ask))
        return block

    far.answer = counted
    assert isinstance(far.run(sent(recording, "started done")), Done)
    took, more = time.monotonic() - begun, peak(far.process.pid) - before
    used = psutil.Process(far.process.pid).cpu_times()
    assert more < 16 * 2**20
    assert over < 1.01 * recording.stat().st_size
    figures = f"1 GiB sent in {took:.1f} s, {over / 2**30:.4f} of its bytes; far side: {more / 2**20:.1f} MiB more, "
    record_property("figures", f"{figures}{used.user + used.system:.1f} s of processor time")


class Kept:
    """A line that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[object] = []
        self.send = self.sent.append


@pytest.mark.parametrize("cause", [None, Cause.ASKED])
def test_a_part_that_is_stopped_while_its_recording_comes_ends_as_a_head_understands_it(tmp_path, cause):
    """Where the far side ends, that is the news: an end that is none had the head say that the worker was broken."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    line = Kept()
    side = Side(line, Setup(__version__, PROTOCOL, 10.0, 1.0), Shelf(tmp_path), "none")
    fetch = side._fetch = Fetch(sent(path, "/nowhere/a.wav"), side._shelf, lambda _: None)
    fetch.stop(cause)
    side._give(fetch)
    assert [each.cause for each in line.sent] == ([] if cause is None else [cause])
    assert [nonsense(each) for each in line.sent] == [""] * len(line.sent)


@pytest.mark.parametrize(
    "word", [Gone("1.0", 1, 0, "", oom=False), Ready(), Refused("no"), Ask("1.0", 1, 0, 5), Beat()]
)
def test_a_worker_says_no_word_of_its_far_side(tmp_path, word):
    """`Gone` of a worker that was taken over ended its part, and the same process had the next one."""
    line, process = Kept(), object()
    side = Side(line, Setup(__version__, PROTOCOL, 10.0, 1.0), Shelf(tmp_path), "none")
    side._process = process
    with pytest.raises(WireError, match="which no worker says"):
        side._heard(process, word)
    assert line.sent == []


def test_the_slots_of_a_machine_share_its_cores_and_have_a_gpu_each_but_a_scheduler_has_done_that(
    tmp_path, monkeypatch
):
    machine = Capacity(8, 2**34, ("0", "1"))
    setup = Setup(__version__, PROTOCOL, 10.0, 1.0, slots=4)
    assert threads(setup, machine, {}) == 2
    assert (
        threads(setup, machine, {"SLURM_JOB_ID": "7"}) == threads(setup, machine, {"KUBERNETES_SERVICE_HOST": "x"}) == 8
    )
    assert threads(dataclasses.replace(setup, cpu_threads=3), machine, {"SLURM_JOB_ID": "7"}) == 3
    monkeypatch.setattr(sides, "capacity", lambda: machine)
    slots = [Side(Kept(), dataclasses.replace(setup, number=each), Shelf(tmp_path), "none") for each in range(3)]
    assert [each._settings().gpu for each in slots] == ["0", "1", "0"]

"""Workers behind a command: how one is reached, what its end is called, and what a line that breaks costs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest

from sttd import __version__
from sttd.config import Config, Remote
from sttd.config.service import NONE
from sttd.part import Cause, Chunks, Done, Failed, Lost, ModelSpec, Options, PartSpec, Progress, Started
from sttd.pool import staff
from sttd.pool.build import sources_of
from sttd.pool.command import feeder
from sttd.pool.command.feeder import Feeder, Way
from sttd.pool.command.launch import launch
from sttd.pool.command.source import CommandSource
from sttd.pool.command.words import ended
from sttd.pool.command.worker import CommandWorker
from sttd.pool.far.facts import mismatch
from sttd.pool.local.source import LocalSource
from sttd.pool.pool import Pool
from sttd.pool.seat import Seat
from sttd.pool.staff import WAITS, Staff
from sttd.pool.wire import MARK, PROTOCOL, Ask, Hello, Ready, Setup, Took, WireError, encode
from tests.harness import PATIENCE, wait_for
from tests.pool.conftest import Rig
from tests.pool.contract.conftest import make
from tests.pool.contract.kinds import FAR, Kind

__all__ = ["make"]


def behind(*command: str, **changes) -> Kind:
    """One slot behind a command."""
    remote = Remote("far", command, **{"cpu_threads": 1} | changes)

    def configured(config: Config) -> Config:
        pool = dataclasses.replace(config.pool, workers=NONE, when_unreachable="wait")
        return dataclasses.replace(config, pool=pool, remotes=(remote,))

    return Kind("command", lambda config: [CommandSource(config, "far")], object, configured)


def stands_in(*command: str) -> Kind:
    """The same, and this machine where nobody answers there."""
    config = behind(*command).configured(Config())
    config = dataclasses.replace(config, pool=dataclasses.replace(config.pool, when_unreachable="local"))
    local = lambda made: LocalSource(made, worker="tests.pool.scripted")  # noqa: E731
    return Kind("both", lambda made: [local(made), CommandSource(made, "far")], object, lambda _: config)


def script(*lines: str) -> tuple[str, ...]:
    return ("sh", "-c", "\n".join(lines))


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", textwrap.dedent(code))


SERVES = "exec " + shlex.join(FAR)


def newest_line() -> psutil.Process:
    """The command that was started last: one that another test's pool gave up may still be there."""
    lines = [each for each in psutil.Process().children() if "serve" in " ".join(each.cmdline())]
    return max(lines, key=lambda each: each.create_time())


@pytest.fixture
def rig(tmp_path):
    """One that is closed with the test, its slot not reached."""
    made = []

    def rig(*command: str, remote=None, **settings) -> Rig:
        made.append(Rig(kind=behind(*command, **(remote or {})), **settings))
        return made[-1]

    yield rig
    for each in made:
        each.pool.close(0.0)
        assert each.pool.workers() == []


def away(told: Rig) -> str:
    """Why there is no worker, once that is known."""
    told.pool.want(1)
    told.pool.tick(time.monotonic())
    return told.wait(lambda: told.pool.sources()[0].away, "it is away")


def test_what_the_far_shell_prints_before_the_worker_is_skipped(rig):
    """Profiles greet, also with bytes that are no text; the worker's own first bytes are marked."""
    told = rig(*script("printf 'Welcome to gpu1\\n\\377\\000sttd\\nLast login: today\\n'", SERVES))
    assert isinstance(told.run("1.0", "started chunk done"), Done)


def names_of_children() -> list[str]:
    found = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(each.name())
    return found


def test_one_that_prints_and_prints_is_no_worker(rig):
    told = rig("yes", "Please accept the terms of use")
    assert away(told) == "it printed 64 KiB, and no worker answered; the last line: Please accept the terms of use"
    told.wait(lambda: "yes" not in names_of_children(), "it is ended")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("no-such-ssh", "gpu1"), r"no-such-ssh ended \(exit code 127: a program was not found\) before a worker answered: there is no program 'no-such-ssh' on this machine"),
        (("/etc/passwd",), r"passwd ended \(exit code 126: a program could not be run\) .*: '/etc/passwd' cannot be run on this machine: Permission denied"),
        (script("/opt/sttd/bin/sttd worker"), r"sh ended \(exit code 127: a program was not found\) before a worker answered: .*/opt/sttd/bin/sttd.*not found"),
        (python("import no_such_sttd"), r"python\S* ended \(exit code 1\) before a worker answered: ModuleNotFoundError: No module named 'no_such_sttd'"),
        (script("kill -9 $$"), r"sh ended \(killed by SIGKILL\) before a worker answered"),
        (script("echo This account is currently not available."), r"sh ended \(exit code 0\) before a worker answered; it printed: This account is currently not available\."),
        (script("exit 3"), r"sh ended \(exit code 3\) before a worker answered"),
    ],
)  # fmt: skip
def test_a_command_that_reaches_no_worker_says_why(rig, command, words):
    why = away(rig(*command))
    assert re.fullmatch(words, why), why


def test_ssh_says_255_for_itself():
    said = "ssh: connect to host gpu1 port 22: No route to host"
    assert ended(["/usr/bin/ssh", "gpu1"], 255, said, "", was_ready=False) == (
        f"ssh ended (it could not connect, or lost the connection) before a worker answered: {said}"
    )
    assert ended(["srun"], 255, "", "x", was_ready=True) == "srun ended (exit code 255)"


def hello(**facts) -> tuple[str, ...]:
    """A far side that says these facts and waits."""
    about = {"host": "gpu1", "version": __version__, "protocol": PROTOCOL} | facts
    said = MARK + encode(Hello(about)) + encode(Ready())
    return python(f"import sys, time\nsys.stdout.buffer.write({said!r})\nsys.stdout.flush()\ntime.sleep(600)")


def test_another_version_is_named_with_its_machine(rig):
    why = away(rig(*hello(version="0.0.1", protocol=7)))
    assert why == (
        f"sttd on gpu1 is version 0.0.1 (protocol 7), and this one is {__version__} (protocol {PROTOCOL}):"
        " install the same version on both"
    )


def liar(*messages: object, times: int = 1) -> tuple[str, ...]:
    """A far side that says this and reads nothing."""
    said = b"".join(map(encode, messages))
    return python(f"""
        import os, time
        os.write(1, {MARK!r})
        for _ in range({times}):
            os.write(1, {said!r})
        time.sleep(600)
    """)


ABOUT = Hello({"host": "gpu1", "version": __version__, "protocol": PROTOCOL})


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (liar(Ready()), "it sent a Ready before it was ready"),
        (liar(ABOUT, times=100_000), "it sent a Hello before it was ready"),
        (liar(ABOUT, Ready(), Ready()), "the worker on far/1 is lost: it sent a Ready, which no worker says"),
    ],
)
def test_a_far_side_that_greets_out_of_turn_is_none(rig, command, words):
    """Without its version nothing may be done there; and each Hello gets an answer, which it may never read."""
    assert away(rig(*command)) == words


def test_a_model_that_is_not_there_is_refused_in_the_far_sides_words(rig):
    setup = Setup(__version__, PROTOCOL, 20.0, 5.0, model="small")
    assert "has no model: no" in mismatch(setup, lambda name: f"no {name}")
    code = "from sttd.pool.far import serve; serve(missing=lambda name: f'no model {name} here')"
    assert "no model" in away(rig(sys.executable, "-c", code))


def test_a_command_that_never_answers_is_given_up_after_its_time(rig):
    told = rig("sleep", "600", remote={"start_timeout": 0.5})
    assert away(told) == "no worker answered within 0.5 s"
    told.wait(lambda: not told.pool.workers())


@pytest.mark.parametrize("name", ["eventfd", "pidfd_open"])
def test_a_command_is_ended_where_there_are_too_few_descriptors_to_talk_to_it(rig, monkeypatch, name):
    told = rig("sleep", "600")

    def too_many(*_):
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, too_many)
        assert away(told) == "no worker process can be started: [Errno 24] Too many open files"
    assert not [each for each in psutil.Process().children() if "sleep" in each.cmdline()]


def test_one_that_is_asked_for_and_never_answers_costs_no_more_than_its_slot(rig):
    told = rig("sleep", "600", remote={"start_timeout": float("inf")})
    told.pool.want(1)
    told.pool.tick(time.monotonic())
    assert told.states() == ["connecting"]
    assert told.pool.free_slots() == 0
    told.pool.close(600.0)


@pytest.fixture
def soon(monkeypatch):
    """A machine that failed is tried again after a tenth of the time."""
    monkeypatch.setattr(staff, "WAITS", (WAITS[0] / 10, *WAITS[1:]))


@pytest.mark.usefixtures("soon")
def test_silence_is_the_end_of_a_line(rig):
    """The far side is stopped, as a cable is cut: nothing comes, and nothing ends."""
    told = rig(*script(SERVES), remote_timeout=1.0, kill_grace=0)
    told.submit("1.0", "started chunk hang")
    told.seen("1.0", Chunks)
    command = newest_line()
    command.send_signal(signal.SIGSTOP)
    end = told.end("1.0")
    assert (type(end), end.cause) == (Lost, Cause.LINE)
    assert "is lost: nothing was heard of it for 1 s" in end.error
    told.wait(lambda: not command.is_running())
    assert told.pool.sources()[0].away == end.error
    told.submit("1.0", "started done", attempt=2)
    assert isinstance(told.seen("1.0", Done), Done), "after a wait it is tried again"


def test_a_far_side_works_on_for_nobody_where_its_command_cannot_be_killed(rig, monkeypatch):
    """The command hangs in the kernel, and holds the line open."""
    told = rig(*script(SERVES), remote_timeout=3.0, kill_grace=0)
    told.submit("1.0", "started chunk hang")
    told.seen("1.0", Chunks)
    command = newest_line()
    with monkeypatch.context() as patch:
        patch.setattr(CommandWorker, "end", lambda worker, *, hard: None)
        told.pool.kill("1.0", 1, Cause.TIMEOUT)
        told.pool.tick(time.monotonic())
        told.pool.tick(time.monotonic() + 46)
    assert told.end("1.0").cause is Cause.TIMEOUT
    told.wait(lambda: not command.is_running())


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("kill -9 $$", r"the worker on far/1 is lost: sh ended \(killed by SIGKILL\)"),
        ("echo some text on the line", r"the worker on far/1 is lost: it sent foreign bytes: .*"),
    ],
)
def test_a_line_that_breaks_is_lost_at_once(rig, tmp_path, what, words):
    told = rig(*script(f"(while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; {what}) &", shlex.join(FAR)))
    told.submit("1.0", "started chunk hang")
    told.seen("1.0", Chunks)
    (tmp_path / "go").touch()
    end = told.end("1.0")
    assert (type(end), end.cause) == (Lost, Cause.LINE)
    assert re.fullmatch(words, end.error), end.error


def test_the_waits_grow_and_begin_anew_with_a_part_that_starts(rig):
    staff = Staff(CommandSource(Config(remotes=(Remote("far", ("x",)),)), "far"), limit=1, random=lambda: 0.0)
    now, waits = 100.0, []
    for _ in range(7):
        assert staff.room(now) == 1
        waits.append(staff.failed("no route", now))
        assert staff.failed("no route", now) == 0.0, "a second worker that meets the same"
        assert staff.room(now + waits[-1] - 0.1) == 0
        now += waits[-1]
    assert waits == [*WAITS, WAITS[-1], WAITS[-1]]


def test_where_no_machine_answers_this_one_stands_in_or_the_parts_wait():
    for when, slots in (("local", 1), ("wait", 0)):
        config = behind("no-such-ssh").configured(Config())
        config = dataclasses.replace(config, pool=dataclasses.replace(config.pool, when_unreachable=when))
        pool = Pool(config, lambda made: [LocalSource(made, worker="tests.pool.scripted"), CommandSource(made, "far")])
        pool.start(lambda event: None)
        assert pool.free_slots() == 0

        def reached(pool=pool) -> bool:
            pool.want(1)
            pool.tick(time.monotonic())
            return bool(pool.sources()[1].away)

        wait_for(reached, "it is known that nobody answers")
        pool.tick(time.monotonic())
        assert min(1, pool.free_slots()) == slots
        pool.close(0.0)


@pytest.mark.parametrize(("workers", "most"), [(NONE, 3), (2, 5)])
def test_the_most_slots_count_each_machine_and_those_that_are_away(workers, most):
    """They may come back, and are worth waiting for."""
    config = Config(remotes=(Remote("far", ("no-such-ssh",), slots=2), Remote("other", ("x",))))
    config = dataclasses.replace(
        config, pool=dataclasses.replace(config.pool, workers=workers, when_unreachable="wait")
    )
    pool = Pool(config, sources_of)
    assert pool.most_slots() == most
    pool.configure(dataclasses.replace(config, remotes=config.remotes[1:]))
    assert pool.most_slots() == most - 2
    pool.close(0.0)


@pytest.mark.usefixtures("soon")
def test_this_machine_stands_in_for_one_that_answers_and_can_do_nothing(tmp_path):
    """Its disk is full, or the model does not load there: recordings waited though they could be done here."""
    told = Rig(kind=stands_in(*FAR))
    told.wait(lambda: told.pool.want(1) or told.states() == ["idle"], "it answers")
    for number in range(2):
        assert told.pool.sources()[0].slots == 0
        told.submit(f"{number}.0", "failed:MACHINE")
        told.end(f"{number}.0")
        told.wait(lambda: told.pool.sources()[1].away)
    told.wait(lambda: told.pool.sources()[0].slots, "workers here stand in")
    assert isinstance(told.run("9.0", "started done"), Done)
    told.pool.close(0.0)


@pytest.mark.usefixtures("soon")
def test_workers_of_this_machine_that_stand_in_leave_when_the_other_answers(tmp_path):
    ready = tmp_path / "ready"
    command = script(f"[ -e {ready} ] || exit 5", SERVES)
    told = Rig(kind=stands_in(*command))
    told.run("1.0", "started done")
    assert [view.name for view in told.pool.workers()] == ["local/1"]
    ready.touch()

    def back() -> bool:
        told.pool.want(1)
        return [(view.name, view.state) for view in told.pool.workers()] == [("far/1", "idle")]

    told.wait(back, "the one elsewhere is there, the one here has left")
    assert told.pool.free_slots() == 1
    told.pool.close(0.0)


def test_tables_that_come_and_go_with_a_reload(rig):
    told = rig(*FAR)
    told.reach()
    none = dataclasses.replace(told.config, remotes=())
    told.pool.configure(none)
    told.wait(lambda: not told.pool.workers())
    assert (told.pool.free_slots(), told.pool.can_grow()) == (0, False)
    assert told.pool.sources() == [], "nobody is told of what is no more"
    told.pool.configure(told.config)
    assert isinstance(told.run("1.0", "started done"), Done)
    more = dataclasses.replace(none, remotes=(Remote("a", ("x",)), Remote("b", ("y",))))
    assert [source.name for source in sources_of(more)] == ["local", "a", "b"]


def test_a_table_that_is_changed_counts_for_the_workers_that_are_there_as_well(rig):
    """A busy one ends with its part. It kept the old command as long as there was work, for days perhaps."""
    told = rig(*FAR)
    told.submit("1.0", "started chunks")
    told.seen("1.0", Started)
    (remote,) = told.config.remotes
    other = dataclasses.replace(remote, cpu_threads=2)
    told.pool.configure(dataclasses.replace(told.config, remotes=(other,)))
    told.pool.tick(time.monotonic())
    assert told.states() == ["running"]
    told.pool.stop("1.0", 1, Cause.ASKED)
    told.end("1.0")
    told.wait(lambda: not told.pool.workers(), "it leaves")
    told.reach()
    told.pool.configure(told.config)
    told.wait(lambda: not told.pool.workers(), "an idle one leaves at once")


@pytest.fixture
def unseen(tmp_path, monkeypatch):
    """A folder whose files the far side does not find: its path is that of the head's working folder, which a command has not."""
    monkeypatch.chdir(tmp_path)
    return lambda name: f"/proc/self/cwd/{name}"


def sent(told, tmp_path, unseen, content: bytes, part_id: str, **changes):
    (tmp_path / "talk").write_bytes(content)
    seen = (tmp_path / "talk").stat()
    spec = told.part(part_id, "", **changes)
    return dataclasses.replace(spec, source=unseen("talk"), size=seen.st_size, mtime_ns=seen.st_mtime_ns)


def test_a_recording_that_is_not_over_there_is_sent(rig, tmp_path, unseen):
    """3 MB of it: a dozen blocks, and the words at its end."""
    told = rig(*FAR)
    told.reach()
    filler = " " * 3_000_000
    told.pool.submit(sent(told, tmp_path, unseen, f"{filler}started chunk done".encode(), "1.0"))
    assert isinstance(told.end("1.0"), Done)
    assert len(told.of("1.0", Chunks)) == 1


def test_a_worker_whose_recording_is_on_its_way_says_so():
    """A gigabyte over a slow line takes minutes, in which it was `starting`."""
    seat = Seat(0, CommandSource(Config(remotes=(Remote("far", ("x",)),)), "far"), ready=True)
    seat.take(PartSpec("1.0", 1, "a", 1, 1, ModelSpec("demo"), Options()), 0)
    key = {"part_id": "1.0", "attempt": 1}
    states = [seat.state]
    for message in (Ask("1.0", 2, 0, 5), Ask("1.0", 1, 0, 5), Progress(done=0.0, total=None, **key), Took("1.0", 1)):
        seat.hear(message, 0.0)
        states.append(seat.state)
    assert states == ["starting", "starting", "sending", "sending", "loading"]


@pytest.mark.parametrize(
    ("harm", "cause"),
    [(lambda path: path.unlink(), Cause.GONE), (lambda path: path.write_text("another"), Cause.CHANGED),
     (lambda path: (path.unlink(), path.mkdir()), Cause.GONE)],
)  # fmt: skip
def test_a_recording_that_is_no_more_what_was_queued_is_not_sent(rig, tmp_path, unseen, harm, cause):
    told = rig(*FAR)
    told.reach()
    spec = sent(told, tmp_path, unseen, b"started done", "1.0")
    harm(tmp_path / "talk")
    told.pool.submit(spec)
    end = told.end("1.0")
    assert (type(end), end.cause) == (Failed, cause)
    assert isinstance(told.run("2.0", "started done"), Done), "the line lives"


def test_a_question_for_no_bytes_ends_the_line_and_nothing_else():
    sent: list[object] = []
    feeder = Feeder("far/1", Way(sent.append, lambda: True, sent.append))
    for offset, length in ((-1, 5), (2**64, 5), ("0", 5), (0, -1)):
        with pytest.raises(WireError, match="a question for no bytes"):
            feeder.ask(Ask("1.0", 1, offset, length))
    for number in range(16):
        feeder.ask(Ask("1.0", 1, number, 5))
    with pytest.raises(WireError, match="more questions"):
        feeder.ask(Ask("1.0", 1, 16, 5))


def test_a_recording_of_a_job_that_has_ended_is_dropped_over_there(rig, tmp_path, unseen):
    """Else it is kept, for the next part or attempt."""
    asks = []
    told = rig(*FAR)
    told.reach()
    ask = Feeder.ask

    def count(feeder, question):
        asks.append(question)
        ask(feeder, question)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Feeder, "ask", count)
        spec = sent(told, tmp_path, unseen, b"started done", "1.0")
        for attempt in (1, 2):
            told.pool.submit(dataclasses.replace(spec, attempt=attempt))
            told.seen("1.0", Done, attempt)
        assert len(asks) == 1
        told.pool.forget(spec.source)
        told.pool.submit(dataclasses.replace(spec, attempt=3))
        told.seen("1.0", Done, 3)
        assert len(asks) == 2


def test_a_recording_that_another_job_is_about_too_is_not_dropped_under_its_worker(rig, tmp_path, unseen, monkeypatch):
    """Of two redos of one recording the first that ended, or was cancelled, made an empty file of what the other one's worker read."""
    asks = []
    ask = Feeder.ask
    monkeypatch.setattr(Feeder, "ask", lambda feeder, question: (asks.append(question), ask(feeder, question)))
    told = rig(*FAR)
    told.reach()
    spec = sent(told, tmp_path, unseen, b"started chunks", "1.0")
    for attempt, times in ((1, 1), (2, 1), (3, 2)):
        told.pool.submit(dataclasses.replace(spec, attempt=attempt))
        told.seen("1.0", Started, attempt)
        assert len(asks) == times
        if attempt == 1:
            told.pool.forget(spec.source)
        told.pool.stop("1.0", attempt, Cause.ASKED)
        told.seen("1.0", Done, attempt)
        if attempt == 2:
            told.pool.forget(spec.source)


def test_what_is_asked_of_a_command_has_the_usual_signals():
    """Python ignores SIGPIPE; `ssh` and what a script runs would inherit that."""
    process = launch(["cat", "/proc/self/status"])
    process.wait(PATIENCE)
    ignored = int(
        next(line for line in process.stdout.read().decode().splitlines() if line.startswith("SigIgn")).split()[1], 16
    )
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
    assert not ignored & (1 << (signal.SIGPIPE - 1))


@pytest.mark.usefixtures("soon")
def test_a_machine_that_lacks_what_is_configured_waits_once_the_daemon_has_judged_that(rig):
    """A model that is missing may have been named for one job alone."""
    told = rig(*FAR)
    assert told.run("1.0", "started", model="absent").cause is Cause.NO_MODEL
    assert told.pool.sources()[0].away == ""
    told.pool.bench("far", "no folder 'absent'")
    (source,) = told.pool.sources()
    assert source.away == "no folder 'absent'"
    assert (told.pool.free_slots(), told.pool.can_grow()) == (0, False)
    told.run("2.0", "started done")
    assert told.pool.sources()[0].away == ""


def test_a_machine_on_which_every_part_breaks_after_its_start_waits_longer_each_time(rig):
    """One that starts parts and does none would be tried every 2 s."""
    told = rig(*FAR)
    for attempt, wait in enumerate(WAITS[:2], 1):
        told.submit("1.0", "started hang", attempt=attempt)
        told.seen("1.0", Started, attempt)
        newest_line().kill()
        end = told.seen("1.0", Lost, attempt)
        assert end.cause is Cause.LINE
        left = told.wait(lambda: told.pool.sources()[0].retry_at) - time.monotonic()
        assert wait - 2 < left <= 1.25 * wait


def test_a_disk_that_hangs_here_holds_up_no_kill_and_no_other(make_two, monkeypatch, tmp_path):
    """The ends of the recording are read off the loop, and off the line."""
    hangs, real = threading.Event(), feeder.ends_of
    monkeypatch.setattr(
        feeder, "ends_of", lambda path, *more: (hangs.wait() if "1.0" in path else True) and real(path, *more)
    )
    told = make_two()
    try:
        told.submit("1.0", "started done")
        assert isinstance(told.run("2.0", "started done"), Done)
        told.pool.kill("1.0", 1, Cause.CANCELLED)
        assert told.end("1.0").cause is Cause.CANCELLED
    finally:
        hangs.set()


@pytest.fixture
def make_two():
    made = []

    def make_two() -> Rig:
        kind = behind(*FAR, slots=2)
        made.append(Rig(2, kind=kind, kill_grace=0.2))
        made[-1].reach(2)
        return made[-1]

    yield make_two
    for each in made:
        each.pool.close(0.0)


PARENT = """
    import time
    from tests.pool.conftest import Rig
    from tests.pool.test_command import FAR, behind, script, shlex
    if __name__ == "__main__":
        told = Rig(kind=behind(*script("exec 3<&0", shlex.join(FAR) + " <&3 &", "wait", "sleep 600")))
        told.submit("1.0", "started chunk gil")
        told.wait(lambda: len(told.of("1.0")) > 1)
        print("ready", flush=True)
        time.sleep(600)
"""


def test_nothing_of_a_command_outlives_a_daemon_that_is_killed(tmp_path):
    """Neither the command, which would go on with something else, nor the worker behind it, which hangs in C code."""
    (tmp_path / "parent.py").write_text(textwrap.dedent(PARENT))
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout.readline() == "ready\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 3, "the shell, the far side, its worker"
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    left = [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
    for each in left:
        each.kill()
    assert left == []


def test_its_standard_error_reaches_the_log_line_by_line_and_not_without_end(rig, caplog_lines):
    told = rig(*script("echo ' one ' >&2; echo >&2; printf 'two\\033[31m' >&2; yes flood | head -n 5000 >&2", SERVES))
    told.run("1.0", "started done")
    told.pool.close(0.0)
    lines = [line for line in caplog_lines if line.startswith("far/1: ")]
    assert lines[0] == "far/1: one"
    assert lines[1].startswith("far/1: two\\x1b[31mflood")
    assert len(lines) <= 62
    assert lines[-1] == f"far/1: {5001 - 60 + 1} more lines are left out" or "more lines are left out" in lines[-1]


@pytest.fixture
def caplog_lines():
    from loguru import logger

    lines: list[str] = []
    handle = logger.add(lambda message: lines.append(message.record["message"]), level="DEBUG")
    yield lines
    logger.remove(handle)

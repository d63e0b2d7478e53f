"""How attempts end: by themselves, by orders, by death. The fixture checks that each has exactly one end, the last that is told."""

from __future__ import annotations

import contextlib
import signal
import time

import psutil
import pytest

from sttd.part import Cause, Chunks, Done, Failed, Lost, Notice, Progress, Started


def who(told, part_id):
    """The worker's process, or what stands for it."""
    return told.of(part_id, Started)[-1].pid


def test_a_part_is_driven_to_its_end_and_told_in_order(make):
    told = make()
    end = told.run("1.0", "notice:hello started progress chunk chunk done")
    assert end == Done(part_id="1.0", attempt=1, audio_seconds=1.0)
    kinds = [type(event) for event in told.events]
    assert kinds == [Notice, Started, Progress, Chunks, Chunks, Done]
    assert [event.chunks[0].index for event in told.of("1.0", Chunks)] == [0, 1]


def test_a_worker_says_failed_itself_and_lives_on_where_the_file_is_to_blame(make):
    told = make()
    assert told.run("1.0", "started failed:BAD_FILE").cause is Cause.BAD_FILE
    assert isinstance(told.run("2.0", "started done"), Done)
    assert who(told, "1.0") == who(told, "2.0")


@pytest.mark.parametrize(
    ("script", "cause", "text"),
    [
        ("started raise", Cause.ERROR, "ValueError: boom"),
        ("started memory", Cause.OOM, "no memory"),
        ("started numpy", Cause.ERROR, "Notice cannot be sent: a Fraction where str is due"),
        ("started gap", Cause.ERROR, "does not follow"),
        ("started silent", Cause.ERROR, "without saying how"),
    ],
)
def test_what_run_part_does_wrong_is_told_and_a_new_worker_takes_the_next(make, script, cause, text):
    told = make()
    end = told.run("1.0", script)
    assert isinstance(end, Failed)
    assert end.cause is cause
    assert text in end.error
    told.run("2.0", "started done")
    assert who(told, "1.0") != who(told, "2.0")


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("started exit:7", "exit code 7"),
        ("started exit:0", "exit code 0"),
        ("started segv", "SIGSEGV"),
        ("started kill:SIGKILL", "SIGKILL"),
        ("started kill:SIGTERM", "SIGTERM"),
        ("started foreign", "foreign bytes"),
        ("started close", "closed its pipe"),
    ],
)
def test_a_death_without_orders_is_a_crash_that_says_how_at_once(make, script, text):
    """No tick is needed: its reader sees it."""
    told = make()
    end = told.run("1.0", script)
    assert isinstance(end, Lost)
    assert end.cause is Cause.CRASH
    assert text in end.error
    assert isinstance(told.run("2.0", "started done"), Done)


def test_a_death_while_the_model_loads_is_the_machines_fault(make):
    """As is a model that cannot be loaded. Neither is a slot for ever."""
    told = make()
    end = told.run("1.0", "started", model="absent")
    assert (type(end), end.cause) == (Failed, Cause.NO_MODEL)
    end = told.run("2.0", "started", model="crashing")
    assert (type(end), end.cause) == (Lost, Cause.NO_MODEL)
    assert "SIGSEGV" in end.error
    assert isinstance(told.run("3.0", "started done"), Done)


def test_a_kill_right_behind_the_submit_is_the_end(make):
    """Before the worker has taken the part, or was even started."""
    told = make()
    for number, cause in enumerate([Cause.CANCELLED, Cause.TIMEOUT, Cause.CANCELLED]):
        told.submit(f"{number}.0", "started hang")
        told.pool.kill(f"{number}.0", 1, cause)
        end = told.end(f"{number}.0")
        assert (type(end), end.cause) == (Lost, cause)
    assert isinstance(told.run("9.0", "started done"), Done)


def test_a_killed_worker_has_its_grace_and_its_attempt_ends_with_the_kills_cause(make):
    told = make(kill_grace=30)
    told.submit("1.0", "started chunk hang")
    told.seen("1.0", Chunks)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    end = told.end("1.0")
    assert (type(end), end.cause, end.exitcode) == (Lost, Cause.TIMEOUT, -signal.SIGTERM)


def test_a_worker_that_does_not_end_in_its_grace_is_ended_hard(make):
    told = make(kill_grace=0.3)
    told.submit("1.0", "deaf started hang")
    pid = told.seen("1.0", Started).pid
    began = time.monotonic()
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    assert told.states() == ["ending"], "kill waits for nobody"
    assert told.end("1.0").cause is Cause.TIMEOUT
    assert time.monotonic() - began >= 0.3
    told.wait(lambda: not told.kind.exists(pid))


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("started chunk stop", Cause.TIMEOUT),
        ("started chunk half", Cause.CANCELLED),
        ("started chunk deaf half", Cause.TIMEOUT),
    ],
)
def test_a_stopped_worker_is_killed_even_in_mid_message(make, script, cause):
    told = make()
    told.submit("1.0", script)
    told.seen("1.0", Chunks)
    pid = who(told, "1.0")
    told.wait(lambda: told.kind.is_stopped(pid))
    told.pool.kill("1.0", 1, cause)
    end = told.end("1.0")
    assert (type(end), end.cause) == (Lost, cause)
    told.wait(lambda: not told.kind.exists(pid))


def test_the_others_do_not_pause_while_one_is_stopped_in_mid_message(make):
    told = make(2)
    told.submit("1.0", "started half")
    told.seen("1.0", Started)
    for number in range(2, 12):
        assert isinstance(told.run(f"{number}.0", "started burst:200 done"), Done)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    assert told.end("1.0").cause is Cause.TIMEOUT


def test_a_flood_of_messages_comes_whole_and_holds_up_no_kill(make):
    told = make(2)
    told.submit("1.0", "started burst:4000 done")
    told.submit("2.0", "started burst:100000000 done")
    assert isinstance(told.end("1.0"), Done)
    assert [notice.text for notice in told.of("1.0", Notice)] == [str(number) for number in range(4000)]
    told.pool.kill("2.0", 1, Cause.CANCELLED)
    assert told.end("2.0").cause is Cause.CANCELLED


@pytest.mark.needs("process")
def test_what_a_worker_started_dies_with_it(make):
    told = make()
    told.submit("1.0", "started grandchild hang")
    other = int(told.seen("1.0", Notice).text)
    told.pool.kill("1.0", 1, Cause.CANCELLED)
    told.end("1.0")
    told.wait(lambda: not psutil.pid_exists(other) or psutil.Process(other).status() == psutil.STATUS_ZOMBIE)


def test_the_first_kill_counts_and_a_second_changes_nothing(make):
    told = make()
    told.submit("1.0", "deaf started hang")
    told.seen("1.0", Started)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    told.pool.kill("1.0", 1, Cause.CANCELLED)
    assert told.states() == ["ending"]
    assert told.end("1.0").cause is Cause.TIMEOUT


def test_a_kill_of_what_has_ended_or_is_older_touches_nobody(make):
    told = make()
    told.run("1.0", "started done")
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    told.submit("1.0", "started hang", attempt=2)
    told.seen("1.0", Started, 2)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    told.pool.stop("7.0", 1, Cause.ASKED)
    told.pool.tick(time.monotonic())
    assert told.states() == ["running"]
    assert len({event.pid for event in told.of("1.0", Started)}) == 1


def test_after_a_kill_the_end_is_the_kills_though_the_worker_says_done(make, tmp_path):
    """The Done that was on its way is not told, what came before it is."""
    told = make(kill_grace=30)
    told.submit("1.0", f"deaf started gate:{tmp_path / 'go'} chunk done")
    told.seen("1.0", Started)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    (tmp_path / "go").touch()
    told.seen("1.0", Chunks)
    assert told.states() == ["ending"]
    told.pool.tick(time.monotonic() + 31)
    assert told.end("1.0").cause is Cause.TIMEOUT


def test_kills_that_race_with_ends_leave_one_end_each(make):
    """Done, kill and death at about the same time, a dozen times; the fixture counts the ends."""
    told = make(2)
    scripts = ["started chunk done", "started exit:3", "started raise"]
    for number in range(12):
        spec = told.submit(f"{number}.0", scripts[number % 3])
        if number % 4:
            told.wait(lambda spec=spec: told.of(spec.part_id, Started) or told.of(spec.part_id, Lost))
        told.pool.kill(spec.part_id, 1, Cause.CANCELLED)
        told.pool.kill(spec.part_id, 1, Cause.TIMEOUT)
        told.wait(told.pool.free_slots)
    for number in range(12):
        told.end(f"{number}.0")


def test_one_that_nothing_ends_is_given_up_and_what_it_says_later_is_not_told(make, monkeypatch, tmp_path):
    """A process that hangs in the kernel keeps neither its job nor its slot; it may wake up, an hour later."""
    told = make(kill_grace=0)
    told.submit("1.0", f"started gate:{tmp_path / 'late'} chunk done hang")
    pid = told.seen("1.0", Started).pid
    with monkeypatch.context() as patch:
        patch.setattr(told.kind.worker, "end", lambda worker, *, hard: None)
        told.pool.kill("1.0", 1, Cause.TIMEOUT)
        told.pool.tick(time.monotonic())
        told.pool.tick(time.monotonic() + 11)
        if not told.pool._staffs[0].source.here:  # the cluster, or a command, may see only later that it is gone
            assert not told.of("1.0", Lost)
            told.pool.tick(time.monotonic() + 46)
    end = told.of("1.0", Lost)[0]
    assert (end.cause, end.exitcode) == (Cause.TIMEOUT, None)
    assert isinstance(told.run("2.0", "started done"), Done)
    (tmp_path / "late").touch()
    told.wait(lambda: told.pool.workers()[0].state == "idle")
    told.run("3.0", "started chunk chunk done")
    assert told.of("1.0")[-1] is end
    with contextlib.suppress(ProcessLookupError):  # a far side that hears nothing ends by itself
        told.kind.signal(pid, signal.SIGKILL)
    told.wait(lambda: not told.kind.exists(pid))

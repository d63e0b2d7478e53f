"""How attempts end: by themselves, by orders, by death. The fixture checks that each has exactly one end."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from sttd.part import Cause, Chunks, Done, Failed, Lost, Notice, Progress, Started


def test_a_part_is_driven_to_its_end_and_told_in_order(rig):
    told = rig()
    end = told.run("1.0", "notice:hello started progress chunk chunk done")
    assert end == Done(part_id="1.0", attempt=1, audio_seconds=1.0)
    kinds = [type(event) for event in told.events]
    assert kinds == [Notice, Started, Progress, Chunks, Chunks, Done]
    assert [event.chunks[0].index for event in told.of("1.0", Chunks)] == [0, 1]


def test_a_worker_says_failed_itself_and_lives_on_where_the_file_is_to_blame(rig):
    told = rig()
    assert told.run("1.0", "failed:BAD_FILE").cause is Cause.BAD_FILE
    (pid,) = told.pids()
    assert isinstance(told.run("2.0", "started done"), Done)
    assert told.pids() == [pid]


@pytest.mark.parametrize(
    ("script", "cause", "text"),
    [
        ("started raise", Cause.ERROR, "ValueError: boom"),
        ("started memory", Cause.OOM, "no memory"),
        ("started unpicklable", Cause.ERROR, "cannot be sent"),
        ("started gap", Cause.ERROR, "does not follow"),
        ("started silent", Cause.ERROR, "without saying how"),
    ],
)
def test_what_run_part_does_wrong_is_told_and_a_new_worker_takes_the_next(rig, script, cause, text):
    told = rig()
    end = told.run("1.0", script)
    assert isinstance(end, Failed)
    assert end.cause is cause
    assert text in end.error
    (first,) = told.of("1.0", Started)
    told.run("2.0", "started done")
    assert told.of("2.0", Started)[0].pid != first.pid


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("started exit:7", "exit code 7"),
        ("started exit:0", "exit code 0"),
        ("started segv", "SIGSEGV"),
        ("started kill:SIGKILL", "SIGKILL"),
        ("started kill:SIGTERM", "SIGTERM"),
        ("started foreign", "foreign bytes"),
        ("started numpy", "fractions"),
        ("started close", "closed its pipe"),
    ],
)
def test_a_death_without_orders_is_a_crash_that_says_how_at_once(rig, script, text):
    """No tick is needed: the reader sees it."""
    told = rig()
    end = told.run("1.0", script)
    assert isinstance(end, Lost)
    assert end.cause is Cause.CRASH
    assert text in end.error
    assert isinstance(told.run("2.0", "started done"), Done)


def test_sigkill_with_a_grown_count_of_oom_kills_is_out_of_memory(rig, tmp_path):
    counter = tmp_path / "memory.events"
    told = rig(oom_kills=lambda: 4 + counter.exists())
    end = told.run("1.0", f"started chunk touch:{counter} kill:SIGKILL")
    assert end.cause is Cause.OOM
    assert "OOM killer" in end.error
    # the count stays where it is: the next SIGKILL is somebody else's
    assert told.run("2.0", "started kill:SIGKILL").cause is Cause.CRASH


def test_a_model_that_cannot_be_loaded_is_the_machines_fault(rig):
    told = rig()
    end = told.run("1.0", "started", model="absent")
    assert (type(end), end.cause) == (Failed, Cause.NO_MODEL)
    end = told.run("2.0", "started", model="crashing")
    assert (type(end), end.cause) == (Lost, Cause.NO_MODEL)
    assert "SIGSEGV" in end.error


def test_a_worker_that_cannot_even_start_is_the_machines_fault(rig):
    told = rig(worker="tests.pool.no_such_module")
    end = told.run("1.0", "started")
    assert (type(end), end.cause, end.exitcode) == (Lost, Cause.MACHINE, 1)


def test_no_process_to_be_had_ends_the_attempt_and_raises_nothing(rig, monkeypatch):
    def refuse(process):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    told = rig()
    with monkeypatch.context() as patch:
        patch.setattr("sttd.pool.local.process._spawn", refuse)
        descriptors = len(os.listdir("/proc/self/fd"))
        end = told.run("1.0", "started")
        assert len(os.listdir("/proc/self/fd")) == descriptors
    assert end.cause is Cause.MACHINE
    assert "Resource temporarily unavailable" in end.error
    assert isinstance(told.run("2.0", "started done"), Done)


def test_a_killed_worker_prints_its_stacks_and_dies_of_sigterm(rig, capfd):
    told = rig(kill_grace=30)
    told.submit("1.0", "started chunk hang")
    told.seen("1.0", Chunks)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    end = told.end("1.0")
    assert (type(end), end.cause, end.exitcode) == (Lost, Cause.TIMEOUT, -signal.SIGTERM)
    assert "in hang" in capfd.readouterr().err


def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace(rig):
    told = rig(kill_grace=0.3)
    told.submit("1.0", "deaf started hang")
    told.seen("1.0", Started)
    began = time.monotonic()
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    assert told.states() == ["ending"], "kill waits for nobody"
    assert told.end("1.0").exitcode == -signal.SIGKILL
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("script", ["started chunk stop", "started chunk half", "started chunk deaf half"])
@pytest.mark.parametrize("cause", [Cause.TIMEOUT, Cause.CANCELLED])
def test_a_stopped_worker_is_killed_even_in_mid_message(rig, script, cause):
    told = rig()
    told.submit("1.0", script)
    told.seen("1.0", Chunks)
    (pid,) = told.pids()
    told.wait(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    told.pool.kill("1.0", 1, cause)
    end = told.end("1.0")
    assert (type(end), end.cause) == (Lost, cause)
    assert not psutil.pid_exists(pid)


def test_the_others_do_not_pause_while_one_is_stopped_in_mid_message(rig):
    told = rig(workers=2)
    told.submit("1.0", "started half")
    told.seen("1.0", Started)
    for number in range(2, 12):
        assert isinstance(told.run(f"{number}.0", "started burst:200 done"), Done)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    assert told.end("1.0").cause is Cause.TIMEOUT


def test_what_a_worker_started_dies_with_it(rig):
    told = rig()
    told.submit("1.0", "started grandchild hang")
    other = int(told.seen("1.0", Notice).text)
    told.pool.kill("1.0", 1, Cause.CANCELLED)
    told.end("1.0")
    told.wait(lambda: not psutil.pid_exists(other) or psutil.Process(other).status() == psutil.STATUS_ZOMBIE)


def test_the_first_kill_counts_and_a_second_changes_nothing(rig):
    told = rig()
    told.submit("1.0", "deaf started hang")
    told.seen("1.0", Started)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    told.pool.kill("1.0", 1, Cause.CANCELLED)
    assert told.states() == ["ending"]
    assert told.end("1.0").cause is Cause.TIMEOUT


def test_a_kill_of_what_has_ended_or_is_older_touches_nobody(rig):
    told = rig()
    told.run("1.0", "started done")
    (pid,) = told.pids()
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    told.submit("1.0", "started hang", attempt=2)
    told.seen("1.0", Started, 2)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    told.pool.stop("7.0", 1, Cause.ASKED)
    told.pool.tick(time.monotonic())
    assert (told.pids(), told.states()) == ([pid], ["running"])


def test_after_a_kill_the_end_is_the_kills_though_the_worker_says_done(rig, tmp_path):
    """The Done that was on its way is not told, what came before it is."""
    told = rig(kill_grace=30)
    told.submit("1.0", f"deaf started gate:{tmp_path / 'go'} chunk done")
    told.seen("1.0", Started)
    told.pool.kill("1.0", 1, Cause.TIMEOUT)
    (tmp_path / "go").touch()
    told.seen("1.0", Chunks)
    assert told.states() == ["ending"]
    told.pool.tick(time.monotonic() + 31)
    assert told.end("1.0").cause is Cause.TIMEOUT


def test_kills_that_race_with_ends_leave_one_end_each(rig):
    """Done, kill and death at about the same time, two dozen times; the fixture counts the ends."""
    told = rig(workers=2)
    scripts = ["started chunk done", "started exit:3", "started raise"]
    for number in range(24):
        spec = told.submit(f"{number}.0", scripts[number % 3])
        if number % 4:
            told.wait(lambda spec=spec: told.of(spec.part_id, Started) or told.of(spec.part_id, Lost))
        told.pool.kill(spec.part_id, 1, Cause.CANCELLED)
        told.pool.kill(spec.part_id, 1, Cause.TIMEOUT)
        told.wait(told.pool.free_slots)
    for number in range(24):
        told.end(f"{number}.0")


def test_one_that_even_sigkill_does_not_end_is_given_up(rig, monkeypatch):
    """A process that hangs in the kernel keeps neither its job nor its slot."""
    told = rig(kill_grace=0)
    told.submit("1.0", "started hang")
    pid = told.seen("1.0", Started).pid
    with monkeypatch.context() as patch:
        patch.setattr("sttd.pool.local.process.WorkerProcess.end", lambda worker, *, hard: None)
        told.pool.kill("1.0", 1, Cause.TIMEOUT)
        told.pool.tick(time.monotonic())
        told.pool.tick(time.monotonic() + 11)
    end = told.of("1.0", Lost)[0]
    assert (end.cause, end.exitcode) == (Cause.TIMEOUT, None)
    assert told.pool.free_slots() == 1
    assert isinstance(told.run("2.0", "started done"), Done)
    os.kill(pid, signal.SIGKILL)
    told.wait(lambda: not psutil.pid_exists(pid))


def test_a_python_that_cannot_be_run_is_named(rig, monkeypatch):
    """After an update of the virtual environment, say: the child ends before it could say anything."""
    told = rig()
    told.run("1.0", "started done")  # multiprocessing's helper is there, as in a daemon that has run
    told.pool.release_idle()
    told.wait(lambda: not told.pool.workers())
    monkeypatch.setattr("multiprocessing.spawn._python_exe", b"/nowhere/bin/python")
    lost = told.run("2.0", "started done")
    assert lost.cause is Cause.MACHINE
    assert "/nowhere/bin/python cannot be run" in lost.error
    assert "messages above" not in lost.error

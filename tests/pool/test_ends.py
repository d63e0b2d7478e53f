"""How attempts of processes of this machine end. What holds for every kind of worker is in tests/pool/contract."""

from __future__ import annotations

import os
import signal

from sttd.part import Cause, Chunks, Done, Lost


def test_sigkill_with_a_grown_count_of_oom_kills_is_out_of_memory(rig, tmp_path):
    counter = tmp_path / "memory.events"
    told = rig(oom_kills=lambda: 4 + counter.exists())
    end = told.run("1.0", f"started chunk touch:{counter} kill:SIGKILL")
    assert end.cause is Cause.OOM
    assert "OOM killer" in end.error
    # the count stays where it is: the next SIGKILL is somebody else's
    assert told.run("2.0", "started kill:SIGKILL").cause is Cause.CRASH


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
    printed = capfd.readouterr().err
    assert "(most recent call first)" in printed
    assert "tests/pool/scripted.py" in printed or " in _send" in printed, "where it hangs, or was on its way to"


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

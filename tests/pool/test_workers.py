"""The life of workers: who takes a part, who stays warm, who is replaced, and what they owe to their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest

from sttd.host.capacity import Capacity
from sttd.part import Cause, Chunks, Done, Lost, Notice, Options, Place, Started
from sttd.pool.protocol import PoolFull
from sttd.pool.wire import Clean
from tests.harness import PATIENCE
from tests.pool.conftest import worker_processes


def pid_of(told, part_id):
    return told.of(part_id, Started)[-1].pid


def last_end(told, part_id) -> int:
    """The sample at which the last chunk that was told of ends."""
    return told.of(part_id, Chunks)[-1].chunks[-1].end


def test_a_worker_stays_warm_and_takes_the_next_part_with_its_model(rig):
    told = rig(workers=2)
    for number in range(5):
        told.run(f"{number}.0", "started done")
    assert len({pid_of(told, f"{number}.0") for number in range(5)}) == 1
    assert told.pool.free_slots() == 2


def test_another_model_gets_another_worker_and_at_the_limit_the_idle_one_makes_room(rig):
    told = rig(workers=1)
    told.run("1.0", "started done", model="demo")
    told.run("2.0", "started done", model="other")
    assert pid_of(told, "1.0") != pid_of(told, "2.0")
    told.wait(lambda: len(worker_processes()) == 1)
    assert told.pool.workers()[0].model == "other"


def test_a_worker_with_a_stuck_load_is_replaced_after_its_part(rig):
    told = rig()
    told.run("1.0", "started done", model="stuck")
    assert told.of("1.0", Started)[0].fallback_reason == "load timed out"
    assert [notice.event for notice in told.of("1.0", Notice)] == ["fallback"]
    told.run("2.0", "started done", model="stuck")
    assert pid_of(told, "1.0") != pid_of(told, "2.0")


def test_a_worker_is_replaced_after_so_many_jobs(rig):
    told = rig(jobs_per_worker=2)
    pids = []
    for number in range(5):
        told.run(f"{number}.0", "started done")
        pids.append(pid_of(told, f"{number}.0"))
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_an_idle_worker_ends_after_its_time_and_not_before(rig):
    told = rig(idle_ttl=100.0)
    told.run("1.0", "started done")
    now = time.monotonic()
    told.pool.tick(now + 99)
    assert told.states() == ["idle"]
    told.pool.tick(now + 101)
    assert told.states() in ([], ["leaving"])
    told.wait(lambda: not worker_processes())
    assert told.pool.free_slots() == 1


def test_a_stopped_idle_worker_that_is_to_leave_is_killed(rig):
    told = rig(kill_grace=0.2)
    told.run("1.0", "started done")
    os.kill(told.pids()[0], signal.SIGSTOP)
    told.pool.release_idle()
    told.wait(lambda: not told.pool.workers())
    assert worker_processes() == []


def test_an_idle_worker_that_dies_harms_no_job(rig):
    """Its death may be seen only when the next part is given to it."""
    told = rig()
    for number in range(12):
        told.run(f"{number}.0", "started done")
        for pid in told.pids():
            os.kill(pid, signal.SIGKILL)
        if number % 2:
            told.wait(lambda: not told.pids())
    for number in range(12):
        causes = [lost.cause for lost in told.of(f"{number}.0", Lost)]
        assert causes in ([], [Cause.MACHINE]), "no attempt may be spent on it"


def test_an_idle_worker_that_takes_no_orders_gets_no_part(rig):
    """It was stopped in its idleness, and its pipe is full: the part goes to a new worker."""
    told = rig()
    told.run("1.0", "started done")
    (pid,) = told.pids()
    os.kill(pid, signal.SIGSTOP)
    while told.pool._seats()[0].worker.send(Clean()):
        pass
    assert isinstance(told.run("2.0", "started done"), Done)
    assert pid_of(told, "2.0") != pid
    told.wait(lambda: not psutil.pid_exists(pid))


def test_an_order_of_any_size_reaches_its_worker_and_those_behind_it_too(rig):
    """A pipe takes 64 KiB at once; hotwords and prompt may be longer."""
    told = rig()
    words = Options(hotwords="กขค " * 2**20, initial_prompt="x" * 2**20)
    for number in range(3):
        told.submit(f"{number}.0", "started " + "chunk sleep:0.05 " * 1000, options=words)
        told.seen(f"{number}.0", Started)
        told.pool.stop(f"{number}.0", 1, Cause.ASKED)
        assert told.end(f"{number}.0").cause is Cause.ASKED
    assert len({pid_of(told, f"{number}.0") for number in range(3)}) == 1


def test_a_worker_that_stops_in_the_middle_of_a_large_order_holds_nobody_up(rig):
    told = rig()
    told.run("1.0", "started done")
    (pid,) = told.pids()
    os.kill(pid, signal.SIGSTOP)
    told.submit("2.0", "started done", options=Options(hotwords="x" * 2**22))
    told.pool.kill("2.0", 1, Cause.TIMEOUT)
    assert told.end("2.0").cause is Cause.TIMEOUT


def test_submit_to_a_full_or_closed_pool_is_refused_and_changes_nothing(rig):
    told = rig(workers=1)
    told.submit("1.0", "started hang")
    assert told.pool.free_slots() == 0
    with pytest.raises(PoolFull):
        told.submit("2.0", "started done")
    told.pool.close(0.0)
    assert told.pool.free_slots() == 0
    with pytest.raises(PoolFull):
        told.submit("3.0", "started done")
    assert not told.of("2.0") + told.of("3.0")


def test_a_lower_limit_lets_running_parts_go_on_and_surplus_workers_leave(rig, tmp_path):
    told = rig(workers=2)
    for number in (1, 2):
        told.submit(f"{number}.0", f"started gate:{tmp_path / 'go'} done")
    for number in (1, 2):
        told.seen(f"{number}.0", Started)
    told.pool.limit(1)
    assert told.pool.free_slots() == 0
    assert told.states() == ["running", "running"]
    (tmp_path / "go").touch()
    told.end("1.0")
    told.end("2.0")
    told.wait(lambda: len(worker_processes()) == 1)
    assert told.pool.free_slots() == 1
    told.pool.limit(2)
    assert told.pool.free_slots() == 2


def test_the_views_tell_what_each_worker_does(rig, tmp_path):
    told = rig()
    told.submit("1.0", f"notice:here gate:{tmp_path / 'go'} started hang")
    told.seen("1.0", Notice)
    (view,) = told.pool.workers()
    assert (view.state, view.part_id, view.model) == ("loading", "1.0", "demo")
    assert view.rss > 2**20
    (tmp_path / "go").touch()
    told.seen("1.0", Started)
    assert told.states() == ["running"]


def test_asked_to_stop_it_stops_after_its_batch_where_nothing_is_lost(rig):
    told = rig()
    told.submit("1.0", "started chunks", places={0: Place(16000)}, next_index=1)
    told.seen("1.0", Chunks)
    told.pool.stop("1.0", 1, Cause.MEMORY)
    told.pool.stop("1.0", 9, Cause.ASKED)
    end = told.end("1.0")
    assert end == Done(part_id="1.0", attempt=1, resume_at=last_end(told, "1.0"), cause=Cause.MEMORY)
    assert told.states() == ["idle"], "the model stays warm"


def test_asked_to_stop_before_it_has_begun_it_stops_at_once(rig):
    """While the stream is wound forward there is nothing to lose."""
    told = rig()
    told.submit("1.0", "wound", places={0: Place(32000)}, next_index=2)
    told.wait(lambda: told.of("1.0"))
    told.pool.stop("1.0", 1, Cause.ASKED)
    assert told.end("1.0") == Done(part_id="1.0", attempt=1, resume_at=32000, cause=Cause.ASKED)


def test_a_used_up_budget_ends_the_slice_after_a_batch(rig):
    """One batch at least is done in each slice, so that slices come to an end."""
    told = rig()
    end = told.run("1.0", "started chunk chunk hang", budget=0.0)
    assert end == Done(part_id="1.0", attempt=1, resume_at=16000, cause=Cause.SLICE)
    end = told.run("2.0", "started chunks", budget=0.1)
    assert end == Done(part_id="2.0", attempt=1, resume_at=last_end(told, "2.0"), cause=Cause.SLICE)


def test_clean_ups_come_by_count_over_jobs_and_are_told(rig):
    told = rig(memory={"cleanup_every_chunks": 3})
    told.run("1.0", "started chunk chunk done")
    told.run("2.0", "started chunk done")
    assert not told.of("1.0", Notice)
    (notice,) = told.of("2.0", Notice)
    assert (notice.event, notice.text) == ("cleanup", "clean-up: 3.0 MiB given back")


def test_a_clean_up_that_is_asked_for_comes_with_the_next_chunk(rig):
    told = rig(memory={"cleanup_every_chunks": 1_000_000})
    told.submit("1.0", "started chunks")
    told.seen("1.0", Chunks)
    told.pool.clean_up()
    assert told.seen("1.0", Notice).event == "cleanup"
    told.pool.stop("1.0", 1, Cause.ASKED)
    told.end("1.0")
    assert len(told.of("1.0", Notice)) == 1


def test_each_worker_sees_a_gpu_of_its_own(rig, monkeypatch, tmp_path):
    monkeypatch.setattr("sttd.pool.local.source.capacity", lambda: Capacity(2, 2**33, ("0", "1")))
    told = rig(workers=2)
    for number in (1, 2):
        told.submit(f"{number}.0", f"env gate:{tmp_path / 'go'} done")
    assert [told.seen(f"{number}.0", Notice).text for number in (1, 2)] == ["0", "1"]
    (tmp_path / "go").touch()


def test_the_kernel_takes_a_worker_before_the_daemon(rig):
    told = rig()
    told.run("1.0", "score done")
    assert int(told.of("1.0", Notice)[0].text) >= 500


def test_closing_asks_those_that_work_and_waits_for_them(rig):
    told = rig(workers=3)
    told.submit("1.0", "started chunks")
    told.submit("2.0", "started", model="hanging")
    told.run("3.0", "started done")
    told.seen("1.0", Chunks)
    closing = threading.Thread(target=told.pool.close, args=(PATIENCE,))
    closing.start()
    assert told.end("2.0").cause is Cause.SHUTDOWN, "one that loads has nothing to lose"
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert told.of("1.0")[-1] == Done(part_id="1.0", attempt=1, resume_at=last_end(told, "1.0"), cause=Cause.ASKED)
    assert worker_processes() == []


def test_closing_kills_what_does_not_stop_within_the_grace(rig):
    told = rig(workers=3)
    for part_id, script in (("1.0", "started chunk hang"), ("2.0", "started deaf chunk half")):
        told.submit(part_id, script)
        told.seen(part_id, Chunks)
    told.run("3.0", "started done")
    (idle,) = (view.pid for view in told.pool.workers() if view.state == "idle")
    os.kill(idle, signal.SIGSTOP)
    told.pool.close(0.3)
    assert {told.of(part_id)[-1].cause for part_id in ("1.0", "2.0")} == {Cause.SHUTDOWN}
    assert worker_processes() == []


def test_a_second_close_shortens_the_grace_of_the_first(rig):
    told = rig()
    told.submit("1.0", "started chunk hang")
    told.seen("1.0", Chunks)
    first = threading.Thread(target=told.pool.close, args=(3600.0,))
    first.start()
    told.pool.close(0.0)
    first.join(PATIENCE)
    assert not first.is_alive()
    assert told.of("1.0")[-1].cause is Cause.SHUTDOWN
    told.pool.kill("1.0", 1, Cause.TIMEOUT)


def test_many_jobs_leave_no_descriptor_thread_or_process_behind(rig):
    told = rig(workers=2, jobs_per_worker=10)
    told.run("warm.0", "started done")
    told.pool.release_idle()
    told.wait(lambda: not told.pool.workers())
    before = (len(os.listdir("/proc/self/fd")), threading.active_count())
    for number in range(120):
        told.wait(told.pool.free_slots)
        told.submit(f"{number}.0", "started chunk exit:1" if number % 20 == 7 else "started chunk done")
    for number in range(120):
        told.end(f"{number}.0")
    told.pool.release_idle()
    told.wait(lambda: not told.pool.workers())
    told.wait(lambda: (len(os.listdir("/proc/self/fd")), threading.active_count()) == before)


PARENT = """
    import dataclasses, sys, time
    from tests.pool.conftest import Rig
    if __name__ == "__main__":
        told = Rig(workers=5)
        for number, script in enumerate(["started chunk hang", "started half", "started deaf hang", "started deaf gil"]):
            told.submit(f"{number}.0", script)
        told.run("9.0", "started done")
        for number in range(4):
            told.wait(lambda: told.of(f"{number}.0"))
        print(*told.pids(), flush=True)
        time.sleep(600)
"""


def test_no_worker_outlives_a_daemon_that_is_killed(tmp_path):
    """Working, stopped in mid-message, deaf to SIGTERM, stuck in C code with the GIL, idle: all gone, and with them the resource tracker."""
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(PARENT))
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    try:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 5
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) == 6
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    left = [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
    for each in left:
        each.kill()
    assert left == []


def test_the_parent_imports_nothing_of_the_workers():
    code = (
        "import sttd.pool.build, sttd.rules.policy, sttd.rules.deadlines, sys; "
        "print({'numpy', 'av', 'faster_whisper', 'ctranslate2', 'onnxruntime', 'huggingface_hub', 'sttd.worker'} "
        "& set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_ctrl_c_on_the_terminal_is_not_for_the_workers(rig, tmp_path):
    """They are in groups of their own, and SIGINT changes nothing: the daemon asks them to stop."""
    told = rig()
    told.submit("1.0", f"started gate:{tmp_path / 'go'} chunk done")
    pid = told.seen("1.0", Started).pid
    assert os.getpgid(pid) == pid
    os.kill(pid, signal.SIGINT)
    (tmp_path / "go").touch()
    assert isinstance(told.end("1.0"), Done)

"""The life of workers: who takes a part, who stays warm, who is let go, and how the pool closes."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
import time

import pytest

from sttd.part import Cause, Chunks, Done, Failed, Lost, Notice, Options, Place, Started
from sttd.pool.protocol import PoolFull
from tests.harness import PATIENCE
from tests.pool.contract.test_ends import who


def last_end(told, part_id) -> int:
    """The sample at which the last chunk that was told of ends."""
    return told.of(part_id, Chunks)[-1].chunks[-1].end


def test_a_worker_stays_warm_and_takes_the_next_part_with_its_model(make):
    told = make(2)
    for number in range(5):
        told.run(f"{number}.0", "started done")
    assert len({who(told, f"{number}.0") for number in range(5)}) == 1
    assert told.pool.free_slots() == 2


def test_another_model_is_loaded_and_the_slot_has_one_worker(make):
    told = make()
    told.run("1.0", "started done", model="demo")
    told.run("2.0", "started done", model="other")
    assert told.of("2.0", Started)[0].model == "other"
    told.wait(lambda: [view.model for view in told.pool.workers()] == ["other"])


def test_a_worker_with_a_stuck_load_is_replaced_after_its_part(make):
    told = make()
    told.run("1.0", "started done", model="stuck")
    assert told.of("1.0", Started)[0].fallback_reason == "load timed out"
    assert [notice.event for notice in told.of("1.0", Notice)] == ["fallback"]
    told.run("2.0", "started done", model="stuck")
    assert who(told, "1.0") != who(told, "2.0")


def test_a_worker_is_replaced_after_so_many_jobs(make):
    told = make(jobs_per_worker=2)
    pids = []
    for number in range(5):
        told.run(f"{number}.0", "started done")
        pids.append(who(told, f"{number}.0"))
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_an_idle_worker_ends_after_its_time_and_not_before(make):
    told = make(idle_ttl=100.0)
    told.run("1.0", "started done")
    now = time.monotonic()
    told.pool.tick(now + 99)
    assert told.states() == ["idle"]
    told.pool.tick(now + 101)
    assert told.states() in ([], ["leaving"])
    told.wait(lambda: not told.pool.workers())
    assert isinstance(told.run("2.0", "started done"), Done), "another one is hired when it is needed"


def test_an_idle_worker_that_is_stopped_and_is_to_leave_is_ended(make):
    told = make(kill_grace=0.2, idle_ttl=100.0)
    told.run("1.0", "started done")
    pid = who(told, "1.0")
    told.kind.signal(pid, signal.SIGSTOP)
    told.pool.tick(time.monotonic() + 101)
    told.wait(lambda: not told.pool.workers())
    told.wait(lambda: not told.kind.exists(pid))


def test_an_idle_worker_that_dies_harms_no_job(make):
    """Its death may be seen only when the next part is given to it."""
    told = make()
    for number in range(4):
        if isinstance(told.run(f"{number}.0", "started done"), Done):
            pid = who(told, f"{number}.0")
            told.kind.signal(pid, signal.SIGKILL)
            if number % 2:
                told.wait(lambda pid=pid: not told.kind.exists(pid))
    for number in range(4):
        causes = [lost.cause for lost in told.of(f"{number}.0", Lost)]
        assert causes in ([], [Cause.MACHINE]), "no attempt may be spent on it"


def test_an_order_of_any_size_reaches_its_worker_and_those_behind_it_too(make):
    """A pipe takes 64 KiB at once; hotwords and prompt may be longer."""
    told = make()
    words = Options(hotwords="กขค " * 2**16, initial_prompt="x" * 2**20)
    for number in range(3):
        told.submit(f"{number}.0", "started " + "chunk sleep:0.05 " * 1000, options=words)
        told.seen(f"{number}.0", Started)
        told.pool.stop(f"{number}.0", 1, Cause.ASKED)
        assert told.end(f"{number}.0").cause is Cause.ASKED
    assert len({who(told, f"{number}.0") for number in range(3)}) == 1


def test_an_order_that_is_too_large_fails_its_part_alone(make):
    """Of workers elsewhere it ended a thread, here it was raised in the daemon's loop, and the third one ended that."""
    told = make()
    end = told.run("1.0", "started done", options=Options(hotwords="x" * 2**24))
    assert (type(end), end.cause, end.retriable) == (Failed, Cause.ERROR, False)
    assert "Do of 167" in end.error
    assert "is too large" in end.error
    assert isinstance(told.run("2.0", "started done"), Done)


def test_a_worker_that_stops_in_the_middle_of_a_large_order_holds_nobody_up(make):
    told = make()
    told.run("1.0", "started done")
    told.kind.signal(who(told, "1.0"), signal.SIGSTOP)
    told.submit("2.0", "started done", options=Options(hotwords="x" * 2**22))
    told.pool.kill("2.0", 1, Cause.TIMEOUT)
    assert told.end("2.0").cause is Cause.TIMEOUT


def test_submit_to_a_full_or_closed_pool_is_refused_and_changes_nothing(make):
    told = make()
    told.submit("1.0", "started hang")
    assert told.pool.free_slots() == 0
    with pytest.raises(PoolFull):
        told.pool.submit(told.part("2.0", "started done"))
    told.pool.close(0.0)
    assert told.pool.free_slots() == 0
    with pytest.raises(PoolFull):
        told.pool.submit(told.part("3.0", "started done"))
    assert not told.of("2.0") + told.of("3.0")


def test_who_has_a_part_is_told_with_its_submit(make):
    told = make()
    placed = told.pool.submit(told.part("1.0", "started hang"), {told.pool.sources()[0].name: "it hangs"})
    (view,) = told.pool.workers()
    assert (placed.name, placed.node, placed.pid) == (view.name, view.node, view.pid)
    assert placed.part.model.hold == "it hangs", "a hold is that of the node"
    assert view.name == f"{view.node}/1"


def test_fewer_slots_let_running_parts_go_on_and_surplus_workers_leave(make, tmp_path):
    told = make(2)
    for number in (1, 2):
        told.submit(f"{number}.0", f"started gate:{tmp_path / 'go'} done")
    for number in (1, 2):
        told.seen(f"{number}.0", Started)
    fewer = dataclasses.replace(told.base, pool=dataclasses.replace(told.base.pool, workers=1))
    told.pool.configure(told.kind.configured(fewer))
    assert told.pool.free_slots() == 0
    assert told.states() == ["running", "running"]
    (tmp_path / "go").touch()
    told.end("1.0")
    told.end("2.0")
    told.wait(lambda: len(told.pool.workers()) == 1)
    assert told.pool.free_slots() == 1
    told.pool.configure(told.config)
    told.reach(2)


@pytest.mark.needs("here")
def test_a_lower_limit_of_this_machine_lets_running_parts_go_on_and_surplus_workers_leave(make, tmp_path):
    told = make(2)
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
    told.wait(lambda: len(told.pool.workers()) == 1)
    assert told.pool.free_slots() == 1
    told.pool.release_idle()
    told.wait(lambda: not told.pool.workers())
    told.pool.limit(None)
    assert told.pool.free_slots() == 2


@pytest.mark.needs("elsewhere")
def test_memory_of_this_machine_is_no_matter_of_workers_elsewhere(make):
    told = make(2)
    told.pool.limit(1)
    told.pool.release_idle()
    assert told.pool.free_slots() == 2
    assert {view.rss for view in told.pool.workers()} == {0}


def test_the_views_tell_what_each_worker_does(make, tmp_path):
    told = make()
    told.submit("1.0", f"notice:here gate:{tmp_path / 'go'} started hang")
    told.seen("1.0", Notice)
    (view,) = told.pool.workers()
    assert (view.state, view.part_id, view.model) == ("loading", "1.0", "demo")
    (tmp_path / "go").touch()
    told.seen("1.0", Started)
    assert told.states() == ["running"]


def test_asked_to_stop_it_stops_after_its_batch_where_nothing_is_lost(make):
    told = make()
    told.submit("1.0", "started chunks", places={0: Place(16000)}, next_index=1)
    told.seen("1.0", Chunks)
    told.pool.stop("1.0", 1, Cause.MEMORY)
    told.pool.stop("1.0", 9, Cause.ASKED)
    end = told.end("1.0")
    assert end == Done(part_id="1.0", attempt=1, resume_at=last_end(told, "1.0"), cause=Cause.MEMORY)
    assert told.states() == ["idle"], "the model stays warm"


def test_asked_to_stop_before_it_has_begun_it_stops_at_once(make):
    """While the stream is wound forward there is nothing to lose."""
    told = make()
    told.submit("1.0", "wound", places={0: Place(32000)}, next_index=2)
    told.wait(lambda: told.of("1.0"))
    told.pool.stop("1.0", 1, Cause.ASKED)
    assert told.end("1.0") == Done(part_id="1.0", attempt=1, resume_at=32000, cause=Cause.ASKED)


def test_a_used_up_budget_ends_the_slice_after_a_batch(make):
    """One batch at least is done in each slice, so that slices come to an end."""
    told = make()
    end = told.run("1.0", "started chunk chunk hang", budget=0.0)
    assert end == Done(part_id="1.0", attempt=1, resume_at=16000, cause=Cause.SLICE)
    end = told.run("2.0", "started chunks", budget=0.1)
    assert end == Done(part_id="2.0", attempt=1, resume_at=last_end(told, "2.0"), cause=Cause.SLICE)


def test_clean_ups_come_by_count_over_jobs_and_are_told(make):
    told = make(memory={"cleanup_every_chunks": 3})
    told.run("1.0", "started chunk chunk done")
    told.run("2.0", "started chunk done")
    assert not told.of("1.0", Notice)
    (notice,) = told.of("2.0", Notice)
    assert notice.event == "cleanup"


@pytest.mark.needs("here")
def test_a_clean_up_that_is_asked_for_comes_with_the_next_chunk(make):
    told = make(memory={"cleanup_every_chunks": 1_000_000})
    told.submit("1.0", "started chunks")
    told.seen("1.0", Chunks)
    told.pool.clean_up()
    assert told.seen("1.0", Notice).event == "cleanup"
    told.pool.stop("1.0", 1, Cause.ASKED)
    told.end("1.0")
    assert len(told.of("1.0", Notice)) == 1


def test_closing_asks_those_that_work_and_waits_for_them(make):
    told = make(3)
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


def test_closing_kills_what_does_not_stop_within_the_grace(make):
    told = make(3)
    for part_id, script in (("1.0", "started chunk hang"), ("2.0", "started deaf chunk half")):
        told.submit(part_id, script)
        told.seen(part_id, Chunks)
    told.run("3.0", "started done")
    told.kind.signal(who(told, "3.0"), signal.SIGSTOP)
    told.pool.close(0.3)
    assert {told.of(part_id)[-1].cause for part_id in ("1.0", "2.0")} == {Cause.SHUTDOWN}


def test_a_second_close_shortens_the_grace_of_the_first(make):
    told = make()
    told.submit("1.0", "started chunk hang")
    told.seen("1.0", Chunks)
    first = threading.Thread(target=told.pool.close, args=(3600.0,))
    first.start()
    told.pool.close(0.0)
    first.join(PATIENCE)
    assert not first.is_alive()
    assert told.of("1.0")[-1].cause is Cause.SHUTDOWN
    told.pool.kill("1.0", 1, Cause.TIMEOUT)


def test_many_jobs_leave_no_descriptor_or_thread_behind(make):
    told = make(2, jobs_per_worker=5, idle_ttl=100.0)
    told.run("warm.0", "started done")
    told.pool.tick(time.monotonic() + 101)
    told.wait(lambda: not told.pool.workers())
    before = _held()
    for number in range(24):
        told.wait(told.pool.free_slots) if told.pool.workers() else None
        told.submit(f"{number}.0", "started chunk exit:1" if number % 10 == 7 else "started chunk done")
    for number in range(24):
        told.end(f"{number}.0")
    told.wait(lambda: "running" not in told.states())
    told.pool.tick(time.monotonic() + 101)
    told.wait(lambda: not told.pool.workers())
    told.wait(lambda: all(now <= was for now, was in zip(_held(), before, strict=True)))


def _held() -> tuple[int, int]:
    """Descriptors and threads; fewer than before where Ray's driver was ended on a machine that is too slow for it."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()

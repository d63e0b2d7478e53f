"""Recordings of one size, and those with the same content: floods of them, and whatever becomes of the original."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sttd.daemon import dispatch, orders, requests, sweep, twins
from sttd.job import Identity, Overrides, State
from sttd.ledger import Ledger
from sttd.ledger.fresh import fresh
from sttd.part import Cause
from tests.harness import PATIENCE, wait_for
from tests.properties.stations import SLOTS, Pool

FLOOD = 20_000
SIZE = 1000


def flood(context, count: int = FLOOD) -> None:
    """Queued jobs of one size, and a running one; workers that never come to an end."""
    context.pool = Pool()
    first = context.ledger.add("first.mp3", Identity(SIZE, 1), context.utc())
    context.ledger.update(first, state=State.RUNNING, attempt=1, options_key=orders.key_of(context, first))
    with context.ledger.transaction():
        for number in range(count):
            context.ledger.add(f"{number}.mp3", Identity(SIZE, 1), context.utc())


def contents(context, count: int) -> None:
    """The files of such a flood, no two alike."""
    for number, name in enumerate(["first", *map(str, range(count))]):
        path = context.config.paths.inbox / f"{name}.mp3"
        path.write_bytes(str(number).zfill(SIZE).encode())
        os.utime(path, ns=(1, 1))


def counted(ledger: Ledger, call) -> int:
    """The statements of SQL that a call asks: what a round of the loop costs, on any machine."""
    asked: list[str] = []
    ledger._db.set_trace_callback(asked.append)
    call()
    ledger._db.set_trace_callback(None)
    return len(asked)


def steps_of_sqlite(ledger: Ledger, call) -> int:
    """The instructions of SQLite's machine that a call takes, in hundreds rounded down."""
    hundreds = [0]

    def count() -> int:
        hundreds[0] += 1
        return 0

    ledger._db.set_progress_handler(count, 100)
    call()
    ledger._db.set_progress_handler(None, 0)
    return 100 * hundreds[0]


def test_a_flood_of_one_size_costs_a_round_of_the_loop_next_to_nothing(stations):
    """A few contents are looked at ahead of their turn; none is posted twice, and no round asks about all of them."""
    context, inputs = stations
    flood(context)
    assert counted(context.ledger, lambda: dispatch.dispatch(context)) < 200
    assert len(context.twins.tries) == twins.CHECKS
    assert counted(context.ledger, lambda: dispatch.dispatch(context)) < 200
    assert context.work.checks.under_way == twins.CHECKS
    while context.work.checks.under_way:  # each that comes back makes room for another one
        inputs.get(timeout=PATIENCE).settle()
        assert counted(context.ledger, lambda: dispatch.dispatch(context)) < 200
        assert context.work.checks.under_way == len(context.twins.tries) <= twins.CHECKS
    assert len(context.pool.attempts) == SLOTS  # no worker waits
    assert sum(job.sha256 is not None for job in context.ledger.each()) <= SLOTS + twins.AHEAD + twins.CHECKS


def test_a_worker_that_becomes_free_in_a_flood_of_one_size_has_its_next_job_at_once(stations):
    """What comes next was looked at while all were busy: no worker waits for its content to be read."""
    context, inputs = stations
    contents(context, twins.AHEAD)
    flood(context, twins.AHEAD)
    context.ledger.note_hash(context.ledger.get(1), "another")  # the one that runs, from before its turn
    context.pool.attempts = dict.fromkeys(range(SLOTS))
    dispatch.dispatch(context)
    assert context.work.checks.under_way > 0
    while context.work.checks.under_way:
        inputs.get(timeout=PATIENCE).settle()
    context.pool.attempts.popitem()
    dispatch.dispatch(context)
    assert context.pool.free_slots() == 0
    assert len(context.running) == 1


def test_a_flood_of_twins_is_copied_a_few_at_a_time(stations):
    """Each round begins as many as there is room for, whatever waits."""
    context, _ = stations
    original = context.ledger.add("first.mp3", Identity(SIZE, 1), context.utc())
    for state in (State.RUNNING, State.COMMITTING, State.DONE):
        original = context.ledger.update(original, state=state)
    with context.ledger.transaction():
        for number in range(2000):
            context.ledger.add(f"{number}.mp3", Identity(SIZE, 1), context.utc(), copy_of=original.id)
    assert counted(context.ledger, lambda: twins.follow(context)) < 2000
    assert context.ledger.counts()[State.COMMITTING] == len(context.filing.tries) > 0


def test_a_flood_of_copies_of_as_many_finished_jobs_costs_a_round_of_the_loop_next_to_nothing(stations):
    """A folder of finished recordings is dropped once more. 20,000 of them once took the loop two minutes a round."""
    context, _ = stations
    with context.ledger.transaction():
        for number in range(1, 2001):
            done = {"state": State.DONE, "finished_at": 0.0, "location": ""}
            context.ledger.add(f"{number}.mp3", Identity(number, 1), 0.0, **done)
        for number in range(1, 2001):
            context.ledger.add(f"copy of {number}.mp3", Identity(number, 1), 0.0, copy_of=number)
    twins.follow(context)
    assert context.ledger.counts()[State.COMMITTING] == len(context.filing.tries) > 0
    assert steps_of_sqlite(context.ledger, lambda: twins.follow(context)) < 50_000
    assert counted(context.ledger, lambda: twins.follow(context)) < 200, "there is no room for more"
    seen = set()
    for _ in range(2 * 2001 // twins.ORIGINALS):
        twins.follow(context)
        seen.add(context.twins.last)
    assert max(seen) > 1900, "each has its turn"


def test_no_copy_begins_while_results_cannot_be_put_in_place(stations):
    """Each would fail as well, and all would be tried again every half minute."""
    context, _ = stations
    done = {"state": State.DONE, "finished_at": 0.0, "location": ""}
    original = context.ledger.add("first.mp3", Identity(SIZE, 1), 0.0, **done)
    context.ledger.add("twin.mp3", Identity(SIZE, 1), 0.0, copy_of=original.id)
    context.troubles.begin("archive", "the disk is full")
    twins.follow(context)
    assert context.ledger.counts()[State.COMMITTING] == 0
    context.troubles.end("archive")
    twins.follow(context)
    assert context.ledger.counts()[State.COMMITTING] == 1


@pytest.mark.parametrize("why", ["changed", "unreadable", "gone", "machine", None])
def test_a_twin_does_not_wait_for_a_job_that_waits_itself(stations, why):
    """Its original was changed under its worker, or may not be read between two slices: it may wait for ever."""
    context, _ = stations
    original = context.ledger.add("first.mp3", Identity(SIZE, 1), 0.0, sha256="same", service=1.0)
    if why == "changed":
        context.ledger.update(original, **fresh(Identity(SIZE + 1, 2)))
    elif why:
        context.ledger.update(original, cause=Cause(why), not_before=1e12)
    twin = context.ledger.add("twin.mp3", Identity(SIZE, 1), 0.0, sha256="same", copy_of=original.id)
    twins.follow(context)
    assert context.ledger.get(twin.id).copy_of == (None if why else original.id)


def test_a_twin_is_found_among_all_jobs_of_a_size_however_many_are_newer(stations):
    """By content over all of them, not among the newest."""
    context, _ = stations
    key = orders.key_of(context, context.ledger.add("probe.mp3", Identity(1, 1), 0.0))
    done = {"state": State.DONE, "options_key": key, "finished_at": 0.0, "location": ""}
    with context.ledger.transaction():
        wanted = context.ledger.add("old.mp3", Identity(SIZE, 1), 0.0, sha256="same", **done)
        for number in range(200):
            context.ledger.add(f"{number}.mp3", Identity(SIZE, 1), 0.0, sha256=str(number), **done)
    job = context.ledger.add("new.mp3", Identity(SIZE, 2), 0.0, sha256="same")
    assert twins.turn(context, job) is twins.Turn.TWIN
    assert context.ledger.get(job.id).copy_of == wanted.id


def test_a_running_job_of_the_same_size_is_hashed_once_for_all_that_wait(stations):
    context, inputs = stations
    contents(context, 10)
    flood(context, 10)
    done = []
    dispatch.dispatch(context)
    while context.work.checks.under_way:
        finished = inputs.get(timeout=PATIENCE)
        done.append(finished.errand.job)
        finished.settle()
        dispatch.dispatch(context)
    assert done.count(1) == 1
    assert len(done) == len(set(done))
    assert context.ledger.get(1).sha256


def test_a_hanging_content_check_keeps_no_job_from_starting_for_ever(stations, tmp_path):
    """The thread for content checks waits for a mount that does not answer: after a while jobs start without a check."""
    context, _ = stations
    flood(context, 3)
    os.mkfifo(tmp_path / "inbox" / "hangs")  # whoever opens it waits
    context.work.checks.post("hangs", lambda: Path(tmp_path / "inbox" / "hangs").read_bytes(), print, print)
    wait_for(context.work.checks.operations, "the thread hangs")
    job = context.ledger.get(2)
    assert twins.turn(context, job) is twins.Turn.LATER
    since = context.clock()
    context.clock = lambda: since + twins.PATIENCE + 1
    assert twins.turn(context, job) is twins.Turn.START
    os.close(os.open(tmp_path / "inbox" / "hangs", os.O_WRONLY))


@pytest.mark.parametrize("end", [State.FAILED, State.CANCELLED, State.VANISHED, None])
def test_a_twin_whose_original_came_to_no_result_has_its_own_turn_again(stations, end):
    """Seen by the sweep, from the rows: nobody has to tell it. `None`: the original is forgotten."""
    context, _ = stations
    original = context.ledger.add("first.mp3", Identity(SIZE, 1), 0.0)
    if end is not None:
        context.ledger.update(original, state=end, finished_at=0.0)
    twin = context.ledger.add("twin.mp3", Identity(SIZE, 1), 0.0, copy_of=1 if end is not None else 77)
    sweep.sweep(context)
    assert context.ledger.get(twin.id).copy_of is None


def copied(context):
    """A finished job without a result any more, and a twin whose copy is begun."""
    source = context.config.paths.inbox / "twin.mp3"
    source.write_bytes(b"x" * SIZE)
    original = context.ledger.add("first.mp3", Identity(SIZE, 1), 0.0, state=State.DONE, location="", finished_at=0.0)
    twin = context.ledger.add("twin.mp3", Identity.of(source.stat()), 0.0, copy_of=original.id)
    twins.follow(context)
    assert context.ledger.get(twin.id).state is State.COMMITTING
    return source, twin


def test_a_twin_that_cannot_be_copied_is_transcribed_itself(stations):
    """The row says so, so that nobody tries it again, after a restart either."""
    context, inputs = stations
    _, twin = copied(context)
    inputs.get(timeout=PATIENCE).settle()
    job = context.ledger.get(twin.id)
    assert (job.state, job.copy_of, job.no_copy) == (State.QUEUED, None, True)
    assert twins.turn(context, job) is twins.Turn.START


@pytest.mark.parametrize("meanwhile", [State.VANISHED, State.CANCELLED])
def test_a_twin_that_went_on_while_its_copy_was_written_is_left_as_it_is(stations, meanwhile):
    """Another step came first. What comes of the copy is dropped; it once ended the daemon."""
    context, inputs = stations
    _, twin = copied(context)
    errand = inputs.get(timeout=PATIENCE)
    row = context.ledger.get(twin.id)
    if meanwhile is State.VANISHED:
        row = context.ledger.update(row, state=State.QUEUED, plan=None)
    context.ledger.update(row, state=meanwhile, plan=None, finished_at=0.0)
    errand.settle()
    assert context.ledger.get(twin.id).state is meanwhile


def test_a_twin_gets_no_result_that_was_asked_for_its_original_alone(stations):
    """An original that was cancelled and asked for in another language before its twins were told that nothing came of it."""
    context, _ = stations
    original = context.ledger.add("first.mp3", Identity(SIZE, 1), context.utc(), sha256="a" * 64)
    key = orders.key_of(context, original)
    original = context.ledger.update(original, options_key=key)
    twin = context.ledger.add("second.mp3", Identity(SIZE, 1), context.utc(), sha256="a" * 64)
    context.ledger.update(twin, copy_of=original.id, options_key=key)
    with context.ledger.transaction():
        requests.cancel(context, original)
        requests.redo(context, context.ledger.get(original.id), Overrides(language="th"))
    original = context.ledger.get(original.id)
    for state in (State.RUNNING, State.COMMITTING, State.DONE):
        original = context.ledger.update(original, state=state, options_key=orders.key_of(context, original))
    twins.follow(context)
    assert (context.ledger.get(twin.id).state, context.ledger.get(twin.id).copy_of) == (State.QUEUED, None)

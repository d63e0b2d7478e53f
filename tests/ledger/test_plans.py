"""A million jobs: every query is answered from an index, none reads or sorts the whole table."""

from __future__ import annotations

import contextlib

import pytest

from sttd.job import Identity, State
from sttd.ledger import Ledger, holds, moved

QUERIES = {
    "whose turn, new ones": lambda ledger, job: ledger.next_job(0, "fresh"),
    "whose turn, the others": lambda ledger, job: ledger.next_job(0, "served"),
    "whose files wait": lambda ledger, job: ledger.waiting_owners(),
    "peers of a size": lambda ledger, job: ledger.has_peers(job, "key"),
    "peers without a hash": lambda ledger, job: ledger.unhashed_peers(job, "key", 4),
    "a twin": lambda ledger, job: ledger.twin(job, "key"),
    "a hash": lambda ledger, job: ledger.note_hash(job, "hash"),
    "by source": lambda ledger, job: ledger.latest("a.mp3"),
    "by many sources": lambda ledger, job: ledger.latest_of([f"{number}.mp3" for number in range(600)]),
    "by number": lambda ledger, job: ledger.get(job.id),
    "counts": lambda ledger, job: ledger.counts(),
    "jobs that twins wait for": lambda ledger, job: ledger.originals(0, 64),
    "sources that are looked for": lambda ledger, job: ledger.looked_for(),
    "waiting for a twin": lambda ledger, job: ledger.waiting_for(job.id),
    "some half filed": lambda ledger, job: ledger.planned(5, 10),
    "half filed": lambda ledger, job: ledger.unfinished(),
    "sources that jobs wait for": lambda ledger, job: list(ledger.waiting_sources()),
    "running at the start": lambda ledger, job: ledger.jobs([State.RUNNING], newest=False),
    "a table": lambda ledger, job: ledger.jobs([State.DONE], 100),
    "a list": lambda ledger, job: list(ledger.each()),
    "a list of one state": lambda ledger, job: list(ledger.each([State.DONE])),
    "a new job": lambda ledger, job: ledger.add("b.mp3", Identity(1, 1), 1.0),
    "a page of one state": lambda ledger, job: ledger.page(State.DONE, 5, 10),
    "a state that is none": lambda ledger, job: ledger.odd_states(),
    "why all wait": lambda ledger, job: ledger.only_waits_for(("no_model",)),
    "whether its files wait": lambda ledger, job: ledger.is_planned(job.id),
    "what was filed away": lambda ledger, job: ledger.filed(9.0, 19.0, 10),
    "the newest about a file": lambda ledger, job: ledger.is_newest_at(job.evolve(location="/archive/8")),
    "sources elsewhere": lambda ledger, job: ledger.abroad(),
    "an inbox that is no longer one": lambda ledger, job: ledger.leave_inbox("films", "/former", all_jobs=False),
    "an inbox that is one again": lambda ledger, job: ledger.come_home("films", "/former"),
    "what may be forgotten": lambda ledger, job: ledger.forgettable(9.0, 10),
    "to forget": lambda ledger, job: ledger.forget([job.id], 9.0, 9.0),
    "files that are needed": lambda ledger, job: ledger.needed_sources(),
    "files that are to go": lambda ledger, job: ledger.give_up_sources(["/archive/a.mp3"]),
    "waits that are over": lambda ledger, job: ledger.end_waits(5.0),
    "waits that are too long": lambda ledger, job: ledger.clamp_waits(5.0, 5.0),
    "recordings like one": lambda ledger, job: ledger.kept_like(job, 16),
    "what was done with what lies there": lambda ledger, job: ledger.done_in_place("a.mp3"),
    "what was done with a recording": lambda ledger, job: ledger.done_with("a.mp3"),
    "what was written for a recording": lambda ledger, job: ledger.done_for("a.mp3"),
    "to hold a folder": lambda ledger, job: ledger.hold_folder("a", 9.0, "bad"),
    "to release a folder": lambda ledger, job: ledger.release_folder("a"),
    "whether a folder is held": lambda ledger, job: ledger.holds_folder(""),
    "how many are held": lambda ledger, job: ledger.held(),
    "what is held, at the start": lambda ledger, job: ledger.look_anew(),
    "the queue, for people": lambda ledger, job: ledger.queue(150),
    "what waits for more than its turn": lambda ledger, job: ledger.put_off(20),
    "a step": lambda ledger, job: ledger.update(job, state=State.RUNNING),
}


WHOLE = {"a list", "a list of one state"}  # pages of all jobs, for a table that a person asked for
DONE = """
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
    INSERT INTO jobs (
        source, size, mtime_ns, state, created_at, queued_at, not_before, finished_at, location, attempts, attempt, resumes,
        service, chunks, progress, overrides, outputs, sha256, options_key
    )
    SELECT
        CAST('done/' || n || '.mp3' AS BLOB), 1000 + n, 1, 'done', 1.0, 1.0, 0.0, 2.0 + n,
        CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN x'' ELSE CAST('/archive/' || n AS BLOB) END,
        1, 1, 0, 5.0, 1, 1.0, '{}', '["/t/' || n || '.txt"]', 'hash ' || n, 'key' FROM numbers
"""


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory):
    """Two, with few and with many jobs that are done."""
    with contextlib.ExitStack() as stack:
        opened = []
        for count in (500, 3000):
            ledger = Ledger.open(tmp_path_factory.mktemp("done") / "ledger.db")
            opened.append(stack.enter_context(contextlib.closing(ledger)))
            with ledger.transaction():
                ledger.add("a.mp3", Identity(1, 1), 1.0)
                ledger._db.execute(DONE, (count,))
        yield opened


class Undone(Exception):
    """Takes back what a query has changed."""


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in WHOLE])
def test_a_query_takes_no_longer_where_more_jobs_are_done(ledgers, name):
    """Counted in SQLite's instructions, ten at a time: an index, too, can be read in full."""
    taken = []
    for ledger in ledgers:
        job, instructions = ledger.get(1), []
        with contextlib.suppress(Undone), ledger.transaction():
            ledger._db.set_progress_handler(lambda seen=instructions: seen.append(None), 10)
            QUERIES[name](ledger, job)
            ledger._db.set_progress_handler(None, 0)
            raise Undone
        taken.append(len(instructions))
    few, many = taken
    assert many <= few + 2


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_answered_from_an_index(tmp_path, name):
    with contextlib.closing(Ledger.open(tmp_path / "ledger.db")) as ledger:
        job = ledger.add("a.mp3", Identity(1, 1), 1.0)
        seen: list[str] = []
        ledger._db.set_trace_callback(seen.append)
        QUERIES[name](ledger, job)
        ledger._db.set_trace_callback(None)
        asked = [
            query
            for query in seen
            if query.split()[0] in ("SELECT", "UPDATE", "INSERT", "DELETE", "WITH") and "jobs" in query
        ]
        assert asked or name == "counts"
        for query in asked:
            plan = [row[3] for row in ledger._db.execute(f"EXPLAIN QUERY PLAN {query}")]
            assert not [line for line in plan if "TEMP B-TREE" in line], (query, plan)
            assert not [line for line in plan if line.startswith("SCAN jobs") and "INDEX" not in line], (query, plan)


def test_what_was_done_with_a_recording_is_found_without_a_look_at_each_job_that_is_done(tmp_path):
    with contextlib.closing(Ledger.open(tmp_path / "ledger.db")) as ledger:
        looked_at: list[None] = []
        with ledger.transaction():
            for number in range(200):
                job = ledger.add(f"{number}.mp3", Identity(1, 1), 1.0)
                for state in (State.COMMITTING, State.DONE):
                    job = ledger.update(job, state=state)
        ledger._db.set_progress_handler(lambda: looked_at.append(None), 10)  # each ten instructions
        assert [job.source for job in ledger.done_with("7.mp3")] == ["7.mp3"]
        assert len(looked_at) < 50


PUT_OFF = {
    "an inbox that is away": (None, lambda ledger: ledger.postpone(moved.inside("films"), 9.0, "away", "unreadable")),
    "a former inbox": (
        "/former/a.mp3",
        lambda ledger: ledger.postpone(moved.outside("/former"), 9.0, "away", "unreadable"),
    ),
    "a folder with bad options": (None, lambda ledger: ledger.hold_folder("films//", 9.0, "bad")),
}


@pytest.mark.parametrize("name", PUT_OFF)
def test_jobs_are_put_off_without_a_look_at_those_that_are_put_off_already(tmp_path, name):
    """A hundred thousand of them took all the loop's time."""
    location, put_off = PUT_OFF[name]
    with contextlib.closing(Ledger.open(tmp_path / "ledger.db")) as ledger:
        with ledger.transaction():
            for number in range(4000):
                ledger.add(f"films//{number}.mp3", Identity(1, 1), 1.0, location=location)
        steps: list[int] = []
        while ledger.waiting_owners():
            steps.append(0)

            def count() -> None:
                steps[-1] += 1

            ledger._db.set_progress_handler(count, 100)
            put_off(ledger)
            ledger._db.set_progress_handler(None, 0)
        assert len(steps) == 8
        assert steps[-1] < 1.2 * steps[0]


def test_a_folder_is_released_without_a_look_at_what_is_released_already(tmp_path):
    """With a hundred thousand each step took 0.17 s of the loop's time."""
    with contextlib.closing(Ledger.open(tmp_path / "ledger.db")) as ledger:
        with ledger.transaction():
            for number in range(4000):
                ledger.add(f"films//{number}.mp3", Identity(1, 1), 1.0, not_before=9.0, cause=holds.CAUSE)
        steps: list[int] = []
        is_over = False
        while not is_over:
            instructions: list[None] = []
            ledger._db.set_progress_handler(lambda seen=instructions: seen.append(None), 100)
            is_over = ledger.release_folder("films//")
            ledger._db.set_progress_handler(None, 0)
            steps.append(len(instructions))
        assert len(steps) == 9
        assert steps[7] < 1.2 * steps[0]
        assert steps[8] < 5

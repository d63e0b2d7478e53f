"""A million jobs: every query is answered from an index, none reads or sorts the whole table."""

from __future__ import annotations

import contextlib

import pytest

from sttd.job import Identity, State
from sttd.ledger import Ledger, moved

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
    "what is held, at the start": lambda ledger, job: ledger.look_anew(),
    "a step": lambda ledger, job: ledger.update(job, state=State.RUNNING),
}


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

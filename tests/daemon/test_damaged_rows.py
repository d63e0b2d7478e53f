"""A damaged row costs its own job at most: whatever stands in a column, all other jobs go on, and the damage is named."""

from __future__ import annotations

import contextlib
import math
import sqlite3

import pytest

from sttd.daemon import dispatch, retention, sweep, whereabouts
from sttd.daemon.compaction import Compaction
from sttd.daemon.draining import is_drained
from sttd.daemon.lookback import LookBack
from sttd.job import Identity, State
from sttd.ledger import Ledger, facts
from sttd.ledger.rows import COLUMNS
from sttd.part import Cause
from sttd.view import figures, plain
from tests.properties.stations import Stations

IMPOSSIBLE = (b"\xff\xfe", "odd", "[" * 100_000, -7, 1.5, b"")
FEW = {
    "service": (b"\xff", "odd"),
    "state": (b"\xff", "odd", 7),
    "overrides": ("{", "[]", '{"model": 5}', '{"odd": null}', b"\xff", 5),
}


def damage(path, number: int, column: str, value) -> None:
    """As a person would with `sqlite3`."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE jobs SET {column} = ? WHERE id = ?", (value, number))


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "id"])
def test_an_impossible_value_holds_up_neither_the_loop_nor_a_start_nor_a_command(stations, column):
    """The job of that row fails, or goes on without the value; the next one has its turn."""
    context, _ = stations
    ledger = context.ledger
    for value in FEW.get(column, IMPOSSIBLE):
        bad = ledger.add(f"bad {value!r:.9}.mp3", Identity(10, 1), 1.0)
        damage(ledger.path, bad.id, column, value)
        good = ledger.add(f"good {value!r:.9}.mp3", Identity(10, 2), 2.0)
        with contextlib.closing(Ledger.open_readonly(ledger.path)) as reader:  # `status` and `jobs`
            assert len([plain.job_line(job) for job in reader.each()]) == good.id
            assert figures.line([figures.job(job) for job in reader.jobs()])
            assert reader.counts()[State.QUEUED] >= 1
        sweep.recover(context)
        sweep.sweep(context)
        sweep.clamp_waits(context)
        ledger.end_waits(math.inf)
        turns: set[int] = set()
        for _ in range(4):  # a round that only makes a row whole gives nobody a turn
            picked = dispatch.pick(context, turns)
            turns |= {picked[1].id} if picked is not None else set()
        row = ledger.get(bad.id)
        assert good.id in turns
        assert (bad.id in turns) == (row.state is State.QUEUED)
        assert row.state is State.QUEUED or (row.state is State.FAILED and column in row.error)
        with contextlib.closing(sqlite3.connect(ledger.path)) as db, db:
            db.execute("UPDATE jobs SET state = 'cancelled', plan = NULL")
    sweep.tell_damage(context)
    assert not ledger.mended


@pytest.mark.parametrize("column", ["chunks", "attempt", "state"])
def test_a_row_that_is_damaged_while_its_job_runs_ends_the_attempt_too(tmp_path, column):
    """Else a drain would wait for that attempt for ever, and where memory is short no other job would start beside it."""
    daemon = Stations(tmp_path, "archive")
    (daemon.config.paths.inbox / "a.wav").write_text("a")
    daemon.look()
    daemon.tick(1.0)
    (attempt,) = daemon.pool.attempts.values()
    daemon.step(attempt)
    damage(daemon.context.ledger.path, 1, column, b"\xff")
    daemon.tick(61.0)
    assert not daemon.context.running
    assert attempt.killed is Cause.ERROR
    daemon.go_on()
    assert daemon.context.ledger.get(1).state is State.FAILED
    daemon.ask("retry", 1)
    daemon.go_on()
    assert not daemon.context.running
    daemon.context.ledger.close()


@pytest.mark.parametrize("state", [State.DONE, State.CANCELLED, State.VANISHED])
def test_a_plan_that_comes_to_a_job_which_needs_none_keeps_no_drain_waiting(stations, state):
    context, _ = stations
    context.ledger.add("a.mp3", Identity(10, 1), 1.0, state=state)
    assert is_drained(context)
    damage(context.ledger.path, 1, "plan", "odd")
    sweep.sweep(context)
    assert is_drained(context)


@pytest.mark.parametrize("column", ["overrides", "outputs", "error", "language", "location"])
def test_a_job_that_has_ended_stays_what_it_is_without_what_was_lost(stations, column):
    context, _ = stations
    job = context.ledger.add("a.mp3", Identity(10, 1), 1.0, state=State.DONE, outputs=("/t/a.txt",), finished_at=2.0)
    damage(context.ledger.path, job.id, column, b"\xff\0")
    row = context.ledger.get(job.id)
    assert row.state is State.DONE
    assert column in row.error
    assert context.ledger.get(job.id) == row
    assert [each.id for each in context.ledger.mended] == [job.id]


WRONG = (
    "5",
    "null",
    "true",
    '"odd"',
    "[5]",
    '[["odd"]]',
    '{"odd": 5}',
    '{"a": {"b": 1}}',
    "1e999",
    "9" * 400,
    "{",
    b"\xff",
)
WRONG_FOR = {
    "first": ("[1e3]", "[-1]", f"[{2**70}]", '[{"a": 1}]'),
    "clock": ('{"believed": "odd"}', '{"believed": 1, "doubted": []}', '{"believed": NaN}'),
    "places": (
        '{"archive": {"path": "/a", "word": "odd", "numbers": [1, 2]}}',
        '{"archive": {"path": "/a", "word": 5, "numbers": [1, 2]}}',
        '{"archive": {}}',
    ),
    "inbox folder": ('{"path": 5, "mark": "m", "device": 1, "inode": 1}', '{"path": "/\\u0000", "mark": "m"}'),
    "watched folders": (
        '{"/m": {"path": "/m", "mark": "m", "device": 1, "inode": 1}}',
        '{"/m": {"path": "/m", "mark": "m", "device": 1, "inode": 1, "inbox": 5}}',
        '{"/m": {"path": "m", "mark": "m", "device": 1, "inode": 1, "inbox": "m"}}',
    ),
    "former inboxes": ('["\\ud800"]', '["/a", null]'),
    "looked back": ('["odd", 1, 2]', "[NaN, 1, 2]"),
    "daemon": (
        '{"live": "/\\u0000"}',
        '{"models": "\\ud800"}',
        '{"pid": "odd", "live": 5}',
        '{"live": "/l", "pid": -1}',
    ),
    "ignored": ('{"a": "odd"}', '{"a": -1}'),
}


@pytest.mark.parametrize("fact", facts.ALL, ids=lambda fact: fact.name)
def test_a_damaged_fact_ends_neither_a_round_nor_a_start_nor_a_command_and_is_logged_once(tmp_path, log, fact):
    """Valid JSON of another shape, too: each is read where the loop has no job to blame."""
    daemon = Stations(tmp_path, "archive")
    path = daemon.context.ledger.path
    for value in WRONG + WRONG_FOR.get(fact.name, ()):
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (fact.name, value))
        with contextlib.closing(Ledger.open_readonly(path)) as reader:
            figures.status(reader, running=True)
        daemon.crash(halfway=False)
        context = daemon.context
        is_damaged = context.ledger.fact(fact) == fact.damaged and bool(context.ledger.mended_facts)
        assert whereabouts.begin(context) == {} or fact is facts.INBOX_MARK
        retention.Upkeep(context)._known_clock()
        LookBack(context, None)._remembered((1.0, 2.0, 3.0))
        Compaction(context)._names_for()
        whereabouts._former(context)
        log.clear()
        for _ in range(2):
            daemon.tick(1.0)
            sweep.sweep(context)
            sweep.tell_damage(context)
        told = [line for line in log if fact.name in line and "was damaged" in line]
        assert len(told) == is_damaged, (value, told)
        assert is_damaged or value in ("null", "true", "5", '"odd"', "[5]", '{"odd": 5}', '{"a": {"b": 1}}'), value
        assert not told or (fact.instead in told[0] and told[0].startswith("WARNING"))
        context.ledger.set_fact(facts.PAUSED, False)
    daemon.context.ledger.close()


def test_numbers_of_an_inode_as_large_as_they_can_be_are_no_damage(stations):
    ledger = stations[0].ledger
    numbers = [2**64 - 1, 2**64 - 1]
    place = {"archive": {"path": "/a", "word": "0" * 32, "numbers": numbers}}
    folder = {"path": "/i", "mark": "m", "device": numbers[0], "inode": numbers[1]}
    ledger.set_fact(facts.PLACES, place)
    ledger.set_fact(facts.INBOX_FOLDER, folder)
    assert (ledger.fact(facts.PLACES), ledger.fact(facts.INBOX_FOLDER)) == (place, folder)
    assert not ledger.mended_facts


@pytest.mark.parametrize("value", ["odd", b"\xff", -3, 1.5])
def test_damaged_counts_of_jobs_are_counted_anew(stations, value):
    context, _ = stations
    context.ledger.add("a.mp3", Identity(10, 1), 1.0)
    with contextlib.closing(sqlite3.connect(context.ledger.path)) as db, db:
        db.execute("UPDATE counts SET jobs = ?", (value,))
    with contextlib.closing(Ledger.open_readonly(context.ledger.path)) as reader:
        assert reader.counts()[State.QUEUED] == 1
    assert context.ledger.counts()[State.QUEUED] == 1
    context.ledger.add("b.mp3", Identity(10, 1), 1.0)
    assert context.ledger.counts()[State.QUEUED] == 2

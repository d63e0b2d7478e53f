"""What the daemon keeps of itself for reports."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.daemon.counts import Happened
from sttd.daemon.sampling import Sampler
from sttd.errors import LedgerCorrupt, LedgerError
from sttd.host.memory import Level
from sttd.job import Identity


@pytest.fixture
def bench(stations):
    """A sampler of a daemon whose clock is turned by hand, and `live` to let it look each second."""
    context, _ = stations
    now = 1000.0
    context.clock, context.utc, context.inbox = lambda: now, lambda: 1_800_000_000.0 + now, object()
    sampler = Sampler(context)

    def live(seconds, percent=50.0, level=Level.NORMAL):
        nonlocal now
        for _ in range(seconds):
            now += 1.0
            sampler.look(percent, level)

    return context, sampler, live


def stored(context):
    return context.ledger._db.execute("SELECT * FROM samples ORDER BY start").fetchall()


def come(context, name="a.mp3"):
    context.ledger.add(name, Identity(1, 1), context.utc())


def test_one_sample_a_minute_while_a_job_runs(bench):
    context, _, live = bench
    context.running["1.0"] = object()
    live(30, 40.0)
    live(600, 60.0, Level.HIGH)
    assert len(stored(context)) == 10
    assert stored(context)[0][2:5] == (40.0, 60.0, int(Level.HIGH))
    assert stored(context)[1][2:5] == (60.0, 60.0, int(Level.HIGH))


def test_none_while_nothing_happens(bench):
    """Memory that other programs use is no news; a level that was crossed is."""
    context, _, live = bench
    for percent in range(40, 70):
        live(100, float(percent))
    assert stored(context) == []
    live(100, 85.0, Level.MODERATE)
    live(1000, 85.0, Level.MODERATE)
    assert len(stored(context)) == 1


def test_a_job_that_comes_is_news_once(bench):
    context, _, live = bench
    live(5)
    come(context)
    live(1000)
    ((_, _, _, _, _, queued, _, _),) = stored(context)
    assert queued == 1


def test_what_happened_is_counted_once(bench):
    context, sampler, live = bench
    live(5)
    context.counts.happened = Happened(load_timeouts=2, resumes=3)
    live(10)
    sampler.store()
    sampler.store()
    live(500)
    assert [row[6:] for row in stored(context)] == [(2, 3)]


def test_a_ledger_that_cannot_be_written_loses_nothing_and_holds_nothing_up(bench, monkeypatch):
    """Jobs meet the trouble as well, and have it logged. It is tried again in a minute, not each second."""
    context, _, live = bench
    tries = []

    def full(sample, now):
        tries.append(now)
        raise LedgerError("no space left on device")

    live(5)
    context.counts.happened = Happened(load_timeouts=1)
    with monkeypatch.context() as broken:
        broken.setattr(context.ledger, "add_sample", full)
        live(200)
    assert len(tries) == 3
    live(100)
    assert [row[6] for row in stored(context)] == [1]


def test_a_ledger_that_is_damaged_is_made_anew(bench, monkeypatch):
    context, _, live = bench

    def damaged(sample, now):
        raise LedgerCorrupt("malformed")

    monkeypatch.setattr(context.ledger, "add_sample", damaged)
    live(5)
    come(context)
    with pytest.raises(LedgerCorrupt):
        live(100)


def test_transcribe_keeps_none(bench):
    context, _, live = bench
    context.inbox = None
    context.running["1.0"] = object()
    live(200)
    assert stored(context) == []


def test_a_clock_before_1970_is_no_trouble(bench):
    context, _, live = bench
    context.utc = lambda: -5.0
    live(2)
    come(context)
    live(70)
    assert stored(context)[0][0] == 0
    assert dataclasses.asdict(context.counts.happened) == {"load_timeouts": 0, "resumes": 0}

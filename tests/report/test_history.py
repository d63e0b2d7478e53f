"""What the ledger keeps for reports: samples that are thinned, sums of what is forgotten; and how both are read."""

from __future__ import annotations

import sqlite3

import pytest

from sttd.errors import LedgerError
from sttd.job import Identity, State
from sttd.ledger import Ledger
from sttd.ledger.past.records import Sample, quantile
from sttd.ledger.past.tables import SAMPLES

DAY = 86400
NOW = 1_800_000_000 - 1_800_000_000 % DAY


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(tmp_path / "ledger.db")
    yield opened
    opened.close()


def sample(start, **fields):
    known = {
        "seconds": 60,
        "memory_low": 40.0,
        "memory_high": 50.0,
        "level": 0,
        "queued": 3,
        "load_timeouts": 0,
        "resumes": 0,
    }
    return Sample(start=int(start), **(known | fields))


def ended(ledger, source, state=State.DONE, *, at, wait=60.0, timeouts=0, **fields):
    """A job that ended at a time, some seconds after it came."""
    job = ledger.update(ledger.add(source, Identity(1, 1), at - wait), state=State.RUNNING, attempt=1)
    for _ in range(timeouts):
        ledger.begin_attempt(job, at - 30)
        ledger.end_attempt(job, at - 20, "timeout", "too long", 1)
        job = ledger.update(ledger.update(job, state=State.QUEUED), state=State.RUNNING, attempt=job.attempt + 1)
    if state is State.DONE:
        job = ledger.update(job, state=State.COMMITTING, plan={})
    return ledger.update(job, state=state, plan=None, finished_at=float(at), location=f"/x/{source}", **fields)


@pytest.mark.ci
def test_a_year_of_samples_a_minute_takes_a_few_megabytes(ledger, capsys):
    """Without a gap, as no daemon has it; what is old is thinned every few hours."""
    row = f"INSERT INTO samples VALUES ({', '.join('?' * 8)})"
    with ledger.transaction():
        for hour in range(NOW - 365 * DAY, NOW, 6 * 3600):
            minutes = range(hour, hour + 6 * 3600, 60)
            ledger._db.executemany(
                row, [(at, 60, 40.5, 50.5, 0, at // 60 % 777, at % 60_000 == 0, 0) for at in minutes]
            )
            SAMPLES.thin(ledger._db, hour + 6 * 3600)
    ledger._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = ledger.path.stat().st_size
    rows, timeouts, most = ledger._db.execute(
        "SELECT count(*), sum(load_timeouts), max(queued) FROM samples"
    ).fetchone()
    with capsys.disabled():
        print(f"\na year of samples: {rows:,} rows in a ledger of {size:,} bytes")
    assert (timeouts, most) == (526, 776)
    assert rows < 55 * 60 + 12 * 145 + 352 * 24
    assert size < 3e6


def test_sums_of_a_year_take_a_few_megabytes(ledger):
    """Of each hour, with waits of every kind."""
    from sttd.ledger.past.records import Sum, buckets
    from sttd.ledger.past.tables import SUMS

    waits = buckets([1.3**number for number in range(60)])
    with ledger.transaction():
        SUMS.add(ledger._db, (Sum(NOW - hour * 3600, 3600, waits=waits) for hour in range(365 * 24)))
    ledger._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert ledger.path.stat().st_size < 10e6


def test_samples_of_one_second_are_joined(ledger):
    """The clock was set back: both minutes began in the same second."""
    ledger.add_sample(sample(NOW, memory_high=60.0, resumes=1), NOW)
    ledger.add_sample(sample(NOW, memory_low=30.0, level=2, resumes=2), NOW)
    found = ledger.sampled_between(NOW, NOW + 1)
    assert (found.memory_low, found.memory_high, found.level, found.resumes) == (30.0, 60.0, 2, 3)


def test_no_sample_says_nothing(ledger):
    assert ledger.sampled_between(0, NOW) is None


def test_what_is_forgotten_counts_as_before(ledger):
    """In every figure; and nothing is counted twice."""
    ended(
        ledger,
        "a.mp3",
        at=NOW - 900,
        wait=100.0,
        timeouts=2,
        audio_seconds=600.0,
        service=60.0,
        fallback_reason="too slow",
    )
    ended(ledger, "b.mp3", at=NOW - 800, wait=1000.0, audio_seconds=60.0, service=6.0)
    ended(ledger, "c.mp3", State.FAILED, at=NOW - 700)
    ended(ledger, "d.mp3", State.CANCELLED, at=NOW - 10 * DAY)
    kept = ended(ledger, "e.mp3", at=NOW - 100, audio_seconds=1.0, service=1.0)
    before = ledger.ended_between(NOW - 20 * DAY, NOW)
    assert before.ended == {State.DONE: 3, State.FAILED: 1, State.CANCELLED: 1}
    assert (before.audio, before.service, before.fallbacks, before.job_timeouts) == (661.0, 67.0, 1, 2)
    assert quantile(before.waits, 0.99) == pytest.approx(1000, rel=0.03)
    assert len(ledger.forget(ledger.forgettable(NOW - 500, 100), NOW - 500, NOW)) == 4
    assert [job.id for job in ledger.jobs()] == [kept.id]
    assert ledger.ended_between(NOW - 20 * DAY, NOW) == before
    assert ledger.ended_between(NOW - 11 * DAY, NOW - 9 * DAY).ended == {State.CANCELLED: 1}


def test_a_damaged_row_is_passed_over(ledger):
    """Of jobs, attempts, samples and sums: the others are counted."""
    ended(ledger, "a.mp3", at=NOW - 100, audio_seconds=60.0, service=6.0)
    ended(ledger, "b.mp3", at=NOW - 100, wait=60.0, timeouts=1, audio_seconds=60.0, service=6.0)
    ledger.add_sample(sample(NOW - 200), NOW)
    with ledger.transaction():
        db = ledger._db
        db.execute(
            "UPDATE jobs SET created_at = 'x', audio_seconds = 'much', service = 9e300 WHERE source = ?", (b"a.mp3",)
        )
        db.execute("UPDATE attempts SET ended_at = 'late' WHERE cause = 'timeout'")
        db.execute("INSERT INTO samples VALUES (?, 60, 'low', 1.0, 0, 0, 0, 0), (?, 60, 1.0, 1.0, 'x', 0, 0, 0), (?, 60, 1.0, 1.0, 0, -5, 0, 0)",
                   (NOW - 90, NOW - 80, NOW - 70))  # fmt: skip
        db.execute(
            "INSERT INTO sums VALUES (?, 3600, '{]', 0, 0, 0, 0, '{}'), (?, 3600, '{\"odd\": 1}', 0, 0, 0, 0, '{}')",
            (NOW - 60, NOW - 50),
        )
    found = ledger.ended_between(NOW - DAY, NOW)
    assert (found.ended[State.DONE], found.audio, found.service, found.job_timeouts) == (2, 60.0, 6.0, 0)
    assert found.waits.total() == 1
    assert ledger.sampled_between(NOW - DAY, NOW).queued == 3
    with ledger.transaction():  # when it is old it goes
        db.execute("UPDATE samples SET start = start - ?", (30 * DAY,))
    ledger.add_sample(sample(NOW), NOW)
    assert ledger._db.execute("SELECT count(*) FROM samples").fetchone() == (2,)
    assert ledger.sampled_between(NOW - 40 * DAY, NOW - DAY).queued == 3
    forgotten = ledger.forget([1, 2], NOW, NOW)
    assert len(forgotten) == 2
    assert ledger.ended_between(NOW - DAY, NOW).ended[State.DONE] == 2


def test_everything_is_read_without_the_right_to_write(ledger):
    """While the daemon runs, and after it has ended."""
    ended(ledger, "a.mp3", at=NOW - 100)
    ledger.add_sample(sample(NOW - 200), NOW)
    for _ in range(2):
        reader = Ledger.open_readonly(ledger.path)
        assert reader.ended_between(NOW - DAY, NOW).ended == {State.DONE: 1}
        assert reader.sampled_between(NOW - DAY, NOW).queued == 3
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._db.execute("DELETE FROM samples")
        reader.close()
        ledger.close()


def test_a_ledger_of_an_older_version_says_what_to_do(ledger):
    with ledger.transaction():
        ledger._db.execute("PRAGMA user_version = 14")
    with pytest.raises(LedgerError, match="restart the daemon"):
        ledger.require_history()


def test_questions_read_nothing_but_indexes(ledger):
    """A million jobs are a walk over an index, not over their rows."""
    from sttd.ledger.past import reading

    for query, values in (
        (reading._TOTALS, ("done", 0, 1)), (reading._WAITS, ("done", 0, 1)), (reading._FALLBACKS, (0, 1)), (reading._TIMEOUTS, (0, 1)),
    ):  # fmt: skip
        (plan,) = ledger._db.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
        assert "SEARCH" in plan[3]
        assert "INDEX" in plan[3]
        assert query not in (reading._TOTALS, reading._WAITS) or "COVERING" in plan[3]  # there are few of the others

"""Sources that were filed away and written on: seen again by the ledger's rows."""

from __future__ import annotations

import os
import queue

import pytest

from sttd.daemon import intake, lookback
from sttd.daemon.errands import Errands
from sttd.daemon.lookback import LookBack
from sttd.daemon.source import start_anew
from sttd.fs.digest import digest
from sttd.inbox import Found
from sttd.job import Identity, State
from sttd.ledger import facts
from sttd.part import Cause
from sttd.rules.lookback import Filed, ages, compare
from tests.harness import PATIENCE


class Bench:
    """A ledger, a clock, and pages that are looked at when the test says so."""

    def __init__(self, context, tmp_path):
        self.context, self.now, self.folder = context, 1e6, tmp_path / "archive"
        self.folder.mkdir()
        self.ahead = 0.0  # seconds that the wall clock is wrong by
        context.clock = lambda: self.now
        context.utc = lambda: self.now + self.ahead
        context.inbox = self
        self.expected = []
        self.start()

    def start(self):
        """As a daemon does: nothing is remembered but by the ledger."""
        self.inputs = queue.SimpleQueue()
        self.errands = Errands(self.inputs.put, threads=1)
        self.back = LookBack(self.context, self.errands)

    def expect(self, rels):
        self.expected += rels

    def file(self, name, content=b"x" * 10, state=State.DONE, **fields):
        """A source that was filed away now."""
        path = self.folder / name
        path.write_bytes(content)
        job = self.context.ledger.add(name, Identity.of(path.stat()), self.now, location=str(path), **fields)
        job = self.context.ledger.update(job, state=State.RUNNING)
        if state is State.DONE:
            job = self.context.ledger.update(job, state=State.COMMITTING)
        return path, self.context.ledger.update(job, state=state, finished_at=self.now)

    def turn(self, seconds):
        """Time goes by; every page that comes due is looked at."""
        end = self.now + seconds
        while self.now < end:
            self.now += 10
            self.back.step()
            while self.errands.under_way:
                self.inputs.get(timeout=PATIENCE).settle()

    def queued(self):
        return self.context.ledger.jobs([State.QUEUED], newest=False)


@pytest.fixture
def bench(stations, tmp_path):
    bench = Bench(stations[0], tmp_path)
    yield bench
    bench.errands.close()


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_what_grew_after_it_was_filed_away_is_a_new_job_from_where_it_lies(bench, state):
    """Looked at 5 min, 15 min and 1 h after the end."""
    path, job = bench.file("a.mp3", state=state)
    bench.file("same.mp3")
    with path.open("ab") as file:
        file.write(b"more")
    bench.turn(290)
    assert bench.queued() == []
    bench.turn(60)
    (new,) = bench.queued()
    assert (new.source, new.location, new.size, new.redo_of) == ("a.mp3", str(path), 14, None)
    assert new.not_before > bench.now
    assert bench.context.ledger.get(job.id).location == ("" if state is State.FAILED else str(path))
    bench.turn(7200)
    assert bench.queued() == [new], "once"


def test_what_grows_later_is_seen_by_a_later_look_and_a_restart_misses_none(bench):
    path, _ = bench.file("a.mp3")
    bench.turn(400)
    path.write_bytes(b"x" * 20)
    bench.start()
    bench.turn(400)
    assert bench.queued() == []
    bench.now += 3 * 3600  # the daemon was down
    bench.start()
    bench.turn(60)
    (new,) = bench.queued()
    assert new.size == 20


def test_a_clock_that_was_ahead_for_a_moment_ends_no_look(bench):
    """Without a restart: what was looked at up to a time that has not come is looked at up to now."""
    bench.turn(10)
    bench.ahead = 400 * 86_400.0
    bench.turn(60)
    bench.ahead = 0.0
    path, _ = bench.file("a.mp3")
    path.write_bytes(b"x" * 20)
    bench.turn(400)
    assert [job.source for job in bench.queued()] == ["a.mp3"]


def test_an_outcome_that_is_handed_over_twice_adds_one_job(bench):
    """The ledger has taken it, and fails before that is known: the loop hands it over once more."""
    path, _ = bench.file("a.mp3")
    path.write_bytes(b"x" * 20)
    while not bench.errands.under_way:
        bench.now += 10
        bench.back.step()
    finished = bench.inputs.get(timeout=PATIENCE)
    finished.settle()
    finished.settle()
    assert [job.source for job in bench.queued()] == ["a.mp3"]


def test_a_touch_is_no_change_and_a_change_of_the_same_size_is_one(bench):
    touched, job = bench.file("touched.mp3", b"0123456789")
    sha256 = digest(str(touched))
    bench.context.ledger.update(job, sha256=sha256)
    other, job = bench.file("other.mp3", b"0123456789")
    bench.context.ledger.update(job, sha256=sha256)
    other.write_bytes(b"9876543210")
    for path in (touched, other):
        os.utime(path, (2e9, 2e9))
    bench.turn(400)
    assert [job.source for job in bench.queued()] == ["other.mp3"]


def test_what_was_taken_away_or_replaced_by_a_link_is_left_alone(bench, tmp_path):
    gone, _ = bench.file("gone.mp3")
    gone.unlink()
    link, _ = bench.file("link.mp3")
    link.unlink()
    (tmp_path / "secret").write_bytes(b"long secret of somebody")
    link.symlink_to(tmp_path / "secret")
    bench.turn(4000)
    assert bench.queued() == []


def test_many_are_looked_at_page_by_page(bench, monkeypatch):
    monkeypatch.setattr(lookback, "PAGE", 50)
    for number in range(70):
        bench.now += 0.001
        path, _ = bench.file(f"{number}.mp3")
    path.write_bytes(b"x" * 11)
    bench.turn(330)
    assert [job.source for job in bench.queued()] == [path.name]


def test_an_idle_daemon_writes_nothing(bench):
    bench.file("a.mp3")
    bench.turn(4000)
    before = bench.context.ledger.fact(facts.LOOKED_BACK)
    bench.turn(4000)
    assert bench.context.ledger.fact(facts.LOOKED_BACK) == before


def test_the_ages_follow_the_patience_and_coarse_clocks_make_no_change():
    assert ages(900.0) == (300.0, 900.0, 3600.0)
    assert min(ages(0.0)) == 1.0
    assert compare(Identity(1, 5_000_000_001), Identity(1, 4_000_000_000)) is Filed.SAME
    assert compare(Identity(1, 0), Identity(1, 2_000_000_000)) is Filed.DOUBT
    assert compare(Identity(1, 0), Identity(2, 0)) is Filed.OTHER


@pytest.mark.parametrize("kind", ["link", "fifo", "gone"])
def test_a_source_that_is_no_regular_file_any_more_is_looked_for_as_gone(bench, kind):
    """A link in its place was a change for ever: 22 attempts in 25 s."""
    path = bench.context.config.paths.inbox / "a.mp3"
    job = bench.context.ledger.add("a.mp3", Identity(5, 5), bench.now)
    job = bench.context.ledger.update(job, state=State.RUNNING)
    if kind == "link":
        (path.parent / "other").write_bytes(b"x")
        path.symlink_to(path.parent / "other")
    if kind == "fifo":
        os.mkfifo(path)
    job = start_anew(bench.context, job, settled=False)
    assert (job.state, job.cause, job.identity) == (State.QUEUED, Cause.GONE, Identity(5, 5))
    assert job.not_before >= bench.now + bench.context.config.pool.machine_wait
    assert bench.expected == ["a.mp3"]


@pytest.mark.parametrize("place", ["inbox", "elsewhere"])
def test_a_source_that_is_as_it_was_though_its_worker_says_otherwise_is_not_tried_again_at_once(bench, place):
    """Elsewhere, where no event tells of it, that was a loop without a wait."""
    path = bench.context.config.paths.inbox / "a.mp3"
    path.write_bytes(b"as it was")
    os.utime(path, (1, 1))
    location = None if place == "inbox" else str(path)
    job = bench.context.ledger.add("a.mp3", Identity.of(path.stat()), bench.now, location=location)
    job = start_anew(bench.context, bench.context.ledger.update(job, state=State.RUNNING), settled=True)
    assert job.not_before == bench.now + bench.context.config.pool.machine_wait


@pytest.mark.parametrize("settled", [False, True])
def test_a_source_that_changed_under_its_worker_waits_until_the_inbox_says_that_it_has_settled(bench, settled):
    """A recorder that writes for hours: no attempt each few seconds. Where the inbox has said so already, no wait for it."""
    path = bench.context.config.paths.inbox / "a.mp3"
    path.write_bytes(b"as it is now")
    job = bench.context.ledger.add("a.mp3", Identity(5, 5), bench.now)
    job = start_anew(bench.context, bench.context.ledger.update(job, state=State.RUNNING), settled=settled)
    now = Identity.of(path.stat())
    watch = bench.context.config.watch
    assert job.identity == now
    assert job.not_before == bench.now + (watch.settle if settled else watch.patience)
    intake.found(bench.context, Found((("a.mp3", now),)))
    job = bench.context.ledger.get(job.id)
    assert (job.not_before, job.cause) == ((bench.now + watch.settle, None) if settled else (0.0, None))

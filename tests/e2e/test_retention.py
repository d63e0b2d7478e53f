"""What is old goes only where the configuration says so, and nothing that a job still needs."""

from __future__ import annotations

import dataclasses
import os
import queue
import threading
import time

import pytest

from sttd.config import Config, Paths, Retention
from sttd.daemon import compaction, retention
from sttd.daemon.context import Context
from sttd.daemon.errands import Errands, FileWork
from sttd.job import Identity, State
from sttd.ledger import Answer, Checkpoint, Ledger, facts
from sttd.part import Chunk
from sttd.rules.deadlines import Deadlines
from tests import speech
from tests.harness import PATIENCE

DAY = 86_400.0


class Inbox:
    """The thinning asks only whether there is one."""


@pytest.fixture
def context(tmp_path):
    """The daemon's own parts, ten days after its folders were filled."""
    folders = {name: tmp_path / name for name in ("inbox", "transcripts", "archive", "failed", "state")}
    for folder in folders.values():
        folder.mkdir()
    ledger = Ledger.open(folders["state"] / "ledger.db")
    ledger.set_fact(facts.CLOCK, {"believed": time.time() + 10 * DAY, "doubted": None})
    inputs: queue.SimpleQueue = queue.SimpleQueue()
    pools = [Errands(inputs.put) for _ in range(4)]
    yield Context(
        config=Config(paths=Paths(root=tmp_path, **folders)), ledger=ledger, pool=None, inbox=Inbox(),
        work=FileWork(*pools), deadlines=Deadlines(), utc=lambda: time.time() + 10 * DAY,
    ), inputs  # fmt: skip
    ledger.close()


def done(ledger: Ledger, path, now: float):
    """A job whose source was archived."""
    path.write_bytes(b"x" * 100)
    job = ledger.update(ledger.add(path.name, Identity(100, 1), now), state=State.RUNNING)
    job = ledger.update(job, state=State.COMMITTING, plan={})
    return ledger.update(job, state=State.DONE, plan=None, location=str(path), finished_at=now)


def thin(context, inputs, **settings) -> None:
    """Once, with all that follows from it."""
    context.config = dataclasses.replace(context.config, retention=Retention(**settings))
    upkeep = retention.Upkeep(context, boot=lambda: 0.0)
    upkeep.begin()
    while context.work.upkeep.under_way:
        inputs.get(timeout=PATIENCE).settle()


def test_old_sources_go_and_their_jobs_say_so_but_one_that_is_done_again_keeps_its_own(context, tmp_path):
    context, inputs = context
    gone, kept = (done(context.ledger, tmp_path / "archive" / name, time.time()) for name in ("a.mp3", "b.mp3"))
    context.ledger.add("b.mp3", Identity(100, 1), time.time(), redo_of=kept.id, location=kept.location)
    (tmp_path / "failed" / "c.mp3").write_bytes(b"x")
    thin(context, inputs)
    assert (tmp_path / "archive" / "a.mp3").exists()
    thin(context, inputs, archive_age=9 * DAY)
    assert [path.name for path in (tmp_path / "archive").iterdir()] == ["b.mp3"]
    assert [context.ledger.get(job.id).location for job in (gone, kept)] == ["", kept.location]
    assert (tmp_path / "failed" / "c.mp3").exists()
    thin(context, inputs, failed_age=9 * DAY)
    assert not (tmp_path / "failed" / "c.mp3").exists()


def test_jobs_are_forgotten_with_their_checkpoints_and_their_sources_stay(context, tmp_path):
    context, inputs = context
    job = done(context.ledger, tmp_path / "archive" / "a.mp3", time.time())
    checkpoint = tmp_path / "state" / "work" / str(job.id) / "0.jsonl"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    thin(context, inputs, ledger_age=11 * DAY)
    assert checkpoint.exists()
    thin(context, inputs, ledger_age=9 * DAY)
    assert context.ledger.jobs() == []
    assert not checkpoint.parent.exists()
    assert (tmp_path / "archive" / "a.mp3").exists()


def test_nothing_of_the_name_of_a_forgotten_job_stays_in_the_state_folder(context, tmp_path):
    """Rows, errors of attempts, answers to requests, manifest, WAL, checkpoints that a kill left, damaged ledgers and checkpoints set aside."""
    context, inputs = context
    state, then = tmp_path / "state", time.time() - DAY
    kept = done(context.ledger, tmp_path / "archive" / "kept.mp3", time.time() + 9 * DAY)
    for number in range(150):
        job = done(context.ledger, tmp_path / "archive" / f"secret {number}.mp3", time.time())
        context.ledger.begin_attempt(job, 1.0)
        context.ledger.end_attempt(job, 2.0, "error", f"secret {number}.mp3 is bad", 1)
        checkpoint = Checkpoint(state / "work", job, "key")
        checkpoint.append([Chunk(0, 0, 160_000, (), "und", 0.0, "demo")])
        checkpoint.close()
    context.ledger.set_answer("1", Answer(ok=True, text="job 2 (secret 1.mp3) is queued again"), time.time())
    copies = [state / "ledger.db.corrupt-20240101T000000Z", state / "ledger.db.corrupt-20240101T000000Z-wal",
              state / "work" / "7.jsonl.corrupt-20240101T000000Z", state / "work" / "99999" / "0.jsonl"]  # fmt: skip
    for copy in copies:
        copy.parent.mkdir(exist_ok=True)
        copy.write_text("secret 7.mp3")
        os.utime(copy, (then, then))
        os.utime(copy.parent, (then, then))
    assert holding(state, b"secret") != []
    thin(context, inputs, ledger_age=5 * DAY)
    assert context.ledger.jobs() == [kept]
    assert holding(state, b"secret") == []
    assert holding(state, b"kept.mp3") == ["ledger.db", "manifest.jsonl"]
    assert {path.name for path in state.iterdir()} <= {
        "ledger.db",
        "ledger.db-shm",
        "ledger.db-wal",
        "manifest.jsonl",
        "work",
    }


def holding(folder, word: bytes) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and word in path.read_bytes())


def test_a_clock_far_ahead_of_what_is_known_removes_nothing_and_that_is_said(context, tmp_path, log):
    context, inputs = context
    context.ledger.set_fact(
        facts.CLOCK, {"believed": time.time(), "doubted": None}
    )  # ten days before what the clock says
    done(context.ledger, tmp_path / "archive" / "a.mp3", time.time())
    for _ in range(2):
        thin(context, inputs, archive_age=DAY, ledger_age=DAY)
    assert len(context.ledger.jobs()) == 1
    assert (tmp_path / "archive" / "a.mp3").exists()
    assert len([line for line in log if "10.0 days ahead" in line]) == 1
    context.utc = lambda: time.time() + 11 * DAY  # as on a machine that is switched off at night
    thin(context, inputs, archive_age=DAY, ledger_age=DAY)
    assert context.ledger.jobs() == []


def test_a_ledger_that_no_version_before_looked_after_goes_by_its_newest_job(context, tmp_path, log):
    context, inputs = context
    context.ledger.set_fact(facts.CLOCK, None)
    done(context.ledger, tmp_path / "archive" / "a.mp3", time.time())
    thin(context, inputs, archive_age=DAY, ledger_age=DAY)
    assert len(context.ledger.jobs()) == 1


def test_an_archive_that_is_away_changes_nothing_and_is_said_once(context, tmp_path, log):
    context, inputs = context
    job = done(context.ledger, tmp_path / "archive" / "a.mp3", time.time())
    (tmp_path / "archive").rename(tmp_path / "elsewhere")
    for _ in range(3):
        thin(context, inputs, archive_age=DAY)
    assert context.ledger.get(job.id) == job
    assert len([line for line in log if "cannot be removed" in line]) == 1
    assert len(context.troubles.texts()) == 1
    (tmp_path / "elsewhere").rename(tmp_path / "archive")
    thin(context, inputs, archive_age=DAY)
    assert context.troubles.texts() == []
    assert context.ledger.get(job.id).location == ""


def test_a_round_that_failed_is_tried_again_soon_and_less_and_less_often(context, tmp_path):
    """Too many open files for a moment: what is shown of it is over with the next round, not ten minutes later."""
    context, inputs = context
    now, wait = 1000.0, context.config.pool.machine_wait
    context.clock = lambda: now
    context.config = dataclasses.replace(context.config, retention=Retention(archive_age=DAY))
    upkeep = retention.Upkeep(context, boot=lambda: 0.0)

    def round_at(time: float) -> float:
        nonlocal now
        now = time
        upkeep.begin()
        while context.work.upkeep.under_way:
            inputs.get(timeout=PATIENCE).settle()
        return upkeep.interval

    (tmp_path / "archive").rename(tmp_path / "elsewhere")
    assert [round_at(time) for time in (1000.0, 1000.0 + wait, 1000.0 + 4 * wait, 9000.0)] == [
        wait, wait, 4 * wait, retention.INTERVAL,
    ]  # fmt: skip
    (tmp_path / "elsewhere").rename(tmp_path / "archive")
    assert round_at(9600.0) == retention.INTERVAL
    assert context.troubles.texts() == []


def test_what_takes_time_is_done_off_the_loop(context, tmp_path, monkeypatch):
    """With a million jobs the questions to the ledger take seconds, with 200,000 files the walks do."""
    context, inputs = context
    done(context.ledger, tmp_path / "archive" / "a.mp3", time.time())
    threads: dict[str, set[str]] = {}

    def listen(module, name):
        real = getattr(module, name)

        def heard(*words):
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return real(*words)

        monkeypatch.setattr(module, name, heard)

    for name in ("_ask", "_remove_checkpoints", "remove_leftovers", "empty_wal"):
        listen(retention, name)
    for name in ("walk", "choose", "remove"):
        listen(retention.retention, name)
    listen(compaction, "compact")
    thin(context, inputs, archive_age=DAY, ledger_age=DAY)
    assert context.ledger.jobs() == []
    assert len(threads) == 8
    assert threading.main_thread().name not in set().union(*threads.values())


def test_a_folder_is_not_walked_again_before_something_in_it_may_be_too_old(context, tmp_path, monkeypatch):
    """A round comes every ten minutes: it walked through all of the archive each time."""
    context, inputs = context
    done(context.ledger, tmp_path / "archive" / "a.mp3", time.time())
    walks, walk, ahead = [], retention.retention.walk, 10 * DAY
    monkeypatch.setattr(retention.retention, "walk", lambda folder: walks.append(folder) or walk(folder))
    context.utc = lambda: time.time() + ahead
    context.config = dataclasses.replace(context.config, retention=Retention(archive_age=10.5 * DAY))
    upkeep = retention.Upkeep(context, boot=lambda: ahead)
    for _ in range(72):  # the rounds of twelve hours
        upkeep.begin()
        while context.work.upkeep.under_way:
            inputs.get(timeout=PATIENCE).settle()
        ahead += retention.INTERVAL
    assert len(walks) == 1
    upkeep.begin()
    while context.work.upkeep.under_way:
        inputs.get(timeout=PATIENCE).settle()
    assert len(walks) == 2
    assert not (tmp_path / "archive" / "a.mp3").exists()


@pytest.mark.ci
def test_a_daemon_that_is_told_to_forgets_at_its_start_and_takes_the_file_again(make_daemon):
    """The same recording dropped once more is a job of its own, not a copy of one that nobody remembers."""
    first = make_daemon()
    speech.encode(first.inbox / "talk.flac", speech.compose(["english"]).audio)
    assert first.drain() == 0
    second = make_daemon({"retention.ledger_age": "0s"})
    assert second.drain() == 0
    assert second.jobs() == []
    assert (second.archive / "talk.flac").exists()
    assert any("1 job forgotten" in line for line in second.log)

"""What is the matter of one machine of several, and when none of them is to be reached."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.config import Remote
from sttd.daemon import draining, elsewhere
from sttd.daemon.ending import Ending
from sttd.job import State
from sttd.part import Cause
from sttd.pool.protocol import PoolFull, SourceView, WorkerView
from sttd.rules.policy import Verdict
from tests.properties.stations import Stations


@pytest.fixture
def daemon(tmp_path):
    """One recording, which a worker of another machine has."""
    stations = Stations(tmp_path, "archive")
    (stations.config.paths.inbox / "a.wav").write_text("a")
    stations.context.config = dataclasses.replace(stations.context.config, remotes=(Remote("gpu1", ("ssh",)),))
    stations.look()
    stations.tick(1.0)
    (running,) = stations.context.running.values()
    running.node, running.worker = "gpu1", "gpu1/1"
    yield stations, running
    stations.context.ledger.close()


@pytest.mark.parametrize(
    ("node", "started", "cause", "found"),
    [("gpu1", None, Cause.TIMEOUT, Cause.LINE), ("gpu1", 1.0, Cause.TIMEOUT, Cause.TIMEOUT), ("local", None, Cause.TIMEOUT, Cause.TIMEOUT),
     ("gpu1", None, Cause.CRASH, Cause.CRASH)],
)  # fmt: skip
def test_only_one_elsewhere_that_never_came_to_its_part_is_judged_as_a_line_that_broke(
    daemon, node, started, cause, found
):
    stations, running = daemon
    running.node, running.started = node, started
    assert elsewhere.cause_of(stations.context, running, cause) is found
    assert [name for name, _ in stations.pool.benched] == (["gpu1"] if found is Cause.LINE else [])


def source(name: str, **known) -> SourceView:
    about = {
        "workers": 0,
        "away": "no route",
        "retry_at": 5.0,
        "tries": 2,
        "is_remote": True,
        "is_cut_off": True,
        "slots": 1,
    }
    return SourceView(name=name, **about | known)


def test_nobody_can_be_reached_where_each_machine_with_slots_was_tried_as_often(daemon):
    context, pool = daemon[0].context, daemon[0].pool
    none = source("local", slots=0, away="", tries=0, is_cut_off=False)
    cases = [([], False), ([none], False), ([none, source("gpu1")], True), ([source("gpu1"), source("gpu2", tries=1)], False),
             ([source("gpu1"), source("gpu2", is_cut_off=False)], False)]  # fmt: skip
    for pool.views, is_so in cases:
        assert bool(elsewhere.unreachable(context, 2)) is is_so, pool.views
    pool.views = [source("gpu1"), source("gpu2", away="it is off")]
    assert elsewhere.unreachable(context) == ["no worker can be reached: gpu1: no route; gpu2: it is off"]


def end(cause: Cause, trouble: str) -> Ending:
    return Ending(cause, "so it is", Verdict("queued", False, 0.0, None, None, True), trouble, 5.0)


def test_another_machine_may_do_better_but_not_where_chunks_cannot_be_kept_or_the_job_alone_asks_for_it(daemon):
    stations, running = daemon
    context = stations.context
    assert elsewhere.is_of_its_node(context, running, end(Cause.MACHINE, "machine"))
    assert elsewhere.is_of_its_node(context, running, end(Cause.NO_MODEL, "model"))
    assert not elsewhere.is_of_its_node(context, running, end(Cause.NO_MODEL, "")), "of one job alone"
    assert not elsewhere.is_of_its_node(context, running, end(Cause.CRASH, ""))
    running.torn = True
    assert not elsewhere.is_of_its_node(context, running, end(Cause.MACHINE, "machine"))
    running.torn = False
    context.config = dataclasses.replace(context.config, remotes=())
    assert not elsewhere.is_of_its_node(context, running, end(Cause.MACHINE, "machine"))


def test_a_drain_ends_where_nobody_is_reached_at_the_second_try_and_nobody_is_about_to_answer(daemon, monkeypatch):
    """And where what broke there, before it began, is what the last recordings wait for."""
    stations, running = daemon
    context, pool = stations.context, stations.pool
    job = running.job
    context.running.clear()
    context.inbox = None  # nothing is to be looked at there
    context.ledger.update(job, state="queued")
    assert not draining.is_drained(context), "it waits for nothing but its turn"
    pool.views = [source("gpu1", tries=1)]
    assert not draining.is_drained(context)
    pool.views = [source("gpu1")]
    assert draining.is_drained(context)
    view = WorkerView("gpu1/1", "gpu1", None, "connecting", None, None, 0)
    monkeypatch.setattr(pool, "workers", lambda: [view])
    assert not draining.is_drained(context)
    pool.views = []
    context.ledger.update(context.ledger.get(job.id), cause=Cause.LINE)
    assert not draining.is_drained(context), "it has attempts left"
    context.ledger.update(context.ledger.get(job.id), cause=Cause.MACHINE)
    assert draining.is_drained(context)


def test_a_drain_goes_on_while_another_machine_may_still_be_reached_for_what_one_could_not_do(daemon, monkeypatch):
    """It ended with 1 though the next machine was about to answer. What waits for its own time waits for that alone."""
    stations, running = daemon
    context, pool = stations.context, stations.pool
    context.running.clear()
    context.inbox = None
    job = context.ledger.update(running.job, state="queued", cause=Cause.MACHINE, not_before=0.0)
    monkeypatch.setattr(pool, "can_grow", lambda: True)
    assert not draining.is_drained(context)
    context.ledger.update(job, not_before=context.utc() + 60.0)
    assert draining.is_drained(context)


def test_a_drain_goes_on_where_a_machine_was_lost_while_it_was_given_the_last_job(tmp_path, monkeypatch):
    """The job has its turn again at once; the drain took it for one that waits for this machine, and ended with 1."""
    stations = Stations(tmp_path, "archive")
    context = stations.context
    context.config = dataclasses.replace(context.config, remotes=(Remote("gpu1", ("ssh",)),))
    (stations.config.paths.inbox / "a.wav").write_text("x")
    stations.look()

    def submit(part, holds):
        monkeypatch.setattr(stations.pool, "free_slots", lambda: 0)
        raise PoolFull("no slot is free")

    monkeypatch.setattr(stations.pool, "submit", submit)
    stations.tick(1.0)
    context.inbox = None
    assert context.ledger.counts()[State.QUEUED] == 1
    assert not draining.is_drained(context)
    context.ledger.close()


@pytest.mark.parametrize("end", ["it is done", "it fails", "a person cancels it", "its file is taken away"])
def test_workers_elsewhere_drop_a_recording_when_its_job_ends_whichever_way(daemon, end):
    """Of one that waited for its next attempt it was kept over there, for as long as the worker lived."""
    stations, running = daemon
    (attempt,) = stations.pool.attempts.values()
    path = stations.config.paths.inbox / "a.wav"
    if end in ("it is done", "it fails"):
        while stations.pool.attempts:
            stations.step(attempt) if end == "it is done" else stations.end(attempt, Cause.BAD_FILE)
    else:
        stations.end(attempt, Cause.ERROR)
        assert stations.pool.forgotten == [], "it waits for its next attempt"
        path.unlink() if "file" in end else stations.ask("cancel", running.job.id)
        stations.miss()
        stations.tick(1.0)
    assert stations.pool.forgotten == [str(path)]
    assert stations.context.ledger.get(1).state not in (State.QUEUED, State.RUNNING)


@pytest.mark.parametrize("shared", [False, True])
def test_a_machine_that_is_lost_while_it_is_given_a_job_costs_the_job_nothing(tmp_path, monkeypatch, log, shared):
    """Between the look for a free slot and the submit: it failed for "a fault in sttd", and the third one ended the daemon."""
    stations = Stations(tmp_path, "archive", shared=shared)
    context = stations.context
    context.config = dataclasses.replace(context.config, remotes=(Remote("gpu1", ("ssh",)),))
    real, lost = stations.pool.submit, iter(range(4))

    def submit(part, holds):
        if next(lost, None) is None:
            return real(part, holds)
        raise PoolFull(f"no slot is free for part {part.part_id}")

    monkeypatch.setattr(stations.pool, "submit", submit)
    for number in range(4):
        (stations.config.paths.inbox / f"{number}.wav").write_text("x" * (number + 1))
    stations.look()
    stations.tick(1.0)
    assert not [line for line in log if "a fault in sttd" in line]
    assert [line for line in log if "no slot is free for part" in line]
    jobs = context.ledger.jobs()
    assert {job.state for job in jobs} <= {State.QUEUED, State.RUNNING}
    assert {job.attempts for job in jobs} == {0}
    assert not context.troubles.hold()
    for _ in range(8):
        stations.go_on()
    assert {job.state for job in context.ledger.jobs()} == {State.DONE}
    context.ledger.close()


def test_a_machine_that_is_lost_while_it_is_given_a_job_and_a_ledger_that_fails_then_leave_no_attempt_behind(
    tmp_path, monkeypatch
):
    """There is no worker whose end would be told: it had its slot, and its job no turn, until the next start."""
    stations = Stations(tmp_path, "archive")
    context = stations.context
    (stations.config.paths.inbox / "a.wav").write_text("x")
    stations.look()

    def submit(part, holds):
        stations.break_ledger(1, at_commit=False)
        raise PoolFull("no slot is free")

    monkeypatch.setattr(stations.pool, "submit", submit)
    stations.tick(1.0)
    assert context.running == {}
    monkeypatch.undo()
    stations.mend()
    stations.go_on()
    stations.go_on()
    assert {job.state for job in context.ledger.jobs()} == {State.DONE}
    context.ledger.close()

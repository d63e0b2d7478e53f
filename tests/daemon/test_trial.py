"""A held queue is tried with sttd's own sample: what is at fault, the machine or the recordings, is known in seconds."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.configfile import load
from sttd.daemon import overdue, trial
from sttd.daemon.draining import is_drained
from sttd.job import State
from sttd.part import Cause, Chunks, Done, Failed, Lost
from sttd.pool.protocol import PoolFull
from sttd.worker.model import load as load_model
from sttd.worker.part import run_part
from tests.properties.stations import Stations


@pytest.fixture
def daemon(tmp_path):
    stations = Stations(tmp_path, "archive")
    stations.context.judging.trial.sample = trial.SAMPLE
    yield stations
    stations.context.ledger.close()


def drop(daemon, *names: str) -> None:
    for number, name in enumerate(names):  # others of its size would be compared first
        (daemon.config.paths.inbox / name).write_text(name + "x" * number)
    daemon.look()
    daemon.tick(1.0)


def work(daemon, sample: Cause | None) -> list[str]:
    """Each attempt crashes but that at `good`; the sample is done, or ends by a cause. Returns what was worked on."""
    seen = []
    for attempt in list(daemon.pool.attempts.values()):
        part = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}
        seen.append(part["part_id"])
        if attempt.spec.source.endswith("good.wav"):
            while attempt.spec.part_id in daemon.pool.attempts:
                daemon.step(attempt)
            continue
        del daemon.pool.attempts[part["part_id"]]
        is_well = part["part_id"] == trial.PART and sample is None
        daemon.message(
            Done(audio_seconds=1.0, **part) if is_well else Lost(cause=sample or Cause.CRASH, error="signal 11", **part)
        )
    while daemon.errands.posted:
        daemon.settle()
    return seen


def test_three_files_alone_that_crash_their_workers_come_to_an_end(daemon, log):
    """Nobody else is there to show that the machine works."""
    drop(daemon, "a.wav", "b.wav", "c.wav")
    for _ in range(30):
        work(daemon, None)
        daemon.tick(60.0)
    assert {job.state for job in daemon.context.ledger.jobs()} == {State.FAILED}
    assert {job.attempts for job in daemon.context.ledger.jobs()} == {daemon.config.pool.attempts}
    assert daemon.context.troubles.texts() == []
    assert len([line for line in log if "sttd's own sample was transcribed" in line]) == 1


def test_many_files_that_crash_their_workers_keep_a_sound_one_of_the_same_person_waiting_for_minutes(daemon):
    """They held it up for ten minutes each: a thousand of them for a week."""
    drop(daemon, *(f"{number}.wav" for number in range(40)))
    drop(daemon, "good.wav")
    began, rounds = daemon.now, 0
    while daemon.context.ledger.counts()[State.DONE] == 0:
        work(daemon, None)
        daemon.tick(5.0)
        rounds += 1
        assert rounds < 100
    assert daemon.now - began < 600


def test_a_machine_that_cannot_transcribe_the_sample_either_costs_no_recording_an_attempt(daemon, log):
    drop(daemon, *(f"{number}.wav" for number in range(6)))
    for _ in range(3):
        work(daemon, Cause.CRASH)
        daemon.tick(0.0)
    seen = []
    for _ in range(20):
        now = work(daemon, Cause.CRASH)
        seen += [number for number in now if number != trial.PART]
        assert now.count(trial.PART) <= 1
        daemon.tick(700.0)
    jobs = daemon.context.ledger.jobs()
    assert {job.state for job in jobs} <= {State.QUEUED, State.RUNNING}
    assert max(job.attempts for job in jobs) <= 1
    assert len(set(seen)) == 6, "another recording is tried each time"
    assert len([line for line in log if "sample cannot be transcribed either" in line]) == 1
    assert daemon.context.troubles.texts()


def test_a_sample_that_takes_too_long_is_killed_and_a_drain_waits_for_its_end(daemon):
    drop(daemon, "a.wav", "b.wav", "c.wav")
    for _ in range(4):
        work(daemon, None) if trial.PART not in daemon.pool.attempts else None
        daemon.tick(0.0)
    attempt = daemon.pool.attempts[trial.PART]
    assert not is_drained(daemon.context)
    for _ in range(40):
        daemon.now += 60.0
        overdue.kill(daemon.context, daemon.now)
        daemon.context.deadlines.tick(daemon.now, 60.0)
    assert attempt.killed is Cause.TIMEOUT


def test_a_sample_that_is_missing_for_a_moment_is_tried_in_the_next_round(daemon, tmp_path):
    """As while the package is being upgraded."""
    daemon.context.judging.trial.sample = tmp_path / "sample.flac"
    drop(daemon, "a.wav", "b.wav", "c.wav")
    for _ in range(4):
        work(daemon, None)
        daemon.tick(0.0)
    assert trial.PART not in daemon.pool.attempts
    daemon.context.judging.trial.sample.write_bytes(trial.SAMPLE.read_bytes())
    for _ in range(10):
        work(daemon, None) if trial.PART not in daemon.pool.attempts else None
        daemon.tick(60.0)
    assert trial.PART in daemon.pool.attempts


def test_the_sample_is_transcribed_as_the_recordings_that_met_the_error(tmp_path):
    """Options of one inbox alone may be at fault. That the sample gets along with others says nothing of its recordings."""
    daemon = Stations(tmp_path, "archive", watched=["films"])
    table = dataclasses.replace(daemon.config.watched[0], values={"transcribe": {"hotwords": "odd"}})
    daemon.context.config = daemon.config = dataclasses.replace(daemon.config, watched=(table,))
    daemon.context.judging.trial.sample = trial.SAMPLE
    for number in range(3):
        (tmp_path / "films" / f"{number}.wav").write_text("x" * (number + 1))
    daemon.look()
    for _ in range(4):
        daemon.tick(1.0)
        work(daemon, None) if trial.PART not in daemon.pool.attempts else None
    assert daemon.pool.attempts[trial.PART].spec.options.hotwords == "odd"
    daemon.context.ledger.close()


def test_a_worker_transcribes_the_sample(tmp_path):
    config = load(None, root=tmp_path, sets=["model.name=demo"], environ={})
    stations = Stations(tmp_path, "archive")
    stations.context.config = config
    part = trial.order(stations.context, trial.SAMPLE, 1)
    events = list(run_part(part, load_model(part.model, lambda *_: None)))
    assert isinstance(events[-1], Done), events[-1]
    assert not [event for event in events if isinstance(event, Failed)]
    assert any(
        segment.text
        for event in events
        if isinstance(event, Chunks)
        for chunk in event.chunks
        for segment in chunk.segments
    )
    stations.context.ledger.close()


def test_a_worker_that_is_lost_while_it_is_given_the_sample_does_not_end_the_daemon(daemon, monkeypatch):
    """Between the look for a free slot and the submit: `PoolFull` was an error that nobody had expected."""
    drop(daemon, "a.wav", "b.wav", "c.wav")
    real = daemon.pool.submit

    def submit(part, holds):
        if part.part_id == trial.PART:
            raise PoolFull("no slot is free")
        return real(part, holds)

    monkeypatch.setattr(daemon.pool, "submit", submit)
    for _ in range(4):
        work(daemon, None)
        daemon.tick(0.0)
    assert trial.PART not in daemon.pool.attempts
    assert not daemon.context.judging.trial.under_way
    assert daemon.context.deadlines.overdue(daemon.now + 1e9) == []
    monkeypatch.undo()
    daemon.tick(0.0)
    assert trial.PART in daemon.pool.attempts, "in the same round, once there is a worker"

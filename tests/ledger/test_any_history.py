"""Whatever happens to jobs in whatever order: the ledger says what a plain dictionary would."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from sttd.job import Identity, State, can_step
from sttd.ledger import Answer, Ledger

# any bytes that a file name may hold, several levels deep
names = st.binary(min_size=1, max_size=20).filter(lambda name: 0 not in name).map(os.fsdecode)
times = st.floats(0, 1e6)


class History(RuleBasedStateMachine):
    """The ledger beside a model of it: jobs by number."""

    numbers = Bundle("numbers")

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.ledger = Ledger.open(self.folder / "ledger.db")
        self.jobs = {}
        self.answers = {}

    def teardown(self):
        self.ledger.close()
        shutil.rmtree(self.folder)

    @rule(
        target=numbers,
        name=names,
        size=st.integers(0, 3),
        queued=times,
        service=st.sampled_from([0.0, 5.0, 9.0]),
        owner=st.integers(-1, 2),
    )
    def add(self, name, size, queued, service, owner):
        job = self.ledger.add(name, Identity(size, 2**62, owner), queued, service=service)
        assert job.id == len(self.jobs) + 1
        self.jobs[job.id] = job
        return job.id

    @rule(number=numbers, after=st.sampled_from(State), error=st.none() | names, wait=times)
    def step(self, number, after, error, wait):
        job = self.jobs[number]
        try:
            self.jobs[number] = self.ledger.update(job, state=after, not_before=wait, outputs=(error or "",))
        except ValueError:
            assert not can_step(job.state, after)
        else:
            assert can_step(job.state, after)

    @rule(name=st.sampled_from("abc"), ok=st.none() | st.booleans(), jobs=st.integers(0, 9))
    def answer(self, name, ok, jobs):
        self.answers[name] = Answer(ok, f"{jobs} jobs", jobs, jobs)
        self.ledger.set_answer(name, self.answers[name], 1.0)

    @rule(crash=st.booleans())
    def open_again(self, crash):
        """After a clean end, or beside a daemon that holds it open."""
        if not crash:
            self.ledger.close()
        self.ledger = Ledger.open(self.folder / "ledger.db")

    @rule(now=times)
    def whose_turn(self, now):
        self.ledger.end_waits(now)
        over = [job for job in self.jobs.values() if job.state is State.QUEUED and job.not_before <= now]
        self.jobs |= {job.id: dataclasses.replace(job, not_before=min(job.not_before, 0.0)) for job in over}
        waiting = [job for job in self.jobs.values() if job.state is State.QUEUED and job.not_before <= 0]
        owners = {job.owner for job in waiting}
        assert self.ledger.waiting_owners() == sorted(owners)
        for owner in owners:
            own = [job for job in waiting if job.owner == owner]
            fresh = sorted((job.queued_at, job.id) for job in own if not job.service)
            served = sorted((job.queued_at, job.id) for job in own if job.service)
            for queue, order in (("fresh", fresh), ("served", served)):
                turn = self.ledger.next_job(owner, queue)
                assert (turn and turn.id) == (order[0][1] if order else None)
                second = self.ledger.next_job(owner, queue, [number for _, number in order[:1]])
                assert (second and second.id) == (order[1][1] if len(order) > 1 else None)

    @invariant()
    def same(self):
        assert {name: self.ledger.answer(name) for name in self.answers} == self.answers
        assert {job.id: job for job in self.ledger.jobs()} == self.jobs
        counts = self.ledger.counts()
        states = [job.state for job in self.jobs.values()]
        assert counts == {state: states.count(state) for state in State}


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

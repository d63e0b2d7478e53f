"""Whatever happens to files, workers and the daemon, in any order: no version is lost, none has two results."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sttd.daemon.faults import MOST
from sttd.job import ENDED, Job, State
from sttd.outbox.places import MARK
from sttd.part import Cause
from tests.properties import words
from tests.properties.stations import CHUNKS, Stations

NAMES = ["a.mp3", "b.mp3", "other//a.mp3"]  # one in a further inbox
UNFINISHED = (State.QUEUED, State.RUNNING, State.COMMITTING)
WAY = CHUNKS + 5  # steps of a recording: it is given to a worker, opened, each window, the end, and two errands
picks = st.integers(0, 9)
# how an attempt may end whatever became of its file; no worker here is asked to look for subtitles
ORDINARY = [cause for cause in Cause if cause not in (Cause.CHANGED, Cause.GONE, Cause.CANCELLED, Cause.EXISTING)]


class Life(RuleBasedStateMachine):
    """The daemon beside a model of the folder: which versions there were, and how often each appeared."""

    @initialize(fate=st.sampled_from(["archive", "keep", "delete"]), shared=st.booleans())
    def begin(self, fate, shared):
        self.folder = words.folder()
        self.root = Path(self.folder.name)
        self.stations = Stations(self.root, fate, watched=["other"], shared=shared)
        self.fate = fate
        self.versions: dict[tuple[str, int], str] = {}  # content by name and time
        self.appeared: Counter[tuple[str, int]] = Counter()
        self.taken: dict[str, Path] = {}  # by a person, and put back perhaps
        self.removed: set[tuple[str, int]] = set()  # versions that a person took away or wrote over
        self.done: dict[int, Job] = {}
        self.number = 0
        self.cancelled: set[int] = set()
        self.faults = 0

    def teardown(self):
        if hasattr(self, "stations"):
            self.drain()
            self.stations.context.ledger.close()
            self.folder.cleanup()

    # what people do

    @rule(name=st.sampled_from(NAMES), content=st.sampled_from(["one", "two"]), steps=st.integers(0, WAY))
    def write(self, name, content, steps):
        """A new file, or a new version over the old one, by rename as rsync does; and it may come a long way at once."""
        path, part = self.stations.inbox.path_of(name), self.root / "part"
        if not path.parent.exists():
            return
        self.leave(name)
        self.number += 1
        time = 10**18 + self.number
        part.write_text(content)
        os.utime(part, ns=(time, time))
        part.rename(path)
        self.appear(name, time, content)
        if steps:
            self.stations.look()
            self.stations.tick(1.0)
        for attempt in list(self.stations.pool.attempts.values()):
            self.advance(attempt, steps - 1)
        for _ in range(steps - WAY + 2):
            if self.stations.errands.posted:
                self.do_errand(walks=True)

    @rule(name=st.sampled_from(NAMES), noticed=st.booleans())
    def take_away(self, name, noticed):
        path = self.stations.inbox.path_of(name)
        if path.exists():
            self.leave(name)
            self.taken[name] = path.rename(self.root / f"taken-{name.replace('/', '-')}")
            if noticed:
                self.stations.miss()

    @rule(name=st.sampled_from(NAMES))
    def put_back(self, name):
        path = self.stations.inbox.path_of(name)
        if name in self.taken and path.parent.exists() and not path.exists():
            back = self.taken.pop(name).rename(path)
            self.appear(name, back.stat().st_mtime_ns, back.read_text())

    @rule(folder=st.sampled_from(["archive", "failed"]), pick=picks)
    def throw_away(self, folder, pick):
        """What lies in the archive, or among the failed, is a person's to delete."""
        found = sorted(path for path in (self.root / folder).rglob("*") if path.is_file() and path.suffix != ".json")
        if found:
            path = found[pick % len(found)]
            time = path.stat().st_mtime_ns
            self.removed |= {version for version in self.versions if version[1] == time}
            path.unlink()

    @rule()
    def unmount(self):
        """The further inbox is away, or back."""
        other, away = self.root / "other", self.root / "away"
        if away.exists():
            away.rename(other)
        else:
            other.rename(away)

    def leave(self, name):
        path = self.stations.inbox.path_of(name)
        if path.exists():
            self.removed.add((name, path.stat().st_mtime_ns))

    def appear(self, name, time, content):
        self.versions[name, time] = content
        self.appeared[name, time] += 1
        self.removed.discard((name, time))

    @rule(kind=st.sampled_from(["retry", "cancel", "redo", "retry-failed", "pause", "resume"]), pick=picks)
    def ask(self, kind, pick):
        jobs = self.stations.context.ledger.jobs()
        self.stations.ask(kind, jobs[pick % len(jobs)].id if jobs else 1)

    # what the daemon and its workers do

    @rule()
    def look(self):
        self.stations.look()

    @rule()
    def miss(self):
        self.stations.miss()

    @rule(seconds=st.sampled_from([0.0, 1.0, 40.0, 1000.0]))
    def tick(self, seconds):
        self.stations.tick(seconds)

    @rule(pick=picks, steps=st.integers(1, CHUNKS + 2))
    @precondition(lambda self: self.stations.pool.attempts)
    def work(self, pick, steps):
        self.advance(self.attempt(pick), steps)

    def advance(self, attempt, steps):
        for _ in range(steps):
            if self.stations.pool.attempts.get(attempt.spec.part_id) is attempt:
                self.stations.step(attempt)

    @rule(pick=picks, cause=st.sampled_from(ORDINARY))
    @precondition(lambda self: self.stations.pool.attempts)
    def go_wrong(self, pick, cause):
        attempt = self.attempt(pick)
        self.stations.end(attempt, attempt.killed or cause)

    @rule(pick=picks)
    @precondition(lambda self: self.stations.pool.attempts)
    def wake_up_late(self, pick):
        self.stations.stale(self.attempt(pick))

    def attempt(self, pick):
        attempts = list(self.stations.pool.attempts.values())
        return attempts[pick % len(attempts)]

    @rule(walks=st.booleans())
    @precondition(lambda self: self.stations.errands.posted)
    def do_errand(self, walks):
        """A look may have begun before it, and is told with the next one."""
        if walks:
            self.stations.walk()
        self.stations.settle()

    @rule(halfway=st.booleans())
    def crash(self, halfway):
        self.stations.crash(halfway=halfway)

    # what goes wrong, anywhere

    @rule(times=st.integers(1, 4), at_commit=st.booleans())
    def break_ledger(self, times, at_commit):
        self.stations.break_ledger(times, at_commit=at_commit)

    @rule(
        number=st.sampled_from([errno.ENOSPC, errno.EIO, errno.EACCES, errno.EINVAL, errno.ESTALE]), done=st.booleans()
    )
    def break_disk(self, number, done):
        """The next file work fails, though it may have been done all the same."""
        self.stations.errands.fails.append((number, done))

    @rule(after=st.integers(0, 3))
    @precondition(lambda self: self.faults < MOST - 1)
    def break_code(self, after):
        """As many faults in sttd as it survives."""
        self.faults += 1
        self.stations.break_code(after)

    # what must hold whenever

    @invariant()
    def one_job_for_one_file(self):
        """Never two unfinished jobs of what lies in the inbox under one name, nor of one file anywhere else."""
        jobs = [job for job in self.jobs() if job.state in UNFINISHED and job.redo_of is None]
        assert max(Counter((job.source, job.location) for job in jobs).values(), default=0) <= 1, jobs

    @invariant()
    def what_is_to_be_done_with_files_goes_with_a_state(self):
        for job in self.jobs():
            assert job.plan is None or job.state in (State.COMMITTING, State.FAILED), job

    @invariant()
    def a_job_is_what_its_parts_are(self):
        """It runs as long as one of them does, and has the chunks of all; each has those of its checkpoint, or fewer."""
        for job in self.jobs():
            parts = self.stations.context.ledger.parts(job)
            if not parts:
                continue
            runs = any(part.state is State.RUNNING for part in parts)
            assert (job.state is State.RUNNING) == runs, (job, parts)
            assert job.chunks == sum(part.chunks for part in parts), (job, parts)
            assert job.state is not State.COMMITTING or all(part.state is State.DONE for part in parts), (job, parts)

    @invariant()
    def done_stays_done(self):
        for job in self.jobs():
            if job.id in self.done:
                before = self.done[job.id]
                assert (job.state, job.outputs, job.identity) == (State.DONE, before.outputs, before.identity)
            elif job.state is State.DONE:
                self.done[job.id] = job

    @invariant()
    def no_version_has_two_results(self):
        """As many as it was put there, at most; and each says what was said in it, once."""
        found = Counter((job.source, job.mtime_ns) for job in self.done.values() if job.redo_of is None)
        for version, count in found.items():
            assert count <= self.appeared[version], f"{version} has {count} results"
        outputs = [path for job in self.done.values() for path in job.outputs]
        assert len(set(outputs)) == len(outputs), "two jobs have one name"

    def jobs(self):
        return self.stations.context.ledger.jobs() if hasattr(self, "stations") else []

    # what must hold in the end

    def drain(self):
        """Nobody disturbs any more: everything comes to its end, and every version that stayed has one."""
        stations = self.stations
        stations.mend()
        if (self.root / "away").exists():
            self.unmount()
        stations.ask("resume")
        for _ in range(16):
            stations.go_on()
            self.one_job_for_one_file()
            self.done_stays_done()
        self.no_version_has_two_results()
        self.everything_has_ended()
        self.nothing_is_left()

    def everything_has_ended(self):
        jobs = self.jobs()
        assert all(job.state in ENDED for job in jobs), [job for job in jobs if job.state not in ENDED]
        vanished = [job for job in jobs if job.state is State.VANISHED]
        assert all((job.source, job.mtime_ns) in self.removed for job in vanished), "nobody took it away"
        ends = {(job.source, job.mtime_ns) for job in jobs}
        for version in self.versions:
            assert version in ends or version in self.removed, f"{version} is lost: no job is about it"
        for job in self.done.values():
            content = self.versions[job.source, job.mtime_ns]
            (path,) = [path for path in job.outputs if path.endswith(".json")]
            texts = [segment["text"] for segment in json.loads(Path(path).read_text())["segments"]]
            assert texts == [f"{content} {index}" for index in range(CHUNKS)], "a window is missing, or there twice"

    def nothing_is_left(self):
        """No staging, no private names; in the inbox only what a person stopped, or what is to be kept."""
        folders = {name: self.root / name for name in ("inbox", "other", "transcripts", "archive", "failed")}
        parts = [path for folder in folders.values() for path in folder.rglob(".sttd*") if path.is_file()]
        assert {path.name for path in parts} <= {".sttd.lock", MARK}, parts
        latest = {name: self.stations.context.ledger.latest(name) for name in self.stations.inbox.files()}
        for name, job in latest.items():
            assert job is not None
            assert job.state is State.CANCELLED or (job.state is State.DONE and self.fate == "keep"), (name, job)
        results = {str(path) for path in folders["transcripts"].rglob("[!.]*.*") if path.is_file()}
        assert results == {path for job in self.done.values() for path in job.outputs}


TestLife = Life.TestCase
TestLife.settings = settings(words.percent(40), stateful_step_count=40)


class TestManyLives(Life.TestCase):
    settings = settings(words.percent(100), stateful_step_count=40)
    pytestmark = pytest.mark.ci

"""What must be true of sttd's folders after any trouble, once a daemon has drained them.

It knows the folders, the ledger and the outputs, and nothing of what was done to them.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sttd.job import Job, State
from sttd.ledger import Ledger
from sttd.ledger.checkpoint import unseal
from sttd.outbox.places import MARK, MARKED
from tests.harness import PATIENCE

LOCK = ".sttd.lock"  # what sttd leaves in the inbox for good


@dataclass(frozen=True)
class Expected:
    """What becomes of one recording in a run that nobody disturbs."""

    sha256: str  # of the source
    segments: tuple[tuple[float, str], ...] | None  # start and text; None: it fails


@dataclass(frozen=True)
class Folders:
    """Of one `sttd --root`, whatever is mounted where."""

    root: Path

    def __getattr__(self, name: str) -> Path:
        return self.root / name

    def jobs(self) -> list[Job]:
        if not (self.state / "ledger.db").exists():
            return []
        ledger = Ledger.open(self.state / "ledger.db")
        try:
            return ledger.jobs(newest=False)
        finally:
            ledger.close()


def expected(folders: Folders) -> dict[str, Expected]:
    """By source: what an undisturbed run has left in `folders`."""
    found = {}
    for job in folders.jobs():
        digest = hashlib.sha256(_source_path(folders, job).read_bytes()).hexdigest()
        found[job.source] = Expected(digest, segments(job) if job.state is State.DONE else None)
    return found


def _source_path(folders: Folders, job: Job) -> Path:
    """Where the ledger says that the source is."""
    return folders.inbox / job.source if job.location is None else Path(job.location)


def _record(folders: Folders, job: Job) -> Path:
    """Where the reason of a failure lies: beside the source, or where the source would be."""
    return Path(f"{job.location or folders.failed / job.source}.error.json")


def segments(job: Job) -> tuple[tuple[float, str], ...]:
    return tuple((each["start"], each["text"]) for each in result(job)["segments"])


def result(job: Job) -> dict[str, Any]:
    path = next(path for path in job.outputs if path.endswith(".json"))
    value = json.loads(Path(path).read_bytes())
    assert isinstance(value, dict)
    return value


Begun = Mapping[str, Mapping[int, tuple[int, int]]]  # by source and part: attempts and resumes


def begun(folders: Folders) -> dict[str, dict[int, tuple[int, int]]]:
    """Jobs with chunks in checkpoints that are still to be finished: attempts and resumes so far at each such part.

    To be asked after a kill and handed to `problems`: no further attempt at such a part may start from its beginning.
    It opens the ledger and so changes its files: before a restart give it a copy.
    """
    found = {}
    for job in folders.jobs():
        if job.state in (State.QUEUED, State.RUNNING):
            there, tried = chunks(folders, job), tries(folders, job)
            found[job.source] = {number: tried[number] for number, count in enumerate(there) if count}
    return found


def tries(folders: Folders, job: Job) -> list[tuple[int, int]]:
    """How many attempts there were at each part of a job, and how many of them went on from a checkpoint."""
    ledger = Ledger.open(folders.state / "ledger.db")
    try:
        parts = [attempt["part"] for attempt in ledger.attempts(job.id)]
        resumes = [part.resumes for part in ledger.parts(job)] or [job.resumes]
        return [(parts.count(number), resumed) for number, resumed in enumerate(resumes)]
    finally:
        ledger.close()


def chunks(folders: Folders, job: Job) -> list[int]:
    """How many whole chunks lie in the checkpoint of each part of a job."""
    work = folders.state / "work" / str(job.id)
    return [_chunks(work / f"{number}.jsonl") for number in range(job.shared.parts if job.shared else 1)]


def of_parts(folders: Folders) -> Iterator[str]:
    """Each part's row agrees with its checkpoint, which may be ahead by what a kill kept from the ledger."""
    if not (folders.state / "ledger.db").exists():
        return
    ledger = Ledger.open(folders.state / "ledger.db")
    try:
        for job in ledger.jobs():
            parts = ledger.parts(job) if job.state in (State.QUEUED, State.RUNNING) else []
            for part, there in zip(parts, chunks(folders, job), strict=False):
                if part.chunks > there or (part.state is State.DONE and part.chunks != there):
                    yield f"{job.source}: part {part.number} has {part.chunks} chunks in the ledger, {there} on disk"
            if parts and job.chunks != sum(part.chunks for part in parts):
                yield f"{job.source}: has {job.chunks} chunks, its parts {[part.chunks for part in parts]}"
    finally:
        ledger.close()


def _chunks(path: Path) -> int:
    if not path.exists():
        return 0
    good = [unseal(line) for line in path.read_bytes().splitlines(keepends=True)]
    whole = good.index(None) if None in good else len(good)
    return max(0, whole - 1)


def problems(folders: Folders, sources: Mapping[str, Expected], begun: Begun) -> list[str]:
    """Every broken promise in words; [] where all are kept."""
    return list(_problems(folders, sources, begun))


def _problems(folders: Folders, sources: Mapping[str, Expected], begun: Begun) -> Iterator[str]:
    jobs = folders.jobs()
    if sorted(job.source for job in jobs) != sorted(sources):
        yield f"not one job for each source: {[job.source for job in jobs]}"
        return
    for job in jobs:
        wanted = sources[job.source]
        yield from of_result(folders, job, wanted) if wanted.segments is not None else _of_failure(folders, job, wanted)
        now = tries(folders, job)
        for number, (attempts, resumes) in begun.get(job.source, {}).items():
            if now[number][0] > attempts and now[number][1] <= resumes:
                yield f"{job.source}: part {number} transcribed from its beginning, though chunks of it were there"
    yield from of_files(folders, jobs)
    for process in processes(folders.root):
        yield f"a process is left: {process}"


def of_result(folders: Folders, job: Job, wanted: Expected) -> Iterator[str]:
    if job.state is not State.DONE or job.plan is not None:
        yield f"{job.source}: is {job.state}, not done ({job.error})"
        return
    broken = [path for path in job.outputs if not Path(path).is_file()]
    if broken or not job.outputs:
        yield f"{job.source}: results are missing: {broken or 'all'}"
        return
    if segments(job) != wanted.segments:
        yield f"{job.source}: says {segments(job)}, an undisturbed run {wanted.segments}"
    if result(job)["source"]["sha256"] != wanted.sha256:
        yield f"{job.source}: its result names another source"
    said = " ".join(text.strip() for _, text in wanted.segments or ())
    for path in job.outputs:
        if path.endswith(".txt") and " ".join(Path(path).read_text("utf-8").split()) != " ".join(said.split()):
            yield f"{path}: half written"
        is_beside = Path(path).is_relative_to(folders.inbox)
        expected = 0o640 | (_source_path(folders, job).stat().st_mode & 0o044 if is_beside else 0)
        if stat.S_IMODE(Path(path).stat().st_mode) != expected:
            yield f"{path}: its mode is {Path(path).stat().st_mode:o}"
    yield from _of_source(folders, job, wanted)


def _of_failure(folders: Folders, job: Job, wanted: Expected) -> Iterator[str]:
    if job.state is not State.FAILED or job.plan is not None or not job.error:
        yield f"{job.source}: is {job.state}, not failed with words"
        return
    yield from _of_source(folders, job, wanted)
    record = _record(folders, job)
    try:
        if json.loads(record.read_bytes())["job"] != job.id:
            yield f"{record}: of another job"
    except (OSError, ValueError, KeyError) as error:
        yield f"{record}: {error!r}"


def _of_source(folders: Folders, job: Job, wanted: Expected) -> Iterator[str]:
    """The recording itself lies where the ledger says, whole."""
    path = _source_path(folders, job)
    if not path.is_file():
        yield f"{job.source}: the source is lost: not at {job.location!r}"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != wanted.sha256:
        yield f"{job.source}: {path} is not what was dropped"


def of_files(folders: Folders, jobs: list[Job]) -> Iterator[str]:
    """Nothing lies anywhere that no job knows: no second result, no staging folder, no half copy, no private name."""
    known = {path for job in jobs for path in job.outputs} | {str(_source_path(folders, job)) for job in jobs}
    known |= {str(_record(folders, job)) for job in jobs if job.state is State.FAILED}
    known |= {str(folders.inbox / LOCK)} | {str(folders.root / name / MARK) for name in MARKED}
    for name in ("inbox", "transcripts", "archive", "failed"):
        for path in (folders.root / name).rglob("*"):
            if ".sttd-" in path.name or (not path.is_dir() and str(path) not in known):
                yield f"left behind: {path}"
    # tried again, or back in the inbox, these go on from what is there
    kept = {str(job.id) for job in jobs if job.state in (State.FAILED, State.CANCELLED, State.VANISHED)}
    work = folders.state / "work"
    left = set(os.listdir(work)) - kept if work.is_dir() else set()
    if left:
        yield f"checkpoints are left: {sorted(left)}"


def processes(root: Path, patience: float = PATIENCE) -> list[str]:
    """Processes that were started for `root` and do not end: it is in their command line or their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:  # it ended meanwhile, or is another user's
            continue
        if process.pid != os.getpid() and str(root) in words:
            found.append(process)
    _, left = psutil.wait_procs(found, timeout=patience)  # multiprocessing's tracker ends a moment after its parent
    return [str(process) for process in left if process.status() != psutil.STATUS_ZOMBIE]

"""Hours of an office in some minutes: `pytest -m soak`, for STTD_SOAK_SECONDS (600) seconds and what it takes to drain."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sttd.job import Job, State
from tests import invariants
from tests.harness import PATIENCE, Daemon, wait_for
from tests.soak.harm import Harm, Life
from tests.soak.recordings import bases
from tests.soak.share import Share
from tests.soak.writers import Left, Version, Writer, run_all

SECONDS = float(os.environ.get("STTD_SOAK_SECONDS", "600"))
SEED = int(os.environ.get("STTD_SOAK_SEED", "1"))
FILES = round(2000 * SECONDS / 600)
WRITERS = 4
WORKERS = 2
LIVELY = 0.4  # of the time in which the daemon itself is killed too
# nothing left to chance in what is heard, and every window a checkpoint; the long ones are shared out in parts, as they only
# are where there are several workers
HEARING = {
    "pool.workers": str(WORKERS),
    "transcribe.batch_size": "1", "transcribe.temperatures": "0", "pool.split_after": "40s", "pool.part_length": "25s",
}  # fmt: skip
SETTINGS = HEARING | {
    "pool.job_timeout": "20s",
    "pool.sweep_interval": "1s",
    "pool.kill_grace": "1s",
    "pool.attempts": "50",
    "watch.settle": "2s",
    "watch.settle_closed": "200ms",
    "watch.rescan_interval": "5s",
}
UNFINISHED = (State.QUEUED, State.RUNNING, State.COMMITTING)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_nothing_is_lost_or_there_twice_and_nothing_grows(tmp_path, record_property):
    """Whatever several writers do while workers and daemon are killed: each version that stayed has one result."""
    made = bases(tmp_path / "bases")
    heard = undisturbed(tmp_path / "undisturbed", made)
    daemon = Daemon(tmp_path / "root", SETTINGS)
    share = Share(daemon.archive, tmp_path / "behind the share") if Share.is_possible() else None
    staging = tmp_path / "staging"
    staging.mkdir()
    writers = [Writer(SEED * 100 + number, daemon.inbox, staging, made) for number in range(WRITERS)]
    began = time.monotonic()
    try:
        harm = disturbed(daemon, writers, share)
        disturbed_for = time.monotonic() - began
        settle_down(daemon)
    except BaseException:
        if share is not None:
            share.close()
        raise
    for writer in writers:
        writer.take_links_away()
    versions = {version: left for writer in writers for version, left in writer.versions.items()}
    record_property("figures", told(harm, writers, daemon.jobs(), disturbed_for, time.monotonic() - began))
    found = [*problems(invariants.Folders(daemon.root), versions, heard), *growth(longest(harm))]
    if share is not None:
        share.close()
    assert found == []


def undisturbed(root: Path, made: list[Path]) -> dict[str, tuple[tuple[float, str], ...]]:
    """What is heard in each recording where nobody disturbs."""
    daemon = Daemon(root, HEARING)
    for path in made:
        (daemon.inbox / path.name).write_bytes(path.read_bytes())
    assert daemon.drain() == 0
    return {job.source: invariants.segments(job) for job in daemon.jobs()}


def disturbed(daemon: Daemon, writers: list[Writer], share: Share | None) -> Harm:
    """Writers and harm at once, until every file is dropped and the time is over."""
    harm, calm, stop = Harm(daemon, WORKERS, SEED, share), threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            harm.run(calm, stop)
        except BaseException as error:
            errors.append(error)
            stop.set()

    harming = threading.Thread(target=run, daemon=True)
    began = time.monotonic()
    harming.start()
    join = run_all(writers, FILES, SECONDS, stop)
    try:
        stop.wait(SECONDS * LIVELY)
        calm.set()
        join()
        stop.wait(SECONDS - (time.monotonic() - began))
    finally:
        stop.set()
        harming.join(PATIENCE)
        if errors or harming.is_alive():
            daemon.close()
    assert not errors, errors
    return harm


def settle_down(daemon: Daemon) -> None:
    """Nobody disturbs any more: wait until all has ended, stop, and let one more run look for what is left."""
    try:
        wait_for(lambda: not any(job.state in UNFINISHED for job in daemon.jobs()), "every job ends", 1200)
        assert daemon.stop() == 0
        assert daemon.drain() in (0, 1)
    finally:
        daemon.close()


def problems(
    folders: invariants.Folders, versions: dict[Version, Left], heard: dict[str, tuple[tuple[float, str], ...]]
) -> Iterator[str]:
    """Every broken promise in words."""
    jobs = folders.jobs()
    ends: dict[Version, list[Job]] = {}
    for job in jobs:
        ends.setdefault((job.source, job.size, job.mtime_ns), []).append(job)
    for version, left in versions.items():
        ended = Counter(job.state for job in ends.get(version, []))
        whole = ended[State.DONE] + ended[State.FAILED]
        if whole > left.times or (left.stays and whole != 1 and left.times == 1) or (left.stays and whole == 0):
            yield f"{version}: {dict(ended)}, but it was put there {left.times} times and {left}"
    for version, found in ends.items():
        for job in found:
            yield from of_job(folders, job, versions.get(version), heard)
    yield from invariants.of_files(folders, jobs)
    yield from (f"a process is left: {each}" for each in invariants.processes(folders.root))


def of_job(
    folders: invariants.Folders, job: Job, left: Left | None, heard: dict[str, tuple[tuple[float, str], ...]]
) -> Iterator[str]:
    """A job is about a version that there was, and its result is that version's."""
    if job.state is State.VANISHED:
        return
    if left is None:
        yield f"{job.source}: job {job.id} is {job.state}, and about a version that nobody left there"
    elif job.state is State.DONE and left.sha256:
        wanted = invariants.Expected(left.sha256, heard[left.base])
        if job.location:
            yield from invariants.of_result(folders, job, wanted)
        elif invariants.segments(job) != wanted.segments:
            yield f"{job.source}: says {invariants.segments(job)}, an undisturbed run {wanted.segments}"
    elif job.state is State.FAILED:
        yield f"{job.source}: failed: {job.error}"


def longest(harm: Harm) -> Life:
    return max(harm.lives, key=lambda life: life.seconds)


def growth(life: Life) -> Iterator[str]:
    """The last third of a daemon's life against the first, its first ten seconds left out: what it keeps for good.

    Of memory the medians count, of open files and threads the lowest samples. Each piece of file work that is under way holds
    some files open for a moment (folders, a source, its copy, a checkpoint), so that the median tells how busy the daemon
    was. What leaks never goes away, and is in every sample after it.
    """
    for name, thirds, more in (
        ("bytes", medians(life.rss), 8 * 2**20),
        ("open files", lowest(life.files), 3),
        ("threads", lowest(life.threads), 2),
    ):
        first, last = thirds
        if last > first + more:
            yield f"the daemon grows from {first} to {last} {name}"


def medians(samples: list[int]) -> tuple[float, float]:
    first, last = thirds_of(samples)
    return statistics.median(first), statistics.median(last)


def lowest(samples: list[int]) -> tuple[int, int]:
    first, last = thirds_of(samples)
    return min(first), min(last)


def thirds_of(samples: list[int]) -> tuple[list[int], list[int]]:
    """The first and the last third, without the first ten samples where there are more."""
    warm = samples[10:] or samples
    third = max(1, len(warm) // 3)
    return warm[:third], warm[-third:]


def told(harm: Harm, writers: list[Writer], jobs: list[Job], disturbed_for: float, whole: float) -> str:
    """The figures, on some lines."""
    acts, life = sum((writer.acts for writer in writers), Counter()), longest(harm)
    files = acts["dropped"] + acts["copied"]
    states = Counter(job.state for job in jobs)
    rss, fds = medians(life.rss), medians(life.files)
    written = ", ".join(f"{name} {count}" for name, count in sorted(acts.items()))
    harmed = ", ".join(f"{name} {count}" for name, count in sorted(harm.acts.items()))
    ended = ", ".join(f"{name} {count}" for name, count in sorted(states.items()))
    copies, attempts, spent, resumes = (
        sum(map(figure, jobs))
        for figure in (lambda job: job.copy_of is not None, lambda job: job.attempt, lambda job: job.attempts,
                       lambda job: job.resumes)
    )  # fmt: skip
    return f"""\
soak: {files} files, {sum(harm.acts.values())} kills and stops, {resumes} resumes, {whole:.0f} seconds
  of them {disturbed_for:.0f} s disturbed; seed {SEED}
  writers: {written}
  harm: {harmed}
  jobs: {ended}; {copies} copies, {attempts} attempts, {spent} of them spent
  the daemon's longest life: {life.seconds:.0f} s, {rss[0] / 2**20:.1f} -> {rss[1] / 2**20:.1f} MiB, {fds[0]:.0f} -> {fds[1]:.0f} open files
  (medians of its first and last third)"""

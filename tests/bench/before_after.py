"""The same work under the settings that sttd replaces and under its own: what the longer times change.

python -m tests.bench.before_after

Real processes on a machine made slow (`slow_worker`): a load of the model takes 1 to 4 minutes, a job 2 to 45, each
window leaves garbage behind. All durations, the settings' too, are scaled by one factor. Both columns run on sttd, which
resumes what it kills: on a system that starts killed jobs again from nothing the left column would be worse.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from sttd.job import State
from sttd.units import spoken_duration
from tests import speech
from tests.harness import Daemon

MINUTES = (2, 45, 3, 20, 4, 12, 2, 8)  # of each job, on one worker
SPAN = 60.0  # minutes after which the finished jobs are counted
SPEECH = 48.0  # seconds that take a minute: about what fits into two windows (slow_worker.WINDOW)
BEFORE = {
    "model.load_timeout": 2.0, "pool.job_timeout": 10.0, "pool.sweep_interval": 0.5,
    "memory.cleanup_cooldown": 0.5, "memory.check_cooldown": 1 / 6, "memory.log_interval": 5.0,
}  # fmt: skip
AFTER = {
    "model.load_timeout": 5.0, "pool.job_timeout": 30.0, "pool.sweep_interval": 1.0,
    "memory.cleanup_cooldown": 1.0, "memory.check_cooldown": 0.5, "memory.log_interval": 10.0,
}  # fmt: skip
BOTH = {"pool.kill_grace": 1 / 6, "pool.machine_wait": 0.5, "model.retry_after": 15.0}
COLUMNS: dict[str, tuple[dict[str, float], dict[str, str]]] = {
    "before": (BEFORE, {
        "model.fallback": "", "memory.cleanup_every_chunks": "20",
        "memory.moderate": "75%", "memory.high": "85%", "memory.critical": "90%",
    }),
    "after": (AFTER, {"model.fallback": "demo", "memory.cleanup_every_chunks": "50"}),
}  # fmt: skip
RUN = """
import sys
import sttd.daemon
from sttd.pool.local.source import LocalSource
from sttd.pool.pool import Pool
sttd.daemon.pool_of = lambda config: Pool(config, lambda made: [LocalSource(made, worker="tests.bench.slow_worker")])
from sttd.cli import main
main()
"""


class SlowDaemon(Daemon):
    """sttd with the slow worker."""

    def command(self, *words: str) -> list[str]:
        command = super().command(*words)
        return [sys.executable, "-c", RUN, *command[3:]] if "run" in words else command


@dataclass(frozen=True)
class Outcome:
    """What one column came to."""

    load_timeouts: int
    fallbacks: int
    kills: int
    resumes: int
    done: int  # within `SPAN`
    minutes: float  # until all were
    cleanups: int
    cleanup_seconds: float
    peak: float  # MiB, of the largest worker
    texts: dict[str, str]


def record(folder: Path) -> None:
    """A recording for each job, of as many windows as take its minutes, in no order of length."""
    folder.mkdir()
    for number, minutes in enumerate(MINUTES):
        audio = speech.compose(seconds=minutes * SPEECH, language="en", pauses=(0.3, 0.7), seed=number).audio
        speech.encode(folder / f"{number:02}.flac", audio)


def run(name: str, recordings: Path, root: Path, scale: float) -> Outcome:
    """Drain the recordings with the settings of one column."""
    times, others = COLUMNS[name]
    scaled = {key: f"{minutes * scale:.3f}s" for key, minutes in (times | BOTH).items()}
    settings = {
        "model.name": str(root.parent / "model"), "pool.workers": "2", "transcribe.language": "en",
        "transcribe.temperatures": "0", "watch.dedupe": "false", "pool.retry_waits": f"{scale / 2:.3f}s",
    }  # fmt: skip
    daemon = SlowDaemon(root, settings | scaled | others)
    os.environ |= {"STTD_BENCH_SCALE": str(scale), "STTD_BENCH_FOLDER": str(root)}
    for file in recordings.iterdir():
        os.link(file, daemon.inbox / file.name)
    began = time.time()
    daemon.start()
    peak = watch(daemon)
    daemon.stop()
    jobs = daemon.jobs()
    ends = sorted((job.finished_at or 0) - began for job in jobs if job.state is State.DONE)
    cleanups = [float(line) for line in read(root / "clean-ups").split()]
    count: Callable[[str], int] = lambda text: sum(text in line for line in daemon.log)  # noqa: E731
    return Outcome(
        load_timeouts=count("Model loading timed out"),
        fallbacks=count("Falling back"),
        kills=count("⏰ Job timed out"),
        resumes=sum(job.resumes for job in jobs),
        done=sum(end <= SPAN * scale for end in ends),
        minutes=ends[-1] / scale,
        cleanups=len(cleanups),
        cleanup_seconds=sum(cleanups),
        peak=peak,
        texts={job.source: daemon.text(job.source, "en") for job in jobs},
    )


def watch(daemon: Daemon) -> float:
    """Peak resident MiB of the largest worker, until every recording has its transcript."""
    peak = 0.0
    while sum(job.state is State.DONE for job in daemon.jobs()) < len(MINUTES):
        try:
            sizes = [child.memory_info().rss for child in daemon.children()]
        except psutil.NoSuchProcess:  # it ended while we looked
            sizes = []
        peak = max([peak, *(size / 2**20 for size in sizes)])
        time.sleep(0.2)
    return peak


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def table(before: Outcome, after: Outcome) -> str:
    """The two columns, for the README."""
    rows: list[tuple[str, Callable[[Outcome], str]]] = [
        ("loads that timed out", lambda each: str(each.load_timeouts)),
        ("loads of the fallback instead", lambda each: str(each.fallbacks)),
        ("jobs killed for their time", lambda each: str(each.kills)),
        ("times that a job went on from its checkpoint", lambda each: str(each.resumes)),
        (f"jobs done within {SPAN:.0f} min, of {len(MINUTES)}", lambda each: str(each.done)),
        ("minutes until all were done", lambda each: f"{each.minutes:.0f}"),
        ("clean-ups", lambda each: str(each.cleanups)),
        ("seconds spent in clean-up (not scaled)", lambda each: f"{each.cleanup_seconds:.2f}"),
        ("peak memory of a worker, MiB", lambda each: f"{each.peak:.0f}"),
    ]
    lines = ["| | before | after |", "| --- | --- | --- |"]
    lines += [f"| {words} | {figure(before)} | {figure(after)} |" for words, figure in rows]
    same = "yes" if before.texts == after.texts else "NO"
    return "\n".join([*lines, f"| the same texts | | {same} |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="seconds that stand for a minute")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recordings = folder / "recordings"
        record(recordings)
        # a name of its own for the asked model; the fallback is the same one, so that the texts can be compared
        (folder / "model").symlink_to(speech.SAMPLES.parent / "model")
        outcomes = {column: run(column, recordings, folder / column, args.scale) for column in COLUMNS}
    print(f"A minute is {spoken_duration(args.scale)}; jobs of {min(MINUTES)} to {max(MINUTES)} min on 2 workers.\n")
    print(table(outcomes["before"], outcomes["after"]))
    if outcomes["before"].texts != outcomes["after"].texts:
        raise SystemExit("the texts differ: the figures do not count")


if __name__ == "__main__":
    main()

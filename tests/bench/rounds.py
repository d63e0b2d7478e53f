"""Row 13: the longest round of the daemon's loop under floods. What takes longer than half a second holds up everybody.

Each of the four runs has a daemon of its own, whose loop times its rounds (timed_daemon.py).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sttd.job import Identity, Job, State
from sttd.ledger import Checkpoint, Ledger
from sttd.ledger.checkpoint import to_json
from sttd.ledger.manifest.log import Manifest, to_record
from sttd.ledger.seal import seal
from sttd.part import Chunk, Segment, Word
from tests.bench.scale import fill
from tests.bench.side_by_side import Bench, Figure, Row, alone
from tests.harness import Daemon, wait_for

_LIMIT = 0.5  # seconds
_PATIENCE = 900.0
_WINDOW = 30 * 16_000  # samples
_BUSY = 60.0  # seconds over which rounds are timed once all is queued


def rows(bench: Bench, wanted: set[int]) -> list[Row]:
    if 13 not in wanted:
        return []
    runs = {
        "recordings of one size": _one_size,
        "failed jobs, all tried again": _retries,
        "ended jobs, old ones forgotten and the manifest rewritten": _old_jobs,
        "hours of chunks with words, resumed": _long_checkpoint,
    }
    counts = {_one_size: 20_000, _retries: 20_000, _old_jobs: 1_000_000, _long_checkpoint: 48}
    found = []
    for what, run in runs.items():
        count = bench.count(counts[run], least=2)
        bench.cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=bench.cache.parent) as folder:
            notes = run(Path(folder), count)
            longest, over = _rounds(Path(folder))
            found.append(
                Row(
                    13,
                    f"{count} {what}: longest round of the loop; s",
                    Figure.of([longest]),
                    _LIMIT,
                    0.1,
                    ".3f",
                    f"{notes}; {over}",
                )
            )
    return found


def _rounds(root: Path) -> tuple[float, str]:
    """The longest, and what the longest were about."""
    lines = [line.split() for line in (root / "rounds").read_text("utf-8").splitlines()]
    rounds = [(float(seconds), float(worked), event) for seconds, worked, event in lines]
    longest = ", ".join(f"{seconds:.2f} ({event})" for seconds, _, event in sorted(rounds, reverse=True)[:3])
    most = ", ".join(
        f"{worked:.3f} ({event})"
        for worked, event in sorted(((worked, event) for _, worked, event in rounds), reverse=True)[:3]
    )
    words = f"longest: {longest or 'none over 0.02'}; most processor time: {most or 'none'}; {len(rounds)} over 0.02 s"
    return max((seconds for seconds, _, _ in rounds), default=0.0), words


@contextlib.contextmanager
def _timed(daemon: Daemon) -> Iterator[None]:
    command = daemon.command("run")
    command[command.index("-m") + 1] = "tests.bench.timed_daemon"
    environ = os.environ | {"ROUNDS": str(daemon.root / "rounds"), "PYTHONPATH": str(Path(__file__).parents[2])}
    with (daemon.root / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, env=environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(120)


def _one_size(root: Path, count: int) -> str:
    """Each has other samples: none is a twin, and only its content says so."""
    daemon = Daemon(root, {"watch.settle": "1s"})
    noise = np.random.default_rng(7)
    for number in range(count):
        folder = daemon.inbox / f"{number // 1000:03}"
        folder.mkdir(exist_ok=True)
        with wave.open(str(folder / f"call {number:06}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 4000, "NONE", ""))
            file.writeframes(noise.integers(-200, 200, 4000, dtype=np.int16).tobytes())
    with _timed(daemon), _reading(daemon) as ledger:
        began = time.monotonic()
        wait_for(lambda: sum(ledger.counts().values()) == count, "all are queued", _PATIENCE, 0.5)
        queued = time.monotonic() - began
        before = ledger.counts()[State.DONE]
        time.sleep(_BUSY)
        done = ledger.counts()[State.DONE] - before
    return f"queued in {queued:.0f} s, then {done / _BUSY:.1f} done a second"


def _retries(root: Path, count: int) -> str:
    daemon = Daemon(root, {"watch.settle": "1s"})
    daemon.state.mkdir()
    daemon.failed.mkdir()
    ledger = Ledger.open(daemon.state / "ledger.db")
    with ledger.transaction():
        for number in range(count):
            where = daemon.failed / f"{number}.mp3"
            where.write_bytes(b"x")
            fields = {"state": State.FAILED, "location": str(where), "finished_at": time.time(), "attempts": 3}
            ledger.add(f"{number}.mp3", Identity.of(where.stat()), time.time(), **fields)
    ledger.close()
    daemon.settings |= {"model.name": "/nowhere"}  # none of them gets on: what is timed is the retry
    with _timed(daemon), _reading(daemon) as reader:
        began = time.monotonic()
        asked = subprocess.Popen(daemon.command("retry", "--failed"), stdout=subprocess.DEVNULL)
        wait_for(lambda: not reader.counts()[State.FAILED], "all are queued again", _PATIENCE, 0.5)
        seconds = time.monotonic() - began
        time.sleep(5)
        asked.wait(_PATIENCE)
    return f"queued in {seconds:.0f} s"


def _old_jobs(root: Path, count: int) -> str:
    """One in twenty is old enough to be forgotten; the manifest has lines of all of them, twice as many as it needs."""
    old = count // 20
    daemon = Daemon(root, {"retention.ledger_age": f"{(count - old) * 60}s", "retention.archive_age": "30d"})
    daemon.state.mkdir()
    fill(daemon.state / "ledger.db", count)
    with contextlib.closing(Ledger.open(daemon.state / "ledger.db")) as ledger:
        manifest = Manifest(daemon.state / "manifest.jsonl")
        for _ in range(2):
            batch: list[Job] = []
            for job in ledger.each():
                batch.append(job)
                if len(batch) == 1000:
                    manifest.append(map(to_record, batch))
                    batch = []
            manifest.append(map(to_record, batch))
        manifest.close()
        before = manifest.size()
    with _timed(daemon), _reading(daemon) as reader:
        began = time.monotonic()
        wait_for(lambda: reader.counts()[State.DONE] <= count - old, "old jobs are forgotten", _PATIENCE, 0.5)
        forgotten = time.monotonic() - began
        wait_for(lambda: manifest.size() < before * 0.6, "the manifest is rewritten", _PATIENCE, 0.5)
        rewritten = time.monotonic() - began
        time.sleep(5)
    return f"{old} forgotten after {forgotten:.0f} s, manifest rewritten after {rewritten:.0f} s"


def _long_checkpoint(root: Path, hours: int) -> str:
    daemon = Daemon(root, {"watch.settle": "1s", "transcribe.word_timestamps": "true"})
    source = daemon.inbox / "long.wav"
    with wave.open(str(source), "wb") as file:
        file.setparams((1, 2, 16_000, 4000, "NONE", ""))
        file.writeframes(bytes(8000))
    daemon.state.mkdir()
    ledger = Ledger.open(daemon.state / "ledger.db")
    job = ledger.add("long.wav", Identity.of(source.stat()), time.time(), service=1.0)
    ledger.close()
    from sttd import configfile
    from sttd.ledger.checkpoint import options_key

    config = configfile.load(root=root, sets=[f"{name}={value}" for name, value in daemon.settings.items()])
    checkpoint = Checkpoint(daemon.state / "work", job, options_key(config.options(), config.model_spec()))
    checkpoint.append([])
    checkpoint.close()
    with checkpoint.path.open("ab") as file:
        for index in range(hours * 120):
            file.write(seal(to_json(_spoken(index))))
    size = checkpoint.path.stat().st_size / 1e6
    with _timed(daemon), _reading(daemon) as reader:
        wait_for(lambda: reader.get(job.id).attempt > 0, "it is resumed", _PATIENCE, 0.1)
        assert reader.get(job.id).chunks == hours * 120
        wait_for(lambda: reader.get(job.id).state is not State.RUNNING, "the attempt has ended", _PATIENCE, 0.5)
        time.sleep(2)
    return f"{size:.0f} MB"


def _spoken(index: int) -> Chunk:
    """Half a minute of talk."""
    words = tuple(
        Word(index * 30 + each * 0.4, index * 30 + each * 0.4 + 0.4, f" word{each}", 0.9) for each in range(75)
    )
    segments = tuple(
        Segment(index * 30 + each * 6.0, index * 30 + each * 6.0 + 6, "word " * 15, -0.2, 1.3, 0.01, 0.0, "en", words[each * 15 : each * 15 + 15])
        for each in range(5)
    )  # fmt: skip
    return Chunk(index, index * _WINDOW, (index + 1) * _WINDOW, segments, "en", 0.99, "demo")


@contextlib.contextmanager
def _reading(daemon: Daemon) -> Iterator[Ledger]:
    wait_for((daemon.state / "ledger.db-wal").exists, "the ledger is open", _PATIENCE)
    with daemon.ledger() as ledger:
        yield ledger


if __name__ == "__main__":
    alone(rows, {13})

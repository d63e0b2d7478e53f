"""sttd and its peers, each as a function that hears files and tells how long it took and what it understood.

All are given the same files, model, cores, beam (5) and compute type; each runs in processes of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sttd.host.capacity import cores
from sttd.job import State
from tests import speech
from tests.bench.side_by_side import Outcome
from tests.harness import Daemon, wait_for

PATIENCE = 3600.0
CORES = cores()
_WARM = speech.SAMPLES / "english.flac"
_OFFLINE = os.environ | {"HF_HUB_OFFLINE": "1"}


def plain_loop(files: Sequence[Path], model: Path, *, only_first: bool = False) -> Outcome:
    """A Python loop over `WhisperModel.transcribe` on all cores; the clock starts when the model is loaded."""
    return _peer({"kind": "sequential", "only_first": only_first}, files, model)


def batched(files: Sequence[Path], model: Path, batch: int) -> Outcome:
    """The same over `BatchedInferencePipeline`."""
    return _peer({"kind": "batched", "batch": batch}, files, model)


def _peer(asked: dict[str, Any], files: Sequence[Path], model: Path) -> Outcome:
    asked |= {"model": str(model), "files": [str(file) for file in files], "threads": CORES, "warm": str(_WARM)}
    command = [sys.executable, "-m", "tests.bench.peer", json.dumps(asked)]
    answer = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, env=_OFFLINE).stdout)
    return Outcome(answer["seconds"], [tuple(text) for text in answer["texts"]], answer["peak"])


def whisper_ctranslate2(files: Sequence[Path], model: Path) -> Outcome:
    """One command for all files, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-c", "from whisper_ctranslate2.whisper_ctranslate2 import main; main()",
            *map(str, files), "--model_directory", str(model), "--output_dir", folder, "--output_format", "all",
            "--device", "cpu", "--threads", str(CORES), "--condition_on_previous_text", "False", "--verbose", "False",
        ]  # fmt: skip
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, env=_OFFLINE)
        seconds = time.perf_counter() - started
        results = [json.loads((Path(folder) / f"{file.stem}.json").read_text("utf-8")) for file in files]
    texts = [(result["language"], " ".join(s["text"].strip() for s in result["segments"])) for result in results]
    return Outcome(seconds, texts)


def whisper_ctranslate2_each(files: Sequence[Path], model: Path) -> Outcome:
    """One command for each file: a shell loop."""
    outcomes = [whisper_ctranslate2([file], model) for file in files]
    return Outcome(sum(o.seconds for o in outcomes), [text for o in outcomes for text in o.texts])


def sttd_cold(files: Sequence[Path], model: Path, settings: dict[str, str] | None = None) -> Outcome:
    """`sttd run --drain` over a full inbox, from its start to its end, all results on disk."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = _daemon(Path(folder), model, settings)
        put(files, daemon.inbox)
        started = time.perf_counter()
        code = daemon.start("--drain").wait(PATIENCE)
        seconds = time.perf_counter() - started
        assert code == 0, "\n".join(daemon.log[-10:])
        return Outcome(seconds, _texts(daemon, files))


def sttd_warm(files: Sequence[Path], model: Path, settings: dict[str, str] | None = None) -> Outcome:
    """A daemon whose workers have a model and have done a clip: from the files' arrival to the last commit."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        daemon = _daemon(root, model, settings)
        workers = int(daemon.settings["pool.workers"])
        for number in range(workers):
            speech.encode(daemon.inbox / f"warm{number}.flac", speech.compose(seconds=30, seed=number).audio)
        daemon.start()
        try:
            for number in range(workers):
                daemon.wait_state(State.DONE, number + 1, PATIENCE)
            (root / "staged").mkdir()
            put(files, root / "staged")
            started = time.time()
            for file in files:
                (root / "staged" / file.name).rename(daemon.inbox / file.name)
            wait_for(lambda: _done(daemon) == len(files) + workers, "all files are done", PATIENCE)
            daemon.stop()
        finally:
            daemon.close()
        ended = max(job.finished_at or 0 for job in daemon.jobs())
        return Outcome(ended - started, _texts(daemon, files))


def put(files: Sequence[Path], folder: Path) -> None:
    for file in files:
        shutil.copy(file, folder / file.name)


def _daemon(root: Path, model: Path, settings: dict[str, str] | None) -> Daemon:
    # auto: int8 on a CPU for all, whether the weights are int8 (demo, random) or float16 (real)
    own = {"model.name": str(model), "model.compute_type": "auto", "model.cpu_threads": str(CORES)}
    own["pool.job_timeout"] = "12h"
    return Daemon(root, own | (settings or {}))


def _done(daemon: Daemon) -> int:
    with daemon.ledger() as ledger:
        return ledger.counts()[State.DONE]


def _texts(daemon: Daemon, files: Sequence[Path]) -> list[tuple[str, str]]:
    """A transcript's text, from its TXT; (language, text)."""
    languages = {job.source: job.language or "und" for job in daemon.jobs() if job.state is State.DONE}
    return [(languages[file.name], daemon.text(file.name, languages[file.name])) for file in files]

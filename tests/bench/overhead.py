"""Row 12: processor time that is not the model's, by the length of the recording.

A worker's whole way is gone twice in one process. The first time each answer of CTranslate2 (encode, detect_language,
generate, align) is kept; the second time it is given from memory, so that what the process spends then, in all its
threads, is decoding, VAD, features, judging and Python alone. The daemon's own time, from a real run, comes on top.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

import psutil

from tests.bench import contenders, random_model, recordings
from tests.bench.side_by_side import Bench, Figure, Row, alone
from tests.harness import Daemon

_CALLS = ("encode", "detect_language", "generate", "align")


def rows(bench: Bench, wanted: set[int]) -> list[Row]:
    heard = recordings.long(bench.cache, bench.seconds(7200, least=600))
    command = [sys.executable, "-m", "tests.bench.overhead", str(heard.files[0])]
    answer = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    if answer["texts"][0] != answer["texts"][1]:
        raise SystemExit("the second time gave another text: the figures do not count")
    seconds = answer["seconds"] + _daemon(heard)
    share = Figure.of([1000 * seconds / heard.seconds])
    what = (
        f"processor time that is not CTranslate2's on {heard.seconds / 60:.0f} min of MP3, demo; thousandths of a core"
    )
    notes = (
        f"1/{heard.seconds / seconds:.0f}; worker {answer['seconds']:.1f} s, daemon {seconds - answer['seconds']:.1f} s"
    )
    return [Row(12, what, share, 1000 / 200, 1000 / 260, notes=notes)]


def _daemon(heard: recordings.Heard) -> float:
    """Processor seconds of the daemon itself over a run."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), {"model.cpu_threads": str(contenders.CORES), "pool.job_timeout": "12h"})
        contenders.put(heard.files, daemon.inbox)
        daemon.start("--drain")
        assert daemon.process is not None
        process, spent = psutil.Process(daemon.process.pid), 0.0
        while daemon.process.poll() is None:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                break
            spent = max(spent, times.user + times.system)
            time.sleep(0.1)
        assert daemon.wait() == 0, daemon.log[-5:]
        return spent


class _Kept:
    """Stands before CTranslate2's Whisper: keeps what it answers, or answers from what was kept, in the same order."""

    def __init__(self, whisper: Any, answers: deque[Any] | None = None) -> None:
        self._whisper, self._answers = whisper, answers
        self.kept: deque[Any] = deque()
        self._encoded: dict[tuple[int, ...], Any] = {}  # one of each shape: megabytes, and nobody looks into them again

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._whisper, name)
        if name not in _CALLS:
            return real

        def call(*args: Any, **named: Any) -> Any:
            if self._answers is not None:
                return self._answers.popleft()
            answer = real(*args, **named)
            self.kept.append(self._encoded.setdefault(tuple(answer.shape), answer) if name == "encode" else answer)
            return answer

        return call


def main() -> None:
    from sttd.part import Chunks, ModelSpec, Options, PartSpec
    from sttd.worker import load, run_part

    path = Path(sys.argv[1])
    seen = path.stat()
    spec = ModelSpec(name=str(random_model.DEMO), fallback="", cpu_threads=1)  # one lane: the answers come in order
    model = load(spec, lambda *words: None)
    part = PartSpec(
        part_id="1.0", attempt=1, source=str(path), size=seen.st_size, mtime_ns=seen.st_mtime_ns, model=spec,
        options=Options(),
    )  # fmt: skip
    texts, spent = [], 0.0
    kept = model.whisper.model = _Kept(model.whisper.model)
    for _ in range(2):
        began = time.process_time()
        events = list(run_part(part, model))
        spent = time.process_time() - began
        texts.append([s.text for e in events if isinstance(e, Chunks) for chunk in e.chunks for s in chunk.segments])
        model.whisper.model = _Kept(kept, kept.kept)
    print(json.dumps({"seconds": spent, "texts": texts}))


if __name__ == "__main__":
    if len(sys.argv) == 2 and Path(sys.argv[1]).is_file():
        main()
    else:
        alone(rows, {12})

"""A contender built on faster-whisper, in a process of its own: one request as JSON on the command line, one answer.

The request: kind ("sequential" or "batched"), model (a folder), files, threads, batch, only_first (end after the first
segment: the peak of memory is behind it by then). The answer: ready (seconds of imports and load), seconds (of all
files, the model loaded), texts, peak (MiB).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    began = time.perf_counter()
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    asked = json.loads(sys.argv[1])
    whisper: Any = WhisperModel(asked["model"], device="cpu", compute_type="auto", cpu_threads=asked["threads"])
    more: dict[str, Any] = {"condition_on_previous_text": False}  # else the demo model gets lost in its own text
    if asked["kind"] == "batched":
        # with timestamps, as all others: without, the demo model is twice as wrong
        whisper, more = BatchedInferencePipeline(whisper), {"batch_size": asked["batch"], "without_timestamps": False}
    list(whisper.transcribe(asked["warm"], **more)[0])
    ready = time.perf_counter()
    texts = []
    for file in asked["files"]:
        segments, info = whisper.transcribe(file, beam_size=5, **more)
        pieces = []
        for segment in segments:
            pieces.append(segment.text.strip())
            if asked.get("only_first"):
                break
        texts.append([info.language, " ".join(pieces)])
    answer = {"ready": ready - began, "seconds": time.perf_counter() - ready, "texts": texts, "peak": peak()}
    print(json.dumps(answer))


def peak() -> float:
    """MiB that this process had in memory at most; see proc_pid_status(5)."""
    status = Path("/proc/self/status").read_text("ascii", "replace")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()

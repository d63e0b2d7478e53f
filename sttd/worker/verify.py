"""Tries out a model as a worker uses it: loads it within the time limit, and transcribes recordings.

    python -P -m sttd.worker.verify <orders

`orders` is one JSON object: `model` (fields of ModelSpec), `cache` (folder), `samples` (paths). It prints a JSON
object a line: {"loaded": ...}, then {"heard": ...} for each sample. {"problem": "..."} in place of one of them ends it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from sttd.part import SAMPLE_RATE, Chunk, Chunks, Failed, ModelSpec, Options, PartSpec
from sttd.worker.errors import NoModel
from sttd.worker.model import LoadedModel, load
from sttd.worker.part import run_part


def main() -> NoReturn:
    """Run the whole process; this never returns."""
    orders = json.load(sys.stdin)
    spec = ModelSpec(**orders["model"])
    try:
        model = load(spec, lambda _level, _text, _event: None, Path(orders["cache"]))
    except NoModel as error:
        _end({"problem": str(error)})
    inner = model.whisper.model
    _tell({
        "loaded": {
            "seconds": model.load_seconds, "device": inner.device, "compute_type": inner.compute_type,
            "multilingual": inner.is_multilingual,
        }
    })  # fmt: skip
    for sample in orders["samples"]:
        if "problem" in (result := _hear(Path(sample), spec, model)):
            _end(result)
        _tell(result)
    _end()


def _hear(sample: Path, spec: ModelSpec, model: LoadedModel) -> dict[str, Any]:
    """Transcribe one recording, as a worker does for a job."""
    about, began = sample.stat(), time.monotonic()
    part = PartSpec("verify", 1, str(sample), about.st_size, about.st_mtime_ns, spec, Options())
    chunks: list[Chunk] = []
    for event in run_part(part, model):
        if isinstance(event, Failed):
            return {"problem": event.error}
        if isinstance(event, Chunks):
            chunks += event.chunks
    text = " ".join(segment.text.strip() for chunk in chunks for segment in chunk.segments)
    seconds = time.monotonic() - began
    audio = chunks[-1].end / SAMPLE_RATE if chunks else 0.0
    language = chunks[0].language if chunks else "und"
    return {"heard": {"text": text, "language": language, "seconds": seconds, "audio_seconds": audio}}


def _tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _end(line: dict[str, Any] | None = None) -> NoReturn:
    if line is not None:
        _tell(line)
    os._exit(0 if line is None else 1)  # a load that is stuck in its thread would hold up any other exit


if __name__ == "__main__":
    main()

"""One way to hear, in a process of its own: an order as JSON on standard input, an object a line for each file on the output.

The order: `way`, `model` (a folder), `compute_type`, `threads`, `sets` (for sttd, as `--set` takes them), `seed` and `files`.
A line: `file`, `text`, `language`, `segments` (start, end, text, temperature, log probability, no-speech probability),
`processor` (seconds of all threads, the model being loaded), and `sampled`: something was decoded at a temperature above
0, so that another run may write something else.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Heard = dict[str, Any]


def main() -> None:
    order = json.load(sys.stdin)
    hear, watched = _sttd(order) if order["way"].startswith("sttd") else _faster_whisper(order)
    for file in order["files"]:
        watched.sampled = False
        began = time.process_time()
        heard = hear(file)
        heard |= {"file": file, "processor": time.process_time() - began, "sampled": watched.sampled}
        print(json.dumps(heard), flush=True)


class Watched:
    """A CTranslate2 model that remembers whether it was asked to draw at random."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.sampled = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, *args: Any, **options: Any) -> Any:
        self.sampled = self.sampled or options.get("sampling_temperature", 0) > 0
        return self._model.generate(*args, **options)


def _sttd(order: dict[str, Any]) -> tuple[Callable[[str], Heard], Watched]:
    """As a worker does it, with sttd's defaults and `sets` over them."""
    from sttd.worker import load, run_part  # isort: skip - before all others: it sets malloc and threads for a worker

    import ctranslate2

    from sttd import configfile
    from sttd.part import PartSpec

    sets = [f"model.name={order['model']}", f"model.compute_type={order['compute_type']}", *order["sets"]]
    config = configfile.load(sets=[f"model.cpu_threads={order['threads']}", "pool.workers=1", *sets], environ={})
    ctranslate2.set_random_seed(order["seed"])
    spec, options = config.model_spec(), config.options()
    model = load(spec, lambda level, text, _event: print(f"{level}: {text}", file=sys.stderr))
    watched = model.whisper.model = Watched(model.whisper.model)

    def hear(file: str) -> Heard:
        about = Path(file).stat()
        part = PartSpec("real", 1, file, about.st_size, about.st_mtime_ns, spec, options)
        return _of_events(run_part(part, model))

    return hear, watched


def _of_events(events: Iterable[Any]) -> Heard:
    from sttd.part import Chunks, Failed

    chunks: list[Any] = []
    for event in events:
        if isinstance(event, Failed):
            raise SystemExit(f"sttd: {event.error}")
        if isinstance(event, Chunks):
            chunks += event.chunks
    language = next((chunk.language for chunk in chunks if chunk.segments), "und")
    return _written(language, (segment for chunk in chunks for segment in chunk.segments))


def _faster_whisper(order: dict[str, Any]) -> tuple[Callable[[str], Heard], Watched]:
    """Its defaults; batched with time stamps, which all others write too."""
    import ctranslate2
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    ctranslate2.set_random_seed(order["seed"])
    whisper: Any = WhisperModel(
        order["model"], device="cpu", compute_type=order["compute_type"], cpu_threads=order["threads"]
    )
    watched = whisper.model = Watched(whisper.model)
    options: dict[str, Any] = {
        "sequential": {},
        "vad": {"vad_filter": True},
        "batched": {"without_timestamps": False, "batch_size": 8},
    }[order["way"]]
    speaker = BatchedInferencePipeline(whisper) if order["way"] == "batched" else whisper

    def hear(file: str) -> Heard:
        segments, info = speaker.transcribe(file, beam_size=5, **options)
        return _written(info.language, segments)

    return hear, watched


def _written(language: str, segments: Iterable[Any]) -> Heard:
    rows = list(_rows(segments))
    return {"language": language, "text": " ".join(row[2].strip() for row in rows), "segments": rows}


def _rows(segments: Iterable[Any]) -> Iterator[list[Any]]:
    for each in segments:
        scores = [each.avg_logprob, each.no_speech_prob]
        yield [round(each.start, 2), round(each.end, 2), each.text, each.temperature, *(round(x, 3) for x in scores)]


if __name__ == "__main__":
    main()

"""Row 8: from the last byte of a 3 s clip, written and closed, to its transcript in place; what sttd adds to it.

The worker is warm, `watch.settle_closed` is what it is by default. The root lies in memory (/dev/shm), where an fsync
costs nothing, so that none has to be left out and none is measured. What is left once the settling and a bare
`WhisperModel.transcribe` of the same clip, measured by turns, are taken off, is sttd's own.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from sttd.config import Watch
from sttd.job import State
from tests import speech
from tests.bench import contenders, random_model
from tests.bench.side_by_side import Bench, Figure, Row, WrongText, alone
from tests.harness import PATIENCE, Daemon

_MEMORY = Path("/dev/shm")
_SAYS = "clip13"  # 2.3 s
_GLANCE = 0.0005  # seconds between two looks for the transcript


def rows(bench: Bench, wanted: set[int]) -> list[Row]:
    from faster_whisper import WhisperModel

    count = bench.count(30, least=5)
    model = random_model.folder("demo")
    bare = WhisperModel(str(model), device="cpu", cpu_threads=contenders.CORES)
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        root = Path(folder)
        settings = {"watch.settle": "5s", "model.cpu_threads": str(contenders.CORES)}
        daemon = Daemon(root, settings).start()
        try:
            pairs = [_turn(daemon, bare, _clip(root, number)) for number in range(-2, count)][2:]  # two to get warm
        finally:
            daemon.stop()
    own = Figure.of([1000 * (whole - Watch().settle_closed - plain) for whole, plain in pairs])
    whole, plain = (1000 * statistics.median(values) for values in zip(*pairs, strict=True))
    notes = f"{whole:.0f} ms from close to transcript, of it settling {1000 * Watch().settle_closed:.0f}, transcribe {plain:.0f}"
    what = "a 3 s clip, warm worker, demo: closed to transcript in place, without settling, transcribe and fsyncs; ms"
    return [Row(8, what, own, 60, 25, ".0f", notes)]


def _clip(root: Path, number: int) -> Path:
    """3 s of speech, each time another file."""
    recording = speech.compose([_SAYS], pauses=0.3, seconds=3.0, seed=1000 + number)
    return speech.encode(root / f"clip{number}.flac", recording.audio[: 3 * speech.RATE])


def _turn(daemon: Daemon, bare, clip: Path) -> tuple[float, float]:
    """Seconds from the close of the clip in the inbox to its transcript, and of a bare transcribe of it."""
    content = clip.read_bytes()
    before = time.perf_counter()
    segments, _ = bare.transcribe(str(clip), condition_on_previous_text=False)
    said = [segment.text for segment in segments]
    plain = time.perf_counter() - before
    results = daemon.transcripts
    with (daemon.inbox / clip.name).open("wb") as file:
        file.write(content)
    closed = time.perf_counter()
    while not list(results.glob(f"{clip.stem}.*.json")):  # the last of the results
        assert time.perf_counter() < closed + PATIENCE, daemon.log[-5:]
        time.sleep(_GLANCE)
    whole = time.perf_counter() - closed
    job = daemon.wait_state(State.DONE, len(daemon.jobs()))
    for text in (daemon.text(clip.name, job.language or "und"), " ".join(said)):
        if not speech.says(text, _SAYS):
            raise WrongText(f"{clip.name}: {text!r}")
    return whole, plain


if __name__ == "__main__":
    alone(rows, {8})

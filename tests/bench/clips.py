"""60 short clips: `sttd run --drain` with 2 workers of 1 thread, against a plain loop with 2 threads.

The plain loop is one process over `WhisperModel.transcribe`, its model loaded before the clock starts. For sttd
the clock starts when both workers have a model and have done a clip, and ends with the last commit in the
ledger. Both hear the same files, with the same beam; a contender whose words are not right fails the bench.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sttd.job import State
from tests import speech
from tests.harness import Daemon, wait_for

PLAIN = """
import sys, time
from pathlib import Path
from faster_whisper import WhisperModel

model = WhisperModel(sys.argv[1], device="cpu", compute_type="default", cpu_threads=2)
files = sorted(Path(sys.argv[2]).iterdir())
list(model.transcribe(str(files[0]))[0])
started = time.perf_counter()
texts = []
for file in files:
    segments, info = model.transcribe(str(file), condition_on_previous_text=False)
    texts.append(info.language + " " + " ".join(segment.text.strip() for segment in segments))
print(time.perf_counter() - started)
print("\\n".join(texts))
"""


def make_clips(folder: Path, count: int) -> list[tuple[str, str]]:
    """Write `count` clips of 2 to 8 words; returns (language, words) of each."""
    folder.mkdir()
    names = [name for name in speech.names() if name.startswith("clip")]
    said = []
    for number in range(count):
        name = names[number % len(names)]
        # a pause of its own, so that no two clips are the same file
        audio = speech.compose([name], pauses=0.2 + number / 1000, seed=number).audio
        speech.encode(folder / f"{number:03}.flac", audio)
        said.append((speech.language(name), " ".join(speech.words(name))))
    return said


def plain(clips: Path, model: Path) -> tuple[float, list[tuple[str, str]]]:
    """Seconds of the plain loop, and (language, text) of each clip."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(model), str(clips)], capture_output=True, text=True, check=True
    )
    seconds, *texts = done.stdout.splitlines()
    return float(seconds), [(text.split(" ", 1)[0], text.split(" ", 1)[1]) for text in texts]


def ours(clips: Path, root: Path) -> tuple[float, list[tuple[str, str]]]:
    """Seconds of sttd from ready workers to the last commit, and (language, text) of each clip."""
    settings = {"pool.workers": "2", "model.cpu_threads": "1", "watch.dedupe": "false"}
    daemon = Daemon(root, settings)
    for number in range(2):  # one for each worker, so that both have loaded
        speech.encode(daemon.inbox / f"warm{number}.flac", speech.compose(seconds=30, seed=number).audio)
    daemon.start()
    for number in range(2):
        daemon.wait_state(State.DONE, number + 1)
    staged = root / "clips"
    shutil.copytree(clips, staged)
    count = len(list(staged.iterdir()))
    before = daemon.job(2).finished_at or 0
    started = time.time()
    for file in sorted(staged.iterdir()):
        file.rename(daemon.inbox / file.name)
    wait_for(lambda: sum(job.state is State.DONE for job in daemon.jobs()) == count + 2, "all clips are done", 300)
    daemon.stop()
    done = [job for job in daemon.jobs() if job.id > 2]
    assert before < started
    ended = max(job.finished_at or 0 for job in done)
    texts = {job.source: (job.language or "", daemon.text(job.source, job.language or "und")) for job in done}
    return ended - started, [texts[name] for name in sorted(texts)]


def error(said: list[tuple[str, str]], heard: list[tuple[str, str]]) -> float:
    """The mean error rate over the clips; a wrong language counts as all wrong."""
    pairs = zip(said, heard, strict=True)
    return statistics.mean(
        speech.error_rate(words, text, language) if language == found else 1.0
        for (language, words), (found, text) in pairs
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        clips = Path(folder) / "clips"
        said = make_clips(clips, args.clips)
        model = speech.SAMPLES.parent / "model"
        for run in range(args.runs):
            theirs, their_texts = plain(clips, model)
            mine, my_texts = ours(clips, Path(folder) / f"root{run}")
            their_error, my_error = error(said, their_texts), error(said, my_texts)
            ratios.append(mine / theirs)
            print(
                f"run {run + 1}: sttd {mine:.2f} s, error {my_error:.2%}; plain loop {theirs:.2f} s, error "
                f"{their_error:.2%}; ratio {mine / theirs:.2f}"
            )
            if my_error > their_error + 0.01:
                raise SystemExit("sttd's words are more wrong than the plain loop's: the figures do not count")
    print(
        f"{args.clips} clips, {os.cpu_count()} cores: sttd / plain loop = {statistics.median(ratios):.2f} "
        f"(from {min(ratios):.2f} to {max(ratios):.2f} in {args.runs} runs)"
    )


if __name__ == "__main__":
    main()

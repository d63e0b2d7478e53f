"""A root folder in which a daemon seems to run: jobs in every state, with real recordings and results as sttd writes them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sttd.fs.lock import Lock
from sttd.job import Identity, Job, State
from sttd.ledger import LOCK, Ledger, facts, live
from sttd.outbox.formats import FORMATS
from sttd.outbox.meta import Meta
from sttd.part import Segment, Word

SAMPLES = Path(__file__).parents[2] / "sttd" / "demo" / "samples"
SECONDS = 3.9  # of english.flac


def segment(
    start: float, end: float, text: str, language: str = "en", speaker: str = "", *, words: bool = True
) -> Segment:
    """Its words are said one after the other, each as long as the next."""
    parts = text.split() if words else []
    step = (end - start) / max(1, len(parts))
    said = tuple(Word(start + n * step, start + (n + 1) * step, f" {part}", 0.9) for n, part in enumerate(parts))
    channel = {"": 0, "Somchai": 1, "Ann": 2}[speaker]
    return Segment(start, end, text, -0.2, 1.0, 0.0, 0.0, language, said, "", channel, speaker)


class Shelf:
    """The files, and the ledger for who fills it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("inbox", "transcripts", "archive", "failed", "state"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "inbox" / ".sttd.lock").touch()  # a daemon has it
        self.ledger = Ledger.open(root / "state" / "ledger.db")

    def add(self, source: str, **fields: Any) -> Job:
        job = self.ledger.add(source, Identity(62_000, time.time_ns(), os.getuid()), time.time())
        return self.ledger.update(job, **fields) if fields else job

    def run(self, job: Job, **fields: Any) -> Job:
        """A worker takes it."""
        now = {"attempt": job.attempt + 1, "started_at": time.time(), "model": "small", "requested_model": "small"}
        job = self.ledger.update(job, state=State.RUNNING, **(now | fields))
        self.ledger.begin_attempt(job, time.time())
        return job

    def fail(self, job: Job, error: str) -> Job:
        job = self.run(job)
        self.ledger.end_attempt(job, time.time(), "bad file", error, 4242)
        changes = {"attempts": 1, "error": error, "cause": "bad file", "finished_at": time.time()}
        return self.ledger.update(job, state=State.FAILED, **changes)

    def finish(
        self,
        source: str,
        segments: Sequence[Segment],
        sample: str = "english.flac",
        formats: Sequence[str] = ("txt", "srt", "vtt", "json", "tsv"),
        **fields: Any,
    ) -> Job:
        """A job that ended with a transcript; its recording is one of the demo's samples."""
        job = self.run(self.add(source))
        self.ledger.end_attempt(job, time.time() + 2, None, None, 4242)
        languages: dict[str, float] = {}
        channels: dict[int, float] = {}
        for each in segments:
            languages[each.language] = languages.get(each.language, 0.0) + each.end - each.start
            channels[each.channel] = channels.get(each.channel, 0.0) + each.end - each.start
        channels.pop(0, None)
        archived = self.root / "archive" / source
        archived.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SAMPLES / sample, archived)
        known = {"language": next(iter(languages), "und"), "audio_seconds": SECONDS, "location": os.fspath(archived)}
        job = self.ledger.update(job, **(known | fields))
        meta = Meta.of(job, finished_at=time.time(), languages=languages, channels=channels)
        speakers = {each.channel: each.speaker for each in segments if each.speaker}
        meta = dataclasses.replace(meta, speakers=speakers)
        outputs = [self.write(job, each, meta, segments) for each in formats]
        job = self.ledger.update(job, state=State.COMMITTING, plan={})
        return self.ledger.update(job, state=State.DONE, finished_at=time.time(), plan=None, outputs=tuple(outputs))

    def write(self, job: Job, suffix: str, meta: Meta, segments: Sequence[Segment]) -> str:
        stem = job.source.rpartition(".")[0]
        path = self.root / "transcripts" / f"{stem}.{job.language}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            FORMATS[suffix].write(file, meta, iter(segments))
        return os.fspath(path)

    @contextlib.contextmanager
    def daemon(self, figures: dict[str, Any]) -> Iterator[None]:
        """To everybody a daemon runs here: its lock is held, and its figures are told."""
        lock = Lock(self.root / "state" / LOCK, "the state folder")
        path = live.path_of(self.root / "state", {})
        about = {"pid": os.getpid(), "since": time.time(), "version": "0.1.0", "live": str(path)}
        self.ledger.set_fact(facts.DAEMON, about)
        self.figures(figures)
        try:
            yield
        finally:
            lock.release()

    def figures(self, figures: dict[str, Any]) -> None:
        """The daemon tells others."""
        live.write(live.path_of(self.root / "state", {}), figures)

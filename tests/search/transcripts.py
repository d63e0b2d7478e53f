"""Ledgers with jobs that are done, and their results as sttd writes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sttd.job import Identity, Job, State
from sttd.ledger import Ledger
from sttd.outbox.formats.record import Json
from sttd.outbox.meta import Meta
from sttd.part import Segment
from sttd.search import Filters, Follower, Search


def segments(texts: Sequence[str], language: str = "th") -> list[Segment]:
    """Three seconds each."""
    return [Segment(3.0 * n, 3.0 * n + 3, text, -0.2, 1.0, 0.1, 0.0, language) for n, text in enumerate(texts)]


def write(path: Path, job: Job, texts: Sequence[str], language: str = "th") -> None:
    meta = Meta.of(job, finished_at=job.created_at + 1)
    with path.open("w", encoding="utf-8", newline="") as file:
        Json().write(file, meta, iter(segments(texts, language)))


class Archive:
    """A folder with a ledger, results and an index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = folder / "search.db"
        self.path = folder / "ledger.db"
        self.ledger = Ledger.open(self.path)
        self.search = Search(self.index)

    def done(
        self, source: str, texts: Sequence[str], language: str = "th", at: float = 1000.0, path: Path | None = None
    ) -> Job:
        """A job that ended with a transcript."""
        job = self.ledger.update(self.ledger.add(source, Identity(1, 1), at), state=State.RUNNING, attempt=1)
        job = self.ledger.update(job, state=State.COMMITTING, plan={}, language=language)
        path = path or self.folder / f"{job.id}.json"
        write(path, job, texts, language)
        other = os.fspath(path.with_suffix(".txt"))
        outputs = {"outputs": (other, os.fspath(path)), "location": f"/archive/{job.id}"}
        return self.ledger.update(job, state=State.DONE, plan=None, finished_at=at + 1, **outputs)

    def result(self, job: Job) -> Path:
        return Path(next(each for each in job.outputs if each.endswith(".json")))

    def follow(self) -> Follower:
        """Take up all that there is, with a look at each result."""
        follower = Follower(self.index, self.path, [self.folder])
        try:
            while follower.step():
                pass
        finally:
            follower.close()
        return follower

    def jobs(self, asked: str, **filters: object) -> list[int]:
        """The jobs that a query finds, newest first."""
        return [hit.job for hit in self.search.find(asked, Filters(**filters), limit=100).hits]

    def close(self) -> None:
        self.ledger.close()

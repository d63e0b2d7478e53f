"""A ledger filled by hand, and commands over it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sttd.cli.app import main
from sttd.fs.lock import Lock
from sttd.job import Identity, State
from sttd.ledger import LOCK, SPOOL, Ledger, Request, facts, live
from sttd.ledger.spool import Spool
from tests.harness import PATIENCE
from tests.memory import tmp_path

__all__ = ["tmp_path"]

SOUND = Identity(12_345_678, 1)
THAI = "บันทึกการประชุม.mp3"
HOSTILE = os.fsdecode(b"evil\x1b[31m\nname\xff.ogg")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root folder in which a daemon has run."""
    (tmp_path / "state").mkdir()
    Ledger.open(tmp_path / "state" / "ledger.db").close()
    return tmp_path


@pytest.fixture
def ledger(root: Path):
    opened = Ledger.open(root / "state" / "ledger.db")
    yield opened
    opened.close()


@pytest.fixture
def daemon(root: Path, ledger: Ledger):
    """To every command a daemon runs here: its lock is held, and its facts are told."""
    lock = Lock(root / "state" / LOCK, "the state folder")
    about = {
        "pid": os.getpid(),
        "since": 1_000_000.0,
        "version": "0.1.0",
        "live": str(live.path_of(root / "state", {})),
    }
    ledger.set_fact(facts.DAEMON, about)
    yield
    lock.release()


def lives(ledger: Ledger, figures: dict[str, Any]) -> None:
    """The daemon of the fixture writes its live figures."""
    live.write(live.path_of(ledger.path.parent, {}), figures)


@pytest.fixture
def sttd(root: Path, capsys: pytest.CaptureFixture[str]):
    """One command over `root`, in this process."""

    def run(*words: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(["--root", str(root), *words])
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def process(root: Path):
    """One command over `root`, in a process of its own."""

    def run(*words: str, **options) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sttd", "--root", str(root), *words]
        options = {"encoding": "utf-8"} | options
        return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False, **options)

    return run


@pytest.fixture
def asked(root: Path):
    """The requests that wait, in their order."""
    spool = Spool(root / "state" / SPOOL)

    def look() -> list[Request]:
        return [spool.read(name).request for names in iter(spool.names, None) for name in names]

    return look


def finished(ledger: Ledger, source: str, **fields):
    """A job that is done."""
    job = ledger.add(source, SOUND, 1000.0)
    job = ledger.update(job, state=State.RUNNING, attempt=1, started_at=1001.0)
    ledger.begin_attempt(job, 1001.0)
    words = {"model": "small", "requested_model": "small", "language": "th", "audio_seconds": 754.2, "chunks": 26}
    job = ledger.update(job, **words | fields)
    ledger.end_attempt(job, 1061.0, None, None, 4242)
    job = ledger.update(job, state=State.COMMITTING, plan={})
    return ledger.update(job, state=State.DONE, finished_at=1062.0, plan=None, outputs=(f"/out/{source}.th.txt",))


def failed(ledger: Ledger, source: str, error: str = "the file holds no audio"):
    """A job that was given up."""
    job = ledger.update(ledger.add(source, SOUND, 1000.0), state=State.RUNNING, attempt=3)
    return ledger.update(job, state=State.FAILED, attempts=3, error=error, cause="bad file")

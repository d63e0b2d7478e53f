"""Commands that change something: each looks whether it can be done, leaves a request, and says what came of it."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sttd.cli import access
from sttd.cli.look import find
from sttd.cli.options import given, shared
from sttd.errors import SttdError, UsageError
from sttd.fs.patience import answers
from sttd.job import Job, State
from sttd.text import printable

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Ledger

PATIENCE = 2.5  # seconds; a running daemon acts within one
LOOK_AGAIN = 0.05  # seconds
RETRIABLE = (State.FAILED, State.CANCELLED, State.VANISHED)
LATER = "at the daemon's next start"


class NotPossible(SttdError):
    """The job is not in a state in which this can be done."""


@click.command()
@click.argument("number", metavar="ID", type=int, required=False)
@click.option("--failed", is_flag=True, help="All failed jobs.")
@shared
def retry(number: int | None, failed: bool) -> None:
    """Queue a failed, cancelled or vanished job again."""
    if (number is None) is not failed:
        raise UsageError("say which job: sttd retry ID, or sttd retry --failed for all that failed")
    config = given().load()
    with access.reading(config) as ledger:
        if number is None:
            _retry_failed(config, ledger)
            return
        job = find(ledger, number)
        refuse_retry(job)
        taken = _ask(config, ledger, "retry", number, lambda: ledger.get(number).state not in RETRIABLE)
        if taken and ledger.get(number).state in RETRIABLE:
            raise NotPossible(f"job {number} was not queued again: the daemon's log says why")
    _tell(taken, f"{_named(job)} is queued again", f"{_named(job)} will be queued again")


def _retry_failed(config: Config, ledger: Ledger) -> None:
    count = ledger.counts()[State.FAILED]
    if not count:
        print("no job has failed")
        return
    jobs = "1 failed job" if count == 1 else f"{count} failed jobs"
    taken = _ask(config, ledger, "retry-failed", None, lambda: True)
    _tell(taken, f"queued again: {jobs}", f"will be queued again: {jobs}")


@click.command()
@click.argument("number", metavar="ID", type=int)
@shared
def cancel(number: int) -> None:
    """Take a job out of the queue, or stop it. Its source stays where it is."""
    config = given().load()
    with access.reading(config) as ledger:
        job = find(ledger, number)
        refuse_cancel(job)
        taken = _ask(config, ledger, "cancel", number, lambda: ledger.get(number).state is not job.state)
        after = ledger.get(number).state
    if taken and after in (State.COMMITTING, State.DONE, State.FAILED):
        raise NotPossible(f"job {number} could not be cancelled any more: it is {after}")
    if taken and after is not State.CANCELLED:
        print(f"{_named(job)} is being stopped")
        return
    _tell(taken, f"{_named(job)} is cancelled", f"{_named(job)} will be cancelled")


@click.command(short_help="Transcribe a finished job once more.")
@click.argument("number", metavar="ID", type=int)
@click.option("--model", metavar="M", help="With this model.")
@click.option("--language", metavar="L", help="Taken to be in this language.")
@shared
def redo(number: int, model: str | None, language: str | None) -> None:
    """Transcribe the source of a finished job once more, as a new job. The old result stays."""
    asked = [] if language is None else [f"transcribe.language={language}", "transcribe.languages="]
    given().load(asked)  # refuses what is no language
    config = given().load()
    with access.reading(config) as ledger:
        job = find(ledger, number)
        refuse_redo(job, config)
        before = ledger.jobs(limit=1)[0].id

        def made() -> Job | None:
            newer = (new for new in ledger.jobs(limit=100) if new.id > before and new.redo_of == number)
            return next(newer, None)

        taken = _ask(config, ledger, "redo", number, lambda: made() is not None, model=model, language=language)
        new = made()
    if taken and new is None:
        raise NotPossible(f"job {number} is not done again: the daemon's log says why")
    _tell(taken, f"{_named(job)} is done again as job {new.id if new else '?'}", f"{_named(job)} will be done again")


@click.command(short_help="Start no further job, until resume.")
@shared
def pause() -> None:
    """Start no further job. What runs goes on to its end."""
    _switch("pause", paused=True)


@click.command()
@shared
def resume() -> None:
    """End a pause."""
    _switch("resume", paused=False)


def _switch(kind: str, *, paused: bool) -> None:
    config = given().load()
    with access.reading(config) as ledger:
        taken = _ask(config, ledger, kind, None, lambda: bool(ledger.fact("paused", default=False)) is paused)
    now = "paused: no further job starts until `sttd resume`" if paused else "resumed: jobs start again"
    _tell(taken, now, "no job will start" if paused else "jobs will start again")


def _ask(
    config: Config, ledger: Ledger, kind: str, job: int | None, seen: Callable[[], bool], **arguments: Any
) -> bool:
    """Leave a request; where a daemon runs, wait until it took it and, a moment more, until its effect is `seen`.

    Returns:
        Whether the daemon took it.
    """
    with access.asking(config) as asking:
        number = asking.ask(kind, job, time.time(), **arguments)
    if not access.is_running(config):
        return False
    end = time.monotonic() + PATIENCE
    taken = False
    while time.monotonic() < end:
        taken = taken or number not in {waiting for waiting, _ in ledger.take_requests()}
        if taken and seen():
            return True
        time.sleep(LOOK_AGAIN)
    return taken


def _tell(taken: bool, now: str, later: str) -> None:
    """What happened, or that it is yet to happen."""
    print(now if taken else f"{later} {LATER}, or within a second where it runs")
    sys.stdout.flush()


def refuse_retry(job: Job) -> None:
    """Raises NotPossible where a job cannot be queued again, saying what can be done instead."""
    if job.state is State.DONE:
        raise NotPossible(f"job {job.id} is done: `sttd redo {job.id}` transcribes its source once more")
    if job.state not in RETRIABLE:
        raise NotPossible(f"job {job.id} is {job.state} already")


def refuse_cancel(job: Job) -> None:
    """Raises NotPossible where there is nothing to cancel."""
    if job.state is State.COMMITTING:
        raise NotPossible(f"job {job.id} is transcribed, and its results are being put in place")
    if job.state not in (State.QUEUED, State.RUNNING):
        raise NotPossible(f"job {job.id} is {job.state}: there is nothing to cancel")


def refuse_redo(job: Job, config: Config) -> None:
    """Raises NotPossible where a job is not done, or its source is no longer there."""
    if job.state is not State.DONE:
        other = f"`sttd retry {job.id}` queues it again" if job.state in RETRIABLE else "wait for its end"
        raise NotPossible(f"job {job.id} is {job.state}: {other}")
    if job.location == "":
        raise NotPossible(f"the source of job {job.id} was deleted, as output.source says: drop it once more")
    source = job.location or os.path.join(config.paths.inbox, job.source)  # noqa: PTH118 - bytes-safe strings
    # a share that does not answer: the daemon will see what becomes of it
    if not answers({"there": functools.partial(os.path.lexists, source)}).get("there", True):
        raise NotPossible(f"the source of job {job.id} is gone: {printable(source)}")


def _named(job: Job) -> str:
    return f"job {job.id} ({printable(job.source)})"

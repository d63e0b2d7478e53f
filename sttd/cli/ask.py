"""Commands that change something: each looks whether it can be done, leaves a request, and prints the daemon's answer."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli import access
from sttd.cli.look import find
from sttd.cli.options import given, shared
from sttd.errors import SttdError, UsageError
from sttd.fs.patience import answers
from sttd.job import Job, State
from sttd.ledger import moved
from sttd.ledger.request import Ask, Request, checked
from sttd.text import printable

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Answer, Ledger

PATIENCE = 5.0  # seconds; a running daemon acts within one, and a busy machine may need more
LOOK_AGAIN = 0.05  # seconds
RETRIABLE = (State.FAILED, State.CANCELLED, State.VANISHED)


class NotPossible(SttdError):
    """The job is not in a state in which this can be done."""


@click.command()
@click.argument("number", metavar="ID", type=int, required=False)
@click.option("--failed", is_flag=True, help="All failed jobs.")
@shared
def retry(number: int | None, failed: bool) -> None:
    """Queue a failed, cancelled or vanished job again."""
    if (number is None) is not failed:
        raise UsageError("say which job: `sttd retry ID`, or `sttd retry --failed` for all that failed")
    config = given().load()
    with access.reading(config) as ledger:
        if number is None:
            _retry_failed(config, ledger)
            return
        job = find(ledger, number)
        refuse_retry(job)
        _ask(config, ledger, Request(Ask.RETRY, number), f"{_named(job)} will be queued again")


def _retry_failed(config: Config, ledger: Ledger) -> None:
    count = ledger.counts()[State.FAILED]
    if not count:
        print("no job has failed")
        return
    jobs = "1 failed job" if count == 1 else f"{count} failed jobs"
    _ask(config, ledger, Request(Ask.RETRY_FAILED), f"will be queued again: {jobs}")


@click.command()
@click.argument("number", metavar="ID", type=int)
@shared
def cancel(number: int) -> None:
    """Take a job out of the queue, or stop it. Its source stays where it is."""
    config = given().load()
    with access.reading(config) as ledger:
        job = find(ledger, number)
        refuse_cancel(job)
        _ask(config, ledger, Request(Ask.CANCEL, number), f"{_named(job)} will be cancelled")


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
    request = checked(Request(Ask.REDO, number, model, language))
    with access.reading(config) as ledger:
        job = find(ledger, number)
        refuse_redo(job, config)
        if model is not None:
            _require_model(config, ledger, model)
        _ask(config, ledger, request, f"{_named(job)} will be done again")


def _require_model(config: Config, ledger: Ledger, name: str) -> None:
    """Raises UsageError or NotHere where no worker could load it, and says what is near or how it comes here."""
    from sttd.cli.models import place
    from sttd.hub import cache
    from sttd.hub.names import require_name

    require_name(name, (config.model.name, config.model.fallback))
    daemons: str | None = (ledger.fact("daemon") or {}).get("models")  # its environment may be another one
    with contextlib.suppress(PermissionError):  # what may not be looked at here, the daemon's workers will see
        cache.find(name, Path(daemons) if daemons else place())


@click.command(short_help="Start no further job, until resume.")
@shared
def pause() -> None:
    """Start no further job. What runs goes on to its end."""
    _switch(Ask.PAUSE, "no job will start")


@click.command()
@shared
def resume() -> None:
    """End a pause."""
    _switch(Ask.RESUME, "jobs will start again")


def _switch(kind: Ask, later: str) -> None:
    config = given().load()
    with access.reading(config) as ledger:
        _ask(config, ledger, Request(kind), later)


def _ask(config: Config, ledger: Ledger, request: Request, later: str) -> None:
    """Leave a request. Where a daemon runs, wait for its answer and print it; else say what will happen `later`.

    Raises:
        NotPossible: the daemon has refused it, for the reason that the message gives.
    """
    name = access.ask(config, request)
    answer = _answer(ledger, name) if access.is_running(config) else None
    if answer is None or answer.ok is None:
        print(f"{later} at the daemon's next start, or within a second where it runs")
    elif answer.ok:
        print(given().spoken(answer.text))
    else:
        raise NotPossible(answer.text)
    sys.stdout.flush()


def _answer(ledger: Ledger, name: str) -> Answer | None:
    """What the daemon says to a request, which it takes up within a second. A large one is waited for while it goes on."""
    end, found = time.monotonic() + PATIENCE, None
    while time.monotonic() < end:
        before, found = found, ledger.answer(name)
        if found is not None and found.ok is not None:
            return found
        if found != before:
            end = time.monotonic() + PATIENCE
        time.sleep(LOOK_AGAIN)
    return found


def refuse_retry(job: Job) -> None:
    """Raises NotPossible where a job cannot be queued again, saying what can be done instead."""
    if job.state is State.DONE:
        raise NotPossible(f"job {job.id} is done: `sttd redo {job.id}` transcribes its source once more")
    if job.state not in RETRIABLE:
        raise NotPossible(f"job {job.id} is {job.state} already")


def refuse_cancel(job: Job) -> None:
    """Raises NotPossible where there is nothing to cancel."""
    if job.state not in (State.QUEUED, State.RUNNING, State.COMMITTING):
        raise NotPossible(f"job {job.id} is {job.state}: there is nothing to cancel")


def refuse_redo(job: Job, config: Config) -> None:
    """Raises NotPossible where a job is not done, or its source is no longer there."""
    if job.state is not State.DONE:
        other = f"`sttd retry {job.id}` queues it again" if job.state in RETRIABLE else "wait for its end"
        raise NotPossible(f"job {job.id} is {job.state}: {other}")
    if job.location == "":
        raise NotPossible(f"the source of job {job.id} was deleted, as output.source says: drop it once more")
    noted = job.location or os.path.join(config.paths.inbox, job.source)  # noqa: PTH118 - bytes-safe strings

    def is_there() -> bool:
        return os.path.lexists(moved.location(job, config.paths) or noted)

    # a share that does not answer: the daemon will see what becomes of it
    if not answers({"there": is_there}).get("there", True):
        raise NotPossible(f"the source of job {job.id} is gone: {printable(noted)}")


def _named(job: Job) -> str:
    return f"job {job.id} ({printable(job.source)})"

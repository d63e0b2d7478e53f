"""Commands that change something: each looks whether it can be done, leaves a request, and prints the daemon's answer."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli.completion import complete_jobs, complete_languages, complete_models
from sttd.cli.look import find
from sttd.cli.options import given, language_options, shared
from sttd.errors import UsageError
from sttd.job import Job, State
from sttd.ledger.facts import DAEMON
from sttd.ledger.request import MOST_FIRST, Ask, Request, checked
from sttd.rules import refusals
from sttd.text import counted, printable, sentence
from sttd.view import access
from sttd.view.possible import NotPossible, refusal_of_redo

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Answer, Ledger

PATIENCE = 5.0  # seconds; a running daemon acts within one, and a busy machine may need more
LOOK_AGAIN = 0.05  # seconds


@click.command()
@click.argument("numbers", metavar="[ID]...", nargs=-1, type=int,
                shell_complete=complete_jobs("failed,cancelled,vanished"))  # fmt: skip
@click.option("--failed", is_flag=True, help="All failed jobs.")
@shared
def retry(numbers: tuple[int, ...], failed: bool) -> int:
    """Queue failed, cancelled or vanished jobs again."""
    if bool(numbers) is failed:
        raise UsageError("say which jobs: `sttd retry ID ...`, or `sttd retry --failed` for all that failed")
    if numbers:
        return _each(numbers, Ask.RETRY, lambda job, _: refusals.of_retry(job), "will be queued again")
    config = given().load()
    with access.reading(config) as ledger:
        _retry_failed(config, ledger)
    return 0


def _retry_failed(config: Config, ledger: Ledger) -> None:
    count = ledger.counts()[State.FAILED]
    if not count:
        print("no job has failed")
        return
    _ask(config, ledger, Request(Ask.RETRY_FAILED), f"will be queued again: {counted(count, 'failed job')}")


@click.command()
@click.argument(
    "numbers", metavar="ID...", nargs=-1, required=True, type=int, shell_complete=complete_jobs("queued,running")
)
@shared
def cancel(numbers: tuple[int, ...]) -> int:
    """Take jobs out of the queue, or stop them. Their sources stay where they are."""
    return _each(numbers, Ask.CANCEL, lambda job, _: refusals.of_cancel(job), "will be cancelled")


@click.command("next", short_help="A waiting job before all others.")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True, type=int, shell_complete=complete_jobs("queued"))
@shared
def next_(numbers: tuple[int, ...]) -> int:
    """Put waiting jobs before all others, in the order in which they are named. What runs goes on."""
    wanted = list(dict.fromkeys(numbers))
    if len(wanted) > MOST_FIRST:
        raise UsageError(
            f"{len(wanted)} jobs are named, and {MOST_FIRST} can be before all others: name the first of them"
        )
    # each request puts its job before those of earlier ones
    return _each(wanted[::-1], Ask.NEXT, lambda job, _: refusals.of_next(job), "will be the next")


@click.command(short_help="Transcribe ended jobs once more.")
@click.argument(
    "numbers", metavar="ID...", nargs=-1, required=True, type=int, shell_complete=complete_jobs("done,failed,cancelled")
)
@click.option("--model", metavar="M", help="With this model.", shell_complete=complete_models)
@click.option("--language", metavar="L", help="Taken to be in this language.",
              shell_complete=complete_languages)  # fmt: skip
@shared
def redo(numbers: tuple[int, ...], model: str | None, language: str | None) -> int:
    """Transcribe the sources of finished jobs once more, as new jobs. The old results stay.

    Jobs that failed or were cancelled are queued again, as by `sttd retry`: with another model or language from their beginning.
    """
    given().load(*language_options(language))  # refuses what is no language
    config = given().load()
    checked(Request(Ask.REDO, 1, model, language))  # the options, whatever the job
    if model is not None:
        with access.reading(config) as ledger:
            _require_model(config, ledger, model)
    return _each(numbers, Ask.REDO, refusal_of_redo, "will be done again", model=model, language=language)


def _each(
    numbers: Sequence[int],
    kind: Ask,
    refusal: Callable[[Job, Config], str],
    later: str,
    *,
    model: str | None = None,
    language: str | None = None,
) -> int:
    """Leave a request for each job. If it cannot be done for one, that is printed, and the others are asked for all the same.

    Raises:
        UsageError: one of the jobs does not exist; nothing is asked for then.
        NotPossible: there is one job alone, and it cannot be done.
    """
    config = given().load()
    with access.reading(config) as ledger:
        jobs = [find(ledger, number) for number in dict.fromkeys(numbers)]
        requests = {job.id: checked(Request(kind, job.id, model, language)) for job in jobs}
        refused: list[str] = []
        asked: list[tuple[str, Job]] = []
        for job in jobs:
            if why := refusal(job, config):
                refused.append(why)
            else:
                asked.append((access.ask(config, requests[job.id]), job))
        for name, job in asked:
            try:
                _tell(config, ledger, name, f"{_named(job)} {later}")
            except NotPossible as error:
                refused.append(str(error))
    if refused and len(jobs) == 1:
        raise NotPossible(refused[0])
    for problem in refused:
        print(f"sttd: {sentence(problem.replace('`sttd ', f'`{given().program()} '))}", file=sys.stderr)
    return int(bool(refused))


def _require_model(config: Config, ledger: Ledger, name: str) -> None:
    """Raises UsageError or NotHere where no worker could load it: with similar names, or with how to get the model."""
    from sttd.cli.models import place
    from sttd.hub import cache
    from sttd.hub.names import require_name

    require_name(name, (config.model.name, config.model.fallback))
    if config.has_others:  # a model that is not here may be on another machine
        return
    daemons: str | None = ledger.fact(DAEMON).get("models")  # its environment may differ from ours
    with contextlib.suppress(PermissionError):  # we may not look there, the daemon's workers may
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
    """Leave a request, and print its outcome; see `_tell`."""
    _tell(config, ledger, access.ask(config, request), later)


def _tell(config: Config, ledger: Ledger, name: str, later: str) -> None:
    """Where a daemon runs, wait for its answer to a request and print it; else say what will happen `later`.

    Raises:
        NotPossible: the daemon has refused it, for the reason that the message gives.
    """
    answer = _answer(ledger, name) if access.is_running(config) else None
    if answer is None or answer.ok is None:
        print(f"{later} at the daemon's next start, or within a second where it runs")
    elif answer.ok:
        print(given().spoken(answer.text))
    else:
        raise NotPossible(answer.text)
    sys.stdout.flush()


def _answer(ledger: Ledger, name: str) -> Answer | None:
    """The daemon's answer to a request, which it takes up within a second. We wait longer for a large one that makes progress."""
    end, found = time.monotonic() + PATIENCE, None
    while time.monotonic() < end:
        before, found = found, ledger.answer(name)
        if found is not None and found.ok is not None:
            return found
        if found != before:
            end = time.monotonic() + PATIENCE
        time.sleep(LOOK_AGAIN)
    return found


def _named(job: Job) -> str:
    return f"job {job.id} ({printable(job.source)})"

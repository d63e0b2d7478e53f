"""`jobs` and `show`: what the ledger says, for a terminal, a pipe or a program."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sttd.cli import about, filters, transcript
from sttd.cli.completion import complete_jobs
from sttd.cli.options import given, shared
from sttd.cli.screen import is_terminal
from sttd.errors import NoSuchJob, UsageError
from sttd.job import Job, State
from sttd.ledger.lists import Which
from sttd.ledger.questions import LARGEST
from sttd.notify import told
from sttd.view import access, figures, life, outlook, plain

if TYPE_CHECKING:
    from sttd.ledger import Ledger

LATEST = 100  # jobs that a terminal shows where no --limit is given


@click.command(short_help="The jobs, newest last.")
@click.argument("name", metavar="[GLOB]", default="")
@click.option("--state", metavar="S,...", multiple=True, callback=filters.states, shell_complete=filters.complete_states,
              help=f"Only jobs in one of these states: {', '.join(State)}.")  # fmt: skip
@click.option(
    "--since", metavar="T", callback=filters.since, help="Only what came or ended since: 2h, 7d, today, 2026-11-27."
)
@click.option("--folder", metavar="DIR", default="", help="Only recordings in this folder of the inbox, and below it.")
@click.option("--before", type=click.IntRange(1, LARGEST), metavar="ID", help="Only jobs that are older than this one.")
@click.option("--limit", type=click.IntRange(1, LARGEST), metavar="N", help=f"Only the newest N.  [terminal: {LATEST}]")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@shared
def jobs(
    *, name: str, state: tuple[State, ...], since: float | None, folder: str, before: int | None,
    limit: int | None, as_json: bool,
) -> None:  # fmt: skip
    """The jobs, newest last; with GLOB those whose name matches it, such as '*.m4a' or 'meetings/*'.

    On a terminal a page of them: what --before takes for the next one is said below it.
    """
    tables = is_terminal() and not as_json
    most = limit or (LATEST if tables else -1)
    which = Which(state, since, folder.rstrip("/"), name, before)
    config = given().load()
    if as_json and not access.has_ledger(config):
        print("[]")  # as in `status`: a program need not wait for the first start
        return
    with access.reading(config) as ledger:
        if tables:
            _table(ledger.listed(which, most), which, ledger)
            return
        found = ledger.each_listed(which) if most < 0 else reversed(ledger.listed(which, most))
        for line in _lines(found, as_json):
            print(line)


def _lines(found: Iterator[Job], as_json: bool) -> Iterator[str]:
    """A line a job, in an array of JSON or below a heading."""
    if not as_json:
        yield plain.JOBS_HEAD
        yield from map(plain.job_line, found)
        return
    before = "["
    for job in found:
        yield before
        before = f"{figures.line(figures.job(job))},"
    yield f"{before}]" if before == "[" else before.rstrip(",") + "\n]"


def _table(found: list[Job], which: Which, ledger: Ledger) -> None:
    from sttd.cli import term

    if not found:
        print("no jobs yet: drop a recording into the inbox" if which == Which() else "no job passes these filters")
        return
    screen = term.console()
    screen.print(term.jobs(found[::-1], screen.width, time.time()))
    older = ledger.count_of(dataclasses.replace(which, before=found[-1].id))
    if older:
        screen.print(f"{older} older: the same with --before {found[-1].id} shows them", style="dim")


@click.command(short_help="All about one job, or its text.")
@click.argument("number", metavar="ID", type=int, shell_complete=complete_jobs())
@click.option("--text", "as_text", is_flag=True, help="Print the transcript.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@shared
def show(number: int, as_text: bool, as_json: bool) -> None:
    """All about one job: what became of it, where its files lie, and its life from drop to archive."""
    if as_text and as_json:
        raise UsageError("--text prints the transcript, --json all about the job: choose one of them")
    config = given().load()
    with access.reading(config) as ledger:
        job, attempts = find(ledger, number), ledger.attempts(number)
        parts = figures.parts(ledger, job)
        found = figures.status(ledger, access.is_running(config))
        if not as_json and not as_text:
            outlook.add(found, ledger, config.worker_count(), time.time())
            place = ledger.ahead(job)[0] if job.state is State.QUEUED else 0
    notices = told.of_job(config.paths.state, job)
    if as_text:
        transcript.show(job)
    elif as_json:
        print(
            figures.text(
                figures.job(job) | {"history": figures.history(job, attempts), "notices": notices, "parts": parts}
            )
        )
    else:
        _show(job, [*life.life(job, attempts, notices)], outlook.of(found, job, place, parts), time.time())


def _show(job: Job, lived: life.Life, prospect: outlook.Prospect, now: float) -> None:
    if is_terminal():
        from sttd.cli import term

        term.console().print(term.show(job, lived, prospect, now))
        return
    for word, text in about.job_facts(job, prospect, now):
        print(f"{word:<11}  {text}")
    for at, text in lived:
        print(f"{plain.moment(at)}  {text}")


def find(ledger: Ledger, number: int) -> Job:
    """The job of this number.

    Raises:
        UsageError: there is none.
    """
    try:
        return ledger.get(number)
    except NoSuchJob:
        newest = ledger.jobs(limit=1)
        known = f"the newest is {newest[0].id}" if newest else "there are none yet"
        raise UsageError(f"there is no job {number}: {known}; `sttd jobs` lists them") from None

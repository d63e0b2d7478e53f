"""`status`, `jobs` and `show`: what the ledger says, for a terminal, a pipe or a program."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sttd.cli import about, access, figures, plain
from sttd.cli.options import given, shared
from sttd.cli.screen import is_terminal
from sttd.errors import NoSuchJob, UsageError
from sttd.job import Job, State

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Ledger

REFRESH = 1.0  # seconds; the daemon tells its figures as often
LATEST = 100  # jobs that a terminal shows where no --limit is given


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--watch", is_flag=True, help="Keep showing it, until Ctrl-C.")
@shared
def status(as_json: bool, watch: bool) -> int:
    """What the daemon does: queue, workers, memory, and what is wrong.

    Exit codes: 0 it runs; 1 something holds it up; 3 it does not run.
    """
    config = given().load()
    if watch:
        _watch(config, as_json)
    found = access.status(config)
    if as_json or found["daemon"]["running"] or access.has_ledger(config):
        _print_status(found, as_json)
    else:
        print(f"sttd: {access.no_ledger(config)}", file=sys.stderr)
    return figures.health(found, time.time())


def _print_status(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(figures.text(found))
    elif is_terminal():
        from sttd.cli import term

        screen = term.console()
        screen.print(term.status(found, time.time(), screen.width))
    else:
        print("\n".join(plain.status_lines(found, time.time())))


def _watch(config: Config, as_json: bool) -> NoReturn:
    """Until Ctrl-C. On a terminal the picture renews itself; else what has changed is printed: for programs, a line a change."""
    if is_terminal() and not as_json:
        from sttd.cli import live

        live.watch(lambda: access.status(config), REFRESH)
    shown = None
    while True:
        found = access.status(config)
        if found != shown:
            lines = figures.line(found) if as_json else "\n".join([*plain.status_lines(found, time.time()), ""])
            print(lines, flush=True)
            shown = found
        time.sleep(REFRESH)


@click.command()
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only jobs in this state.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help=f"Only the newest N.  [terminal: {LATEST}]")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@shared
def jobs(state: str | None, limit: int | None, as_json: bool) -> None:
    """The jobs, newest last."""
    tables = is_terminal() and not as_json
    most = limit or (LATEST if tables else -1)
    config = given().load()
    if as_json and not access.has_ledger(config):
        print("[]")  # as in `status`: a program need not wait for the first start
        return
    with access.reading(config) as ledger:
        if tables:
            _table(ledger.jobs(figures.states(state), most), state, _total(ledger, figures.states(state)))
            return
        for line in _lines(_in_order(ledger, figures.states(state), most), as_json):
            print(line)


def _in_order(ledger: Ledger, states: tuple[State, ...], limit: int) -> Iterator[Job]:
    """The newest `limit` jobs, oldest first."""
    if limit < 0:
        return ledger.each(states)
    return reversed(ledger.jobs(states, limit))


def _total(ledger: Ledger, states: tuple[State, ...]) -> int:
    return sum(count for state, count in ledger.counts().items() if not states or state in states)


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


def _table(found: list[Job], state: str | None, total: int) -> None:
    from sttd.cli import term

    if not found:
        print(f"no jobs {f'are {state}' if state else 'yet: drop a recording into the inbox'}")
        return
    screen = term.console()
    screen.print(term.jobs(found[::-1], screen.width))
    if total > len(found):
        screen.print(f"{total - len(found)} older ones are not shown: --limit {total} shows all", style="dim")


@click.command(short_help="All about one job.")
@click.argument("number", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@shared
def show(number: int, as_json: bool) -> None:
    """All about one job: where its files lie, how each attempt went."""
    config = given().load()
    with access.reading(config) as ledger:
        job, attempts = find(ledger, number), ledger.attempts(number)
        workers = figures.status(ledger, access.is_running(config))["workers"]
    worker = next((each for each in workers if each["job"] == number), None)
    if as_json:
        print(figures.text(figures.job(job) | {"history": attempts}))
    elif is_terminal():
        from sttd.cli import term

        term.console().print(term.show(job, attempts, worker, time.time()))
    else:
        for word, says in about.job_facts(job, worker, time.time()):
            print(f"{word:<11}  {says}")
        for attempt in attempts:
            print(f"attempt      {about.attempt_line(attempt)}")


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

"""`wait`: until jobs have ended, for scripts."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sttd.cli.completion import complete_jobs
from sttd.cli.look import find
from sttd.cli.options import given, shared
from sttd.cli.screen import write_if_read
from sttd.errors import LedgerError
from sttd.job import ENDED, Job, State
from sttd.text import printable, sentence
from sttd.view import access, plain

if TYPE_CHECKING:
    from sttd.config import Config

LOOK = 0.5  # seconds between two looks at first
SELDOM = 2.0  # and for what takes long


@click.command(short_help="Wait until jobs have ended.")
@click.argument(
    "numbers", metavar="ID...", nargs=-1, required=True, type=int, shell_complete=complete_jobs("queued,running")
)
@shared
def wait(numbers: tuple[int, ...]) -> int:
    """Wait until all of these jobs have ended. Prints a line for each.

    Exit codes: 0 all are done; 1 one has failed, was cancelled, or its file is gone. `timeout 1h sttd wait 5` waits no longer.
    """
    config = given().load()
    waits = list(dict.fromkeys(numbers))
    with access.reading(config) as ledger:
        jobs = [find(ledger, number) for number in waits]
    if any(job.state not in ENDED for job in jobs) and not access.is_running(config):
        _note(f"no daemon runs: the wait goes on until `{plain.start(given().program())}`")
    return _until_ended(config, waits)


def _until_ended(config: Config, waits: Sequence[int]) -> int:
    """The ledger is opened anew each time: it may be set aside and rebuilt, and a lasting reader would hold up its WAL."""
    begun, failed, told = time.monotonic(), False, ""
    while True:
        try:
            with access.reading(config) as ledger:
                jobs = {number: ledger.find(number) for number in waits}
        except LedgerError as error:
            if not access.is_running(config):
                raise
            if told != str(error):
                told = str(error)
                _note(f"waits for the daemon: {told}")
            time.sleep(LOOK)
            continue
        for number, job in jobs.items():
            if job is None or job.state in ENDED:
                failed |= _tell(number, job)
        waits = [number for number, job in jobs.items() if job is not None and job.state not in ENDED]
        if not waits:
            return int(failed)
        held = next((job for job in jobs.values() if job is not None and job.state is State.QUEUED and job.error), None)
        if held is not None and told != held.error:
            told = held.error or ""
            _note(f"job {held.id} ({printable(held.source)}) waits: {told}")
        time.sleep(LOOK if time.monotonic() - begun < 60 else SELDOM)


def _tell(number: int, job: Job | None) -> bool:
    """Print how a job ended; returns whether without a result."""
    if job is None:  # retention.ledger_age
        print(f"job {number} was forgotten")
        return True
    error = f": {sentence(job.error)}" if job.error and job.state is not State.DONE else ""
    print(f"job {job.id} ({printable(job.source)}) is {job.state}{error}", flush=True)
    return job.state is not State.DONE


def _note(text: str) -> None:
    write_if_read(sys.stderr, f"sttd: {sentence(text)}\n")

"""Where the queue is held because job after job meets one error, a worker is given sttd's own spoken sample to transcribe.

If that goes well the machine works, and the recordings are at fault: each has its attempts, and goes to `failed/` after the
last one. Without it three files that crash their workers would wait for ever, and a thousand would keep a sound one waiting
for days. If it goes wrong too, the machine is at fault, and no recording is given up. Once in each round of the hold.
"""

from __future__ import annotations

from pathlib import Path

import sttd
from sttd.daemon import orders
from sttd.daemon.context import Context
from sttd.daemon.ending import STREAK
from sttd.host.events import Kind, say
from sttd.job import Job
from sttd.ledger.facts import PAUSED
from sttd.part import ENDS, Cause, Done, Event, Failed, Lost, PartSpec, Started
from sttd.pool.protocol import PoolFull
from sttd.rules.deadlines import liveness_limit, longest_start
from sttd.text import printable

PART = "sample"  # its part id; a job's has a number
SAMPLE = Path(sttd.__file__).parent / "demo" / "samples" / "english.flac"


def step(context: Context) -> None:
    """Begin a trial, if the hold's round has not had one and a worker is free."""
    trial, rounds = context.judging.trial, context.judging.streaks.rounds
    if trial.sample is None or trial.under_way or trial.rounds == rounds or STREAK not in context.troubles.holding():
        return
    is_full = context.pool.free_slots() <= 0 or (context.starting.busy_only and context.running)
    if is_full or context.stopping or context.ledger.fact(PAUSED):
        return
    try:
        part = order(context, trial.sample, trial.attempt + 1)
    except OSError:  # sttd is being upgraded, perhaps: in this round jobs alone show whether the machine works
        trial.rounds = rounds
        return
    now, limit = context.clock(), liveness_limit(part.model.load_timeout)
    try:
        context.pool.submit(part, context.starting.models.reasons(part.model.name, now))
    except PoolFull:  # the worker that was free has just been lost: another tick finds another one
        return
    trial.rounds, trial.attempt, trial.under_way, trial.since = rounds, part.attempt, True, now
    context.deadlines.waiting(PART, now, limit, longest_start(limit, part.size))


def order(context: Context, sample: Path, attempt: int) -> PartSpec:
    """What a worker is told: as for the job that met the error, whose inbox may have options of its own.

    Raises OSError where there is no sample.
    """
    seen = sample.stat()
    spec, options = orders.wanted(context, context.judging.trial.job or Job(0, "", 0, 0))
    return PartSpec(
        part_id=PART,
        attempt=attempt,
        source=str(sample),
        size=seen.st_size,
        mtime_ns=seen.st_mtime_ns,
        model=spec,
        options=options,
        budget=context.config.pool.job_timeout,
    )


def handle(context: Context, event: Event) -> None:
    """Act on a message of the trial's worker."""
    trial, now = context.judging.trial, context.clock()
    if not trial.under_way or event.attempt != trial.attempt:
        return
    if isinstance(event, Started):
        context.deadlines.charge(PART, now, context.config.pool.job_timeout)
    elif not isinstance(event, ENDS):
        context.deadlines.alive(PART, now)
    else:
        trial.under_way = False
        context.deadlines.remove(PART)
        _ended(context, event)


def kill(context: Context) -> None:
    """End a trial that takes too long."""
    context.pool.kill(PART, context.judging.trial.attempt, Cause.TIMEOUT)


def _ended(context: Context, event: Done | Failed | Lost) -> None:
    if STREAK not in context.troubles:
        return  # a job has gone well meanwhile, or a person has said that it is over
    if isinstance(event, Done) and event.resume_at is None:
        context.judging.streaks.well(context.judging.trial.since, context.clock())
        context.troubles.end(STREAK)
        text = "sttd's own sample was transcribed, so the machine works: recordings that end with that error fail after their attempts"
        say(Kind.REMARK, text, level="WARNING")
    elif not isinstance(event, Done) and not context.judging.trial.is_told:
        context.judging.trial.is_told = True
        text = f"sttd's own sample cannot be transcribed either: {printable(event.error)}"
        say(Kind.REMARK, text, error=event.error)

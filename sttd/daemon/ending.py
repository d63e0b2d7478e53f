"""What the end of an attempt means: for its job, and for all others where it is not the job's own fault."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sttd.daemon import by_folder, readable
from sttd.daemon.context import Context, Running
from sttd.host.events import Kind, say
from sttd.job import Overrides, State
from sttd.part import Cause
from sttd.rules.policy import Verdict, verdict
from sttd.rules.streaks import MANY
from sttd.text import printable

# the troubles that hold the whole queue, by the cause that begins them
HOLD_ALL = {Cause.NO_MODEL: "model", Cause.MACHINE: "machine", Cause.CONFIGURATION: "configuration"}
STREAK = "errors"  # the trouble of an error that job after job meets
_OF_THE_CONFIGURATION = (Cause.NO_MODEL, Cause.CONFIGURATION)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt is taken to have ended."""

    cause: Cause
    error: str | None
    verdict: Verdict
    trouble: str  # that keeps every job from starting; "": the others go on
    wait: float  # seconds for which it does
    outdated: bool = False  # its error is about a configuration that is no longer in force


def ending(context: Context, running: Running, cause: Cause, error: str | None, *, retriable: bool) -> Ending:
    """Judge the end of an attempt.

    Args:
        context: of the loop.
        running: the attempt.
        cause: why it ended, as pool or worker say.
        error: the same in words.
        retriable: whether the next attempt may end otherwise.
    """
    job, wait = running.job, context.config.pool.machine_wait
    if cause is Cause.GONE and job.location is not None:  # no inbox will tell what becomes of it
        remedy = f": put it back, then `{printable(context.config.program)} retry {job.id}`"
        if context.inbox is None:  # `sttd transcribe`: its jobs cannot be retried; a daemon's may have their numbers
            remedy = ""
        cause, error = Cause.BAD_FILE, f"{printable(job.location)} is not there any more{remedy}"
    if cause is Cause.CONFIGURATION and job.overrides != Overrides():  # what was asked for this job alone
        cause, retriable = Cause.ERROR, False
    repeated = context.judging.lines.ended(running.spec.part_id, cause, progressed=running.progressed)
    judged = _decide(context, running, cause, retriable=retriable, repeated=repeated)
    if cause is Cause.LINE and judged.state is State.FAILED:
        error = f"its line broke again and again, and it is taken to be the reason; the last time: {error}"
    if cause in _OF_THE_CONFIGURATION and running.submitted < context.judging.configured:
        return Ending(cause, error, replace(judged, not_before=0.0), "", 0.0, outdated=True)
    if cause is Cause.CONFIGURATION and is_of_its_beginning(running):
        again = context.utc() + max(wait, context.config.model.retry_after)
        return Ending(cause, error, replace(judged, not_before=again), "", wait)
    if judged.spend_attempt and cause is not Cause.BAD_FILE and job.overrides == Overrides():
        held = context.judging.streaks.met(job.id, f"{cause}: {error}", context.clock(), wait)
        if held is not None:
            context.judging.trial.job = job
            return Ending(Cause.MACHINE, error, _decide(context, running, Cause.MACHINE), STREAK, held)
    everybodys = cause in HOLD_ALL and job.overrides.model is None and not by_folder.is_to_blame(job, cause)
    return Ending(cause, error, judged, HOLD_ALL[cause] if everybodys else "", wait)


def is_of_its_beginning(running: Running) -> bool:
    """Whether the language that the model does not know comes from the job's checkpoints, not from a configuration.

    The fallback knows fewer languages than the model that began. Only this job waits, for the model that began.
    """
    spec = running.spec
    begun = bool(spec.decided) or any(place.language is not None for place in spec.places.values())
    return begun and not spec.options.language and not spec.options.languages


def _decide(
    context: Context, running: Running, cause: Cause, *, retriable: bool = True, repeated: bool = False
) -> Verdict:
    """The policy's verdict. If the connection broke before the attempt began, no batch ran: there is none to halve."""
    pool, batch = context.config.pool, running.spec.options.batch_size
    if cause is Cause.LINE and running.started is None:
        batch = 1
    judged = verdict(
        running.tried,
        cause,
        progressed=running.progressed,
        retriable=retriable,
        repeated=repeated,
        now=context.utc(),
        random=context.judging.random,
        waits=pool.retry_waits,
        attempts_allowed=pool.attempts,
        machine_wait=pool.machine_wait,
        batch=batch,
    )
    if readable.is_in_vain(running, cause):
        return replace(judged, not_before=readable.next_look(context, running.job.queued_at))
    return judged


def begin_trouble(context: Context, end: Ending) -> bool:
    """Let no job start for a while. Returns whether the end of this job's attempt deserves a line in the log."""
    error = printable(end.error or str(end.cause))
    if end.trouble != STREAK:
        return context.troubles.begin(end.trouble, error, end.wait)
    text = f"{MANY} jobs in a row ended with the same error: {error}"
    if context.troubles.begin(STREAK, text, end.wait):
        context.judging.trial.is_told = False
        retry = f"`{printable(context.config.program)} retry ID`"
        say(
            Kind.QUEUE_HELD,
            f"{text}. No job starts, and none is given up for it, unless sttd's own sample shows that the machine works: put that "
            f"right, then {retry} or a reload; the next try is in {end.wait:.0f} s",
            error=error, wait=end.wait,
        )  # fmt: skip
    return False


def went_well(context: Context, running: Running) -> None:
    """A job has its transcript, so no error is met by every job."""
    context.judging.streaks.well(running.submitted, context.clock())
    context.judging.claims.well(running.worker, running.submitted)
    context.troubles.end(STREAK)


def release(context: Context) -> None:
    """A person has changed something, or wants another try: forget what was wrong, and find it out anew."""
    context.judging.streaks.release()
    context.recordings.folders.release()
    context.filing.disks.hurry()
    context.troubles.end(STREAK)
    context.troubles.end(HOLD_ALL[Cause.CONFIGURATION])

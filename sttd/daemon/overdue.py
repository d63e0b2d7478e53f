"""Workers over their time are killed."""

from __future__ import annotations

from sttd.daemon import trial
from sttd.daemon.context import Context
from sttd.daemon.parts import named
from sttd.host.events import Kind, say
from sttd.part import Cause
from sttd.rules.deadlines import timed_out


def kill(context: Context, now: float) -> None:
    """Kill every worker that is over its time. Its job loses nothing: it resumes at its next chunk."""
    for part_id, limit in context.deadlines.overdue(now):
        running = context.running.get(part_id)
        if running is None:
            trial.kill(context)
            continue
        if running.why is None:
            running.why = timed_out(limit)
            text = f"job {running.job.id}: {named(running.job, running.part)}: {running.why}"
            say(
                Kind.JOB_TIMEOUT, text, running.job,
                worker=running.label, cause=Cause.TIMEOUT, seconds=limit, attempt=running.spec.attempt,
                audio_done=running.done,
            )  # fmt: skip
        context.pool.kill(part_id, running.spec.attempt, Cause.TIMEOUT)

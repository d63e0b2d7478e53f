"""A listener gets the chunks of a recording in order, whichever parts of it workers have: see `Listener`.

The chunks of a part stay in its checkpoint until all parts before it are done; then the listener gets them from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from sttd.daemon import orders
from sttd.daemon.context import Context, Running
from sttd.job import Job, State
from sttd.part import Chunk


def heard(context: Context, running: Running, chunks: Sequence[Chunk], done: int) -> None:
    """Chunks of an attempt are checkpointed."""
    if running.spec.number == context.shared.told.get(running.job.id, 0):
        context.shared.listener.heard(running.job, chunks, done)


def went_on(context: Context, job: Job) -> None:
    """A part of a job is done: pass on the chunks of the parts behind it. Raises OSError: they cannot be read."""
    if not context.shared.listener.listens:
        return
    parts = context.ledger.parts(job)
    number = context.shared.told.get(job.id, 0)
    while number + 1 < len(parts) and parts[number].state is State.DONE:
        number += 1
        context.shared.told[job.id] = number
        checkpoint = orders.checkpoint_of(context, job, part=parts[number])
        chunks = tuple(checkpoint.chunks())
        if chunks:
            context.shared.listener.heard(job, chunks, checkpoint.resume().sample)

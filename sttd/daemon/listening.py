"""A person who listens hears a recording in its order, whatever parts of it workers have: see `Listener`.

What a part has brought before those in front of it were done is told when they are, from its checkpoint.
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
    """A part of a job is done: what there is of those behind it may be told. Raises OSError: it cannot be read."""
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

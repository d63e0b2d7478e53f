"""A long recording over several workers: which part of a job is begun next, and whether more of them may run at once.

A job that waits has its turn like any other, with one part. While no other job waits, workers that are free get further
parts of the jobs that run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from sttd.daemon import orders, whereabouts
from sttd.daemon.context import Context, Running
from sttd.daemon.orders import Order
from sttd.job import Job, Part, State
from sttd.ledger import Resume
from sttd.ledger.checkpoint import options_key
from sttd.part import SAMPLE_RATE, Cause, Options, Place
from sttd.rules.parts import next_of, startable
from sttd.sharing import Decided


def order(context: Context, job: Job, *, turn: bool) -> Order | None:
    """What is to be begun of a job; None: none of its parts can begin now. Raises OSError: a checkpoint cannot be read.

    `turn`: it waited in the queue; else other parts of it run.
    """
    model, options = orders.wanted(context, job)
    key = options_key(options, model)
    if turn:
        job = _as_begun(context, job, key)
    if job.shared is None:
        checkpoint = orders.checkpoint_of(context, job, key)
        return Order(job, None, key, model, options, checkpoint, checkpoint.resume())
    if job.options_key not in (None, key):
        return None
    parts = context.ledger.parts(job)
    decided, is_whole = languages(context, job, parts, key, options)
    part = next_of(startable(parts, decided=is_whole), context.utc(), turn=turn)
    if part is None:
        return None
    model, options = orders.wanted(context, job, part)
    checkpoint = orders.checkpoint_of(context, job, key, part)
    resume = checkpoint.resume()
    if part.number and not resume.index:
        resume = dataclasses.replace(resume, places=_ends(context, job, parts[part.number - 1], key))
    return Order(job, part, key, model, options, checkpoint, resume, decided)


def _ends(context: Context, job: Job, part: Part, key: str) -> Mapping[int, Place]:
    """By channel, where a part that is done has ended: the next one begins there, and need not look for its border.

    Other kinds of CPU round differently, so that now and then they would find another border.
    """
    resume = orders.checkpoint_of(context, job, key, part).resume()
    return resume.places if part.state is State.DONE and resume.index == part.chunks else {}


def _as_begun(context: Context, job: Job, key: str) -> Job:
    """The job, shared out as it was when its chunks were made.

    The ledger may not know that it is shared out, if it was made anew, or not written in time. A job whose chunks were made
    with other options begins anew.
    """
    first = orders.checkpoint_of(context, job, key)
    if job.shared is None:
        shared = first.shared()
        return job if shared is None else context.ledger.update(job, shared=shared)
    if job.options_key == key:
        return job
    if job.options_key is None and _fits(context, job, key):
        return context.ledger.update(job, options_key=key)
    job = context.ledger.update(job, shared=None, chunks=0, progress=0.0)
    first.remove()
    return job


def _fits(context: Context, job: Job, key: str) -> bool:
    """Whether the chunks that there are belong to these options."""
    begun = (orders.checkpoint_of(context, job, key, part) for part in context.ledger.parts(job) if part.chunks)
    return all(checkpoint.shared() == job.shared for checkpoint in begun)


def languages(
    context: Context, job: Job, parts: Sequence[Part], key: str, options: Options
) -> tuple[Mapping[int, Decided], bool]:
    """The language that was decided for each channel, and whether none is left to decide: then parts may run in any order.

    The first speech decides, as in a recording that is one part. Until then one part runs after the other.
    """
    if options.language or options.languages:
        return {}, True
    which = job.identity, key  # another file, or other options, may be in another language
    known = context.shared.decided.get(job.id)
    if known is not None and known[0] == which:
        return known[1], True
    found: dict[int, Decided] = {}
    for part in parts:
        places = orders.checkpoint_of(context, job, key, part).resume().places
        for channel, place in places.items():
            if place.language is not None and channel not in found:
                found[channel] = Decided(place.language, place.language_probability or 0.0)
        has_all = part.state is State.DONE or part.progress > 0  # all channels: each has a chunk then
        if places and has_all and found.keys() >= places.keys():
            context.shared.decided[job.id] = which, found
            return found, True
        if part.state is not State.DONE:
            return found, False
    return found, True


def wait(context: Context, job: Job) -> Job:
    """The turn of a job has come, and none of its parts can begin: it waits for the first that can."""
    now = context.utc()
    model, options = orders.wanted(context, job)
    parts = context.ledger.parts(job)
    _, is_whole = languages(context, job, parts, options_key(options, model), options)
    times = [part.not_before for part in startable(parts, decided=is_whole) if part.state is State.QUEUED]
    return context.ledger.update(job, not_before=max(now + 1.0, min(times, default=0.0)))


def progress_of(resume: Resume, part: Part) -> float:
    """Seconds of its audio that a part has in its checkpoint; at most the row's, which counts channels without a chunk too."""
    done = (resume.sample - min(resume.begins.values(), default=0)) / SAMPLE_RATE
    return min(part.progress, done) if resume.index else 0.0


def begins_of(order: Order) -> float:
    """Seconds of audio before what is to be begun, as far as is known."""
    if order.part is None or order.part.number == 0 or order.job.shared is None:
        return 0.0
    if order.resume.begins:
        return min(order.resume.begins.values()) / SAMPLE_RATE
    if order.resume.places:  # where the part before ended
        return order.resume.sample / SAMPLE_RATE
    return order.part.number * order.job.shared.length


def spare(context: Context) -> Running | None:
    """An attempt that may give way to a job that waits: the last one of a job that has several workers.

    One at a time, and none that has brought no chunk yet: its work would be lost.
    """
    counts, under_way = _workers(context), context.running.values()
    if any(running.gives_way for running in under_way):
        return None
    found = (running for running in under_way if running.progressed and counts.get(running.job.id, 0) > 1)
    return max(found, key=lambda running: (counts[running.job.id], running.spec.number), default=None)


def give_way(context: Context, running: Running) -> None:
    """It stops at the end of its batch, and goes on when nobody waits any more, or when its turn has come."""
    running.gives_way = True
    context.pool.stop(running.spec.part_id, running.spec.attempt, Cause.ASKED)


def _workers(context: Context) -> dict[int, int]:
    """How many workers each shared-out job has."""
    counts: dict[int, int] = {}
    for running in context.running.values():
        if running.part is not None:
            counts[running.job.id] = counts.get(running.job.id, 0) + 1
    return counts


def candidates(context: Context) -> list[Job]:
    """The jobs that run and have parts without a worker, those first that have the fewest workers."""
    counts = _workers(context)
    found = [context.ledger.find(number) for number in sorted(counts, key=lambda number: (counts[number], number))]
    return [job for job in found if job and _goes_on(context, job) and context.ledger.waiting_parts(job)]


def waiting(context: Context) -> int:
    """How many further parts of the jobs that run have no worker."""
    return sum(context.ledger.waiting_parts(job) for job in candidates(context))


def _goes_on(context: Context, job: Job) -> bool:
    if job.state is not State.RUNNING or job.cause == Cause.CANCELLED:
        return False
    return context.inbox is None or not whereabouts.is_away(context, job)

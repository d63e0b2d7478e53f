"""Which worker takes a part, and which are no longer needed: decisions over the seats of a pool, without side effects.

The pool calls these with its lock held.
"""

from __future__ import annotations

from collections.abc import Sequence

from sttd.part import ModelSpec, serves
from sttd.pool.seat import Seat

UNWANTED = 30.0  # seconds; a short pause, as between two parts, must not cost a worker its place in a cluster's queue


def present(seats: Sequence[Seat]) -> list[Seat]:
    """The workers that were not told to exit."""
    return [seat for seat in seats if not seat.leaving]


def free(seats: Sequence[Seat], limit: int) -> int:
    """How many parts may start now."""
    return max(0, limit - sum(seat.part is not None for seat in seats))


def warm(seats: Sequence[Seat], model: ModelSpec) -> Seat | None:
    """The idle worker with the model that worked last, so that the others can reach their idle limit and end."""
    able = [seat for seat in seats if seat.idle and seat.loaded and serves(seat.loaded, model)]
    return max(able, key=lambda seat: seat.idle_since, default=None)


def surplus(seats: Sequence[Seat], limit: int) -> list[Seat]:
    """The idle workers in excess of `limit`; those that worked last are kept."""
    idle = sorted((seat for seat in seats if seat.idle), key=lambda seat: seat.idle_since)
    return idle[: max(0, len(present(seats)) - limit)]


def expired(seats: Sequence[Seat], now: float, idle_ttl: float) -> list[Seat]:
    """The workers that have been idle for `idle_ttl` seconds."""
    return [seat for seat in seats if seat.idle and now - seat.idle_since >= idle_ttl]


def pending(seats: Sequence[Seat]) -> list[Seat]:
    """The workers that were hired and have not answered yet, in the order of hiring."""
    return [seat for seat in present(seats) if not seat.ready]


def unwanted(seats: Sequence[Seat], limit: int, now: float) -> list[Seat]:
    """The pending workers to give up: not wanted for `UNWANTED` seconds, hired by outdated terms, or in excess of `limit`."""
    waiting = pending(seats)
    kept = waiting[: max(0, len(waiting) - max(0, len(present(seats)) - limit))]
    return [seat for seat in waiting if seat not in kept or seat.outdated or now - seat.wanted_at >= UNWANTED]


def worn(seat: Seat, seats: Sequence[Seat], limit: int, jobs_per_worker: int) -> bool:
    """Whether a worker that has just become idle is to exit: it is worn, surplus, or was hired by outdated terms."""
    if seat.source.ahead:  # there a process behind the worker wears out, and the far side replaces it
        return seat.outdated or len(present(seats)) > limit
    return seat.spoilt or seat.jobs >= jobs_per_worker or len(present(seats)) > limit


def next_number(seats: Sequence[Seat]) -> int:
    """The lowest number that is free."""
    taken = {seat.number for seat in present(seats)}
    return next(each for each in range(len(taken) + 1) if each not in taken)

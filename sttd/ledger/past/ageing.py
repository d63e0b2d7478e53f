"""Thins records with age: all records of a span become one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from sttd.ledger.past.records import DAY, HOUR, MINUTE, Sample, Sum

R = TypeVar("R", Sample, Sum)

# records of the first length (seconds) that are older than the second are joined to ones of the third
AGES: tuple[tuple[int, int, int], ...] = ((MINUTE, 2 * DAY, 600), (600, 14 * DAY, HOUR), (HOUR, 400 * DAY, DAY))


def border(now: float, age: int, span: int) -> int:
    """The time (UTC seconds) before which records are joined to ones of `span` seconds; a multiple of `span`."""
    return int(now - age) // span * span


def thinned(records: Iterable[R], span: int) -> list[R]:
    """One record for each span that has any, in order."""
    found: dict[int, R] = {}
    for record in records:
        slot = record.start // span * span
        widened = replace(record, start=slot, seconds=span)
        found[slot] = found[slot].joined(widened) if slot in found else widened
    return [found[slot] for slot in sorted(found)]

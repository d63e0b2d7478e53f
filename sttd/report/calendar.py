"""Spans of the clock and the calendar: where bars begin, and where an axis has its marks. Pure.

A zone is a `tzinfo`; None: the one of this machine. Times are UTC seconds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

_MINUTE, _HOUR, _DAY = 60, 3600, 86400  # seconds


@dataclass(frozen=True, slots=True)
class Step:
    """From one instant to the next: some minutes, hours, days, months or years."""

    count: int
    unit: str
    seconds: float  # how long it is, about

    @property
    def is_of_days(self) -> bool:
        """Whether each begins at midnight."""
        return self.seconds >= _DAY


STEPS = (
    *(Step(count, "minute", count * _MINUTE) for count in (1, 2, 5, 10, 15, 30)),
    *(Step(count, "hour", count * _HOUR) for count in (1, 2, 3, 6, 12)),
    *(Step(count, "day", count * _DAY) for count in (1, 2, 7, 14)),
    *(Step(count, "month", count * 30.44 * _DAY) for count in (1, 3, 6)),
    *(Step(count, "year", count * 365.25 * _DAY) for count in (1, 2, 5, 10, 20)),
)


def step(seconds: float, most: int) -> Step:
    """The shortest step of which at most `most` make up a span."""
    return next((each for each in STEPS if seconds <= each.seconds * (most - 1)), STEPS[-1])


def instants(since: float, until: float, step: Step, zone: dt.tzinfo | None) -> list[float]:
    """The instants of a step from the last one that is not after `since` to the first one that is not before `until`."""
    found: list[float] = []
    for instant in _from(since, step, zone):
        found.append(instant)
        if instant >= until and len(found) > 1:
            break
    return found


def _from(since: float, step: Step, zone: dt.tzinfo | None) -> Iterator[float]:
    if not step.is_of_days:
        size = round(step.seconds)
        shift = round(offset(since, zone))
        first = (int(since // 1) + shift) // size * size - shift
        while True:
            yield float(first)
            first += size
    number = _number(local(since, zone).date(), step)
    number -= number % step.count
    while True:
        yield midnight(_date(number, step), zone)
        number += step.count


def _number(day: dt.date, step: Step) -> int:
    """Of the day, month or year that a date is in; day 0 is a Monday."""
    return {"day": day.toordinal() - 1, "month": day.year * 12 + day.month - 1, "year": day.year}[step.unit]


def _date(number: int, step: Step) -> dt.date:
    if step.unit == "day":
        return dt.date.fromordinal(number + 1)
    return dt.date(number // 12, number % 12 + 1, 1) if step.unit == "month" else dt.date(number, 1, 1)


def midnight(day: dt.date, zone: dt.tzinfo | None) -> float:
    """When a day begins; if the clock goes forward at midnight, the first time that the day has."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def local(utc: float, zone: dt.tzinfo | None) -> dt.datetime:
    """The time that the clock shows in a zone."""
    return dt.datetime.fromtimestamp(utc, zone)


def offset(utc: float, zone: dt.tzinfo | None) -> float:
    """Seconds that the clock is ahead of UTC."""
    found = local(utc, zone).astimezone(zone).utcoffset()
    return 0.0 if found is None else found.total_seconds()


def zone_name(utc: float, zone: dt.tzinfo | None) -> str:
    """`UTC+07:00`."""
    minutes = round(offset(utc, zone) / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"

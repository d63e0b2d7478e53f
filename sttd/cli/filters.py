"""The filters of `sttd jobs`, as they are typed."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence

import click

from sttd.job import State
from sttd.units import parse_duration
from sttd.view import figures


def states(_context: click.Context, _parameter: click.Parameter, value: Sequence[str]) -> tuple[State, ...]:
    """One or more states; several in one word have commas between them."""
    names = [str(state) for state in State]
    words = [word.strip() for each in value for word in each.split(",")]
    for word in words:
        if word not in names:
            raise click.BadParameter(f"{word!r} is not one of {', '.join(names)}")
    return tuple(dict.fromkeys(state for word in words for state in figures.states(word)))


def complete_states(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{state}" for state in State if state.startswith(last)]


def since(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """A time that is past, in UTC seconds."""
    try:
        return None if value is None else moment(value, time.time())
    except ValueError:
        example = "write 2h, 7d, today, yesterday, 2026-11-27 or '2026-11-27 14:00'"
        raise click.BadParameter(f"{value!r} is no time: {example}") from None


def until(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """The end of a time, in UTC seconds: that of the day where a day is named."""
    found = since(_context, _parameter, value)
    if found is None or value is None or not is_day(value):
        return found
    try:  # a day has 23 or 25 hours where clocks are changed: naive times, which know the local zone's rules
        begins = dt.datetime.fromtimestamp(found).astimezone().replace(tzinfo=None)
        return (begins + dt.timedelta(days=1)).timestamp()
    except (ValueError, OverflowError):  # the last day of the calendar: there is nothing behind it
        return None


def language(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Whisper's code of a language."""
    from sttd.configfile.languages import nearest
    from sttd.languages import language_of

    code = None if value is None else language_of(value)
    if value is not None and code is None:
        raise click.BadParameter(f"{value!r} is no language that Whisper knows{nearest(value)}")
    return code


def is_day(text: str) -> bool:
    """Whether it names a day, without a time in it."""
    try:
        return text.strip().lower() in ("today", "yesterday") or bool(dt.date.fromisoformat(text.strip()))
    except ValueError:
        return False


def moment(text: str, now: float) -> float:
    """UTC seconds of `2h` (ago), `today`, `yesterday`, or a date with or without a time of day in the local zone.

    Raises:
        ValueError: it is none of these.
    """
    word = text.strip().lower()
    days = {"today": 0, "yesterday": 1}
    if word in days:
        today = dt.datetime.fromtimestamp(now).astimezone().replace(tzinfo=None)
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - dt.timedelta(days=days[word])).timestamp()
    try:
        return dt.datetime.fromisoformat(text.strip()).timestamp()  # not by astimezone(), see web/pages/narrowing.py
    except (ValueError, OverflowError):
        return now - parse_duration(text.removesuffix(" ago"))

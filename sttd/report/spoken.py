"""Times, durations and numbers of a report in words, as short as is still clear. Pure."""

from __future__ import annotations

import datetime as dt

from sttd.phrases import THAI, Words
from sttd.report.calendar import Step, local

_BUDDHIST = 543  # years that Thailand's calendar is ahead


def month(words: Words, number: int) -> str:
    names = (
        words("Jan"), words("Feb"), words("Mar"), words("Apr"), words("May"), words("Jun"), words("Jul"), words("Aug"),
        words("Sep"), words("Oct"), words("Nov"), words("Dec"),
    )  # fmt: skip
    return names[number - 1]


def year(words: Words, number: int) -> str:
    return str(number + (_BUDDHIST if words.language == THAI else 0))


def day(words: Words, when: dt.datetime) -> str:
    return words("{month} {day}", month=month(words, when.month), day=when.day)


def date(words: Words, when: dt.datetime) -> str:
    return words("{day}, {year}", day=day(words, when), year=year(words, when.year))


def moment(words: Words, utc: float, zone: dt.tzinfo | None) -> str:
    """With date and time of day."""
    when = local(utc, zone)
    return f"{date(words, when)}, {when:%H:%M}"


def mark(words: Words, utc: float, step: Step, zone: dt.tzinfo | None) -> str:
    """The name of a mark on a time axis with marks a step apart: only what differs from its neighbours."""
    when = local(utc, zone)
    if step.unit == "year" or (step.unit == "month" and when.month == 1):
        return year(words, when.year)
    if step.unit == "month":
        return month(words, when.month)
    if step.is_of_days or (when.hour, when.minute) == (0, 0):
        return day(words, when)
    return f"{when:%H:%M}"


def span(words: Words, start: float, step: Step, zone: dt.tzinfo | None) -> str:
    """The name of a bar: when it begins."""
    when = local(start, zone)
    if step.is_of_days:
        return date(words, when)
    return f"{day(words, when)}, {when:%H:%M}"


def duration(words: Words, seconds: float | None) -> str:
    """About two significant digits."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return words("{n} s", n=f"{seconds:.1f}".removesuffix(".0"))
    if seconds < 59.5:
        return words("{n} s", n=round(seconds))
    if seconds < 59.5 * 60:
        return words("{n} min", n=_short(seconds / 60))
    if seconds < 47.5 * 3600:
        return words("{n} h", n=_short(seconds / 3600))
    return words("{n} d", n=_short(seconds / 86400))


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"


def number(value: float) -> str:
    """A count, or a figure with as many decimals as matter: `12,000`, `3.5`, `0.04`."""
    if value == round(value):
        return f"{round(value):,}"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} %"

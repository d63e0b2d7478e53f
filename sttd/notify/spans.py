"""Since when work is held up, and since when memory is critical: spans of time, each told once at its begin and its end. Pure.

A trouble that is over within a minute is told to nobody, as is a calm of less than a minute: a daemon is restarted, a share is
away for a moment, and each next try of a job clears and begins its trouble again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sttd.notify.notice import Notice
from sttd.units import format_duration

PATIENCE = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Spans:
    """As they are now; times are UTC seconds. It is stored: the end of a trouble is told by a later process, too."""

    since: float | None = None  # the trouble's begin
    told: bool = False  # somebody was told of it
    calm: float | None = None  # since when nothing was wrong, in a trouble that was told
    critical: float | None = None  # the begin of critical memory


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at the daemon found."""

    reasons: Sequence[str]  # why work is held up; none: it is not
    memory: str | None  # the level
    percent: float | None


def step(spans: Spans, sight: Sight, now: float) -> tuple[Spans, list[Notice]]:
    """The spans behind a look, and what is to be told."""
    spans, held = _held(_behind_the_clock(spans, now), sight, now)
    spans, memory = _memory(spans, sight, now)
    return spans, held + memory


def _behind_the_clock(spans: Spans, now: float) -> Spans:
    """A clock that was set back must not make a minute last for a year."""
    since = None if spans.since is None else min(spans.since, now)
    return replace(spans, since=since, calm=None if spans.calm is None else min(spans.calm, now))


def _held(spans: Spans, sight: Sight, now: float) -> tuple[Spans, list[Notice]]:
    if sight.reasons:
        since = now if spans.since is None else spans.since
        spans = replace(spans, since=since, calm=None)
        if spans.told or now - since < PATIENCE:
            return spans, []
        text = "work is held up: " + "; ".join(sight.reasons)
        word = f"held-up-{round(since * 1000)}"
        return replace(spans, told=True), [Notice(word, "held-up", since, text, {"reasons": list(sight.reasons)})]
    if spans.since is None or not spans.told:
        return replace(spans, since=None), []
    calm = now if spans.calm is None else spans.calm
    if now - calm < PATIENCE:
        return replace(spans, calm=calm), []
    seconds = max(0, round(calm - spans.since))
    notice = Notice(
        f"back-{round(spans.since * 1000)}",
        "back",
        calm,
        f"sttd works again, after {format_duration(seconds)}",
        {"since": spans.since, "seconds": seconds},
    )
    return replace(spans, since=None, told=False, calm=None), [notice]


def _memory(spans: Spans, sight: Sight, now: float) -> tuple[Spans, list[Notice]]:
    if sight.memory != "critical":
        return replace(spans, critical=None), []
    if spans.critical is not None:
        return spans, []
    used = "" if sight.percent is None else f": {sight.percent:.1f} % are used"
    text = f"memory is critical{used}; a worker is asked to stop, its recording goes on later"
    notice = Notice(f"memory-{round(now * 1000)}", "memory-critical", now, text, {"percent": sight.percent})
    return replace(spans, critical=now), [notice]

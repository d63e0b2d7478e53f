"""Since when work is held up, and since when memory is critical. The first has a notice at its begin and its end, the second
at its begin. Pure.

A trouble of less than a minute has no notice, and a calm of less than a minute does not end one: a daemon is restarted, a share
is away for a moment, and each new try of a job clears its trouble and sets it again. While a trouble with a notice lasts, another
trouble has none, unless the daemon ends or hangs: the first one may have held up a single recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sttd.notify.notice import Notice
from sttd.units import format_duration

PATIENCE = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans as they are now; times are UTC seconds. They are stored, so that a restarted notifier reports the end too."""

    since: float | None = None  # when the trouble began
    told: bool = False  # somebody was told of it
    calm: float | None = None  # since when nothing was wrong, in a trouble that was told
    critical: float | None = None  # since when memory is critical
    down: float | None = None  # since when the daemon does not run, or hangs
    down_told: bool = False  # somebody was told of that


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at the daemon found."""

    reasons: Sequence[str]  # why work is held up; none: it is not
    memory: str | None  # the level
    percent: float | None
    works: bool = True  # the daemon runs, and does not hang


def step(spans: Spans, sight: Sight, now: float) -> tuple[Spans, list[Notice]]:
    """The spans after a look, and its notices."""
    spans, held = _held(_behind_the_clock(spans, now), sight, now)
    spans, memory = _memory(spans, sight, now)
    return spans, held + memory


def _behind_the_clock(spans: Spans, now: float) -> Spans:
    """No time is later than now: after the clock was set back, a minute of patience could otherwise last for a year."""
    since, calm, down = (None if at is None else min(at, now) for at in (spans.since, spans.calm, spans.down))
    return replace(spans, since=since, calm=calm, down=down)


def _held(spans: Spans, sight: Sight, now: float) -> tuple[Spans, list[Notice]]:
    if not sight.reasons:
        return _over(spans, now)
    since = now if spans.since is None else spans.since
    down = None if sight.works else now if spans.down is None else spans.down
    spans = replace(spans, since=since, calm=None, down=down, down_told=spans.down_told and not sight.works)
    kind, begun = ("held-up", since) if down is None or not spans.told else ("down", down)
    if (spans.told and (down is None or spans.down_told)) or now - (begun if down is None else down) < PATIENCE:
        return spans, []
    text = "work is held up: " + "; ".join(sight.reasons)
    notice = Notice(f"{kind}-{round(begun * 1000)}", "held-up", begun, text, {"reasons": list(sight.reasons)})
    return replace(spans, told=True, down_told=not sight.works), [notice]


def _over(spans: Spans, now: float) -> tuple[Spans, list[Notice]]:
    spans = replace(spans, down=None, down_told=False)
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

"""Durations and sizes as systemd writes them. Checked against `systemd-analyze timespan`; see systemd.time(7)."""

from __future__ import annotations

import math
import re

# systemd.time(7), PARSING TIME SPANS; a month is 30.44 days and a year 365.25 days
_SECONDS: dict[str, float] = {}
for _names, _seconds in (
    ("us usec µs μs", 1e-6),
    ("ms msec", 1e-3),
    ("s sec second seconds", 1.0),
    ("m min minute minutes", 60.0),
    ("h hr hour hours", 3600.0),
    ("d day days", 86400.0),
    ("w week weeks", 604800.0),
    ("M month months", 2629800.0),
    ("y year years", 31557600.0),
):
    _SECONDS.update(dict.fromkeys(_names.split(), _seconds))

_SPAN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)\s*([A-Za-zµμ]*)")


def parse_duration(text: str) -> float:
    """Seconds in a systemd time span: `30min`, `1min 30s`, `90`, `infinity`.

    Raises:
        ValueError: the text is no time span; the message says what one looks like.
    """
    if text.strip() == "infinity":
        return float("inf")
    position, seconds = 0, 0.0
    while position < len(text.rstrip()):
        match = _SPAN.match(text, position)
        if match is None or (match[2] and match[2] not in _SECONDS):
            raise ValueError(f"{text!r} is not a duration; write for example 30s, 5min or 1h 30min")
        seconds += float(match[1]) * _SECONDS.get(match[2], 1.0)
        position = match.end()
    if position == 0:
        raise ValueError("a duration is missing; write for example 30s, 5min or 1h 30min")
    return seconds


def format_duration(seconds: float) -> str:
    """A time span as systemd would write it: 90 -> `1min 30s`, 0.5 -> `500ms`. `parse_duration` reads it back."""
    if seconds == float("inf"):
        return "infinity"
    rest, words = round(seconds * 1e6), []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        count, rest = divmod(rest, round(size * 1e6))
        if count:
            words.append(f"{count}{name}")
    return " ".join(words) or "0s"


def spoken_duration(seconds: float) -> str:
    """Whole minutes as `5 minutes`, anything else as `3 seconds`: the form of the log lines people search for."""
    if seconds >= 60 and seconds % 60 == 0:
        count, unit = seconds / 60, "minute"
    else:
        count, unit = seconds, "second"
    return f"{count:g} {unit}" + ("" if count == 1 else "s")


_BYTES = {"": 1, "B": 1, **{unit: 1024**power for power, unit in enumerate("KMGTPE", 1)}}
_SIZE = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,6})?)\s*([BKMGTPE]?)\s*")


def parse_size(text: str) -> float:
    """Bytes in a size as in systemd's `MemoryMax=` (systemd.resource-control(5)): `200G`, `512M`, `infinity`. K is 1024.

    Raises:
        ValueError: the text is no size; the message says what one looks like.
    """
    if text.strip() == "infinity":
        return float("inf")
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size; write for example 512M, 200G or infinity")
    return float(round(float(match[1]) * _BYTES[match[2]]))


def format_size(size: float) -> str:
    """A size in the largest unit in which it is a whole number. `parse_size` reads it back."""
    if size == float("inf"):
        return "infinity"
    count, unit = round(size), ""
    for larger in "KMGTPE":
        if count == 0 or count % 1024:
            break
        count, unit = count // 1024, larger
    return f"{count}{unit}"


def clock(seconds: float | None) -> str:
    """Audio time as a player shows it: `0:07`, `1:02:03`; `-` where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

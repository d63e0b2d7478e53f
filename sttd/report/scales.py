"""From values to places in a chart, and the values that an axis names. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

# durations that an axis names, in seconds
ROUND = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400, 2 * 86400, 5 * 86400, 10 * 86400,
         30 * 86400, 100 * 86400, 365 * 86400, 1000 * 86400)  # fmt: skip

_NOTHING = 1e-9  # smaller values count as 0


@dataclass(frozen=True, slots=True)
class Linear:
    """`low` to `high` becomes `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """`low` to `high` becomes `start` to `end`, where equal factors are equal distances; `low` > 0."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = math.log(self.high / self.low)
        share = math.log(min(self.high, max(self.low, value)) / self.low) / span
        return self.start + share * (self.end - self.start)


def ticks(top: float, most: int = 5, *, whole: bool = False) -> list[float]:
    """Round values from 0 to the first one that is not below `top`, in at most `most` steps.

    Args:
        top: the highest value that is shown.
        most: steps.
        whole: the values are counts, without fractions.
    """
    if top < _NOTHING:
        return [0.0, 1.0]
    unit = 10.0 ** math.floor(math.log10(top / most))
    width = next(unit * factor for factor in (1, 2, 5, 10, 20) if unit * factor * most >= top * (1 - 1e-12))
    if whole:
        width = max(1.0, width)
    count = max(1, math.ceil(top / width - 1e-9))
    return [round(number * width, 12) for number in range(count + 1)]


def durations(low: float, high: float, most: int = 6) -> list[float]:
    """Round durations for a logarithmic axis from `low` to `high`: at least two.

    The first is not above `low` and the last not below `high`, as far as `ROUND` goes. Those between keep a distance of a
    `most`-th of the axis.
    """
    first = max((index for index, each in enumerate(ROUND) if each <= low), default=0)
    last = min((index for index, each in enumerate(ROUND) if each >= high), default=len(ROUND) - 1)
    if first >= last:
        first, last = (last - 1, last) if last else (0, 1)
    apart = math.log(ROUND[last] / ROUND[first]) / most
    found = [float(ROUND[last])]
    for each in reversed(ROUND[first + 1 : last]):
        if math.log(found[-1] / each) >= apart and math.log(each / ROUND[first]) >= apart:
            found.append(float(each))
    return [float(ROUND[first]), *reversed(found)]

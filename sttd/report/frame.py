"""The frame of a chart: its scales, axes and grid. A chart is drawn for a wide screen and for a phone's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sttd.phrases import Words
from sttd.report import spoken
from sttd.report.calendar import instants, step
from sttd.report.figures import Figures
from sttd.report.markup import Markup, join, tag
from sttd.report.scales import Linear, Logarithmic

Scale = Linear | Logarithmic
HATCH = 6  # units between the lines of a hatched bar


@dataclass(frozen=True, slots=True)
class Size:
    """In units of a chart, which are pixels if the chart is shown at this width."""

    name: str
    width: float
    height: float
    marks: int  # of the time axis, at most


WIDE = Size("wide", 560, 240, 6)
NARROW = Size("narrow", 330, 220, 4)
LEFT, RIGHT, TOP, BOTTOM = 52.0, 10.0, 10.0, 26.0  # margins for what stands beside the axes


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the parts of a chart are."""

    key: str  # of the chart, for names within it
    size: Size
    figures: Figures
    words: Words
    zone: dt.tzinfo | None
    left: float = LEFT

    @property
    def right(self) -> float:
        return self.size.width - RIGHT

    @property
    def bottom(self) -> float:
        return self.size.height - BOTTOM

    @property
    def uid(self) -> str:
        return f"{self.key}-{self.size.name}"

    @property
    def x(self) -> Linear:
        spans = self.figures.spans
        return Linear(spans[0].start, spans[-1].end, self.left, self.right)

    def places(self) -> list[tuple[float, float]]:
        """The left edge and the width of each span, with a gap between two."""
        x = self.x
        gap = min(2.0, 0.2 * (self.right - self.left) / len(self.figures.spans))
        return [(x(each.start) + gap / 2, max(0.5, x(each.end) - x(each.start) - gap)) for each in self.figures.spans]

    def vertical(self, scale: Callable[..., Scale], low: float, high: float) -> Scale:
        """A scale from bottom to top."""
        return scale(low, high, self.bottom, TOP)

    def svg(self, label: str, *content: str) -> Markup:
        """The chart. `label`: the same in words, for screen readers."""
        return tag(
            "svg",
            *content,
            class_=self.size.name,
            viewBox=f"0 0 {self.size.width:g} {self.size.height:g}",
            role="img",
            aria_label=label,
        )

    def hatch(self) -> Markup:
        """The pattern that `fill` calls `url(#…-hatch)`: hatched bars differ from others without colour too."""
        lines = join(
            tag("rect", class_="hatch-ground", width=HATCH, height=HATCH),
            tag("rect", class_="hatch-line", width=HATCH / 2.4, height=HATCH),
        )
        pattern = tag("pattern", lines, id=f"{self.uid}-hatch", width=HATCH, height=HATCH, patternUnits="userSpaceOnUse",
                      patternTransform="rotate(45)")  # fmt: skip
        return tag("defs", pattern)

    def grid(self, scale: Scale, values: Sequence[float], name: Callable[[float], str]) -> Markup:
        """Lines across at round values, each with its name at the left."""
        lines = [
            join(
                tag("line", class_="grid", x1=self.left, x2=self.right, y1=scale(value), y2=scale(value)),
                tag("text", name(value), class_="tick", x=self.left - 6, y=scale(value) + 4, text_anchor="end"),
            )
            for value in values
        ]
        return join(*lines)

    def times(self) -> Markup:
        """The time axis below."""
        spans, x = self.figures.spans, self.x
        since, until = spans[0].start, spans[-1].end
        apart = step(until - since, self.size.marks + 1)
        drawn = [tag("line", class_="axis", x1=self.left, x2=self.right, y1=self.bottom, y2=self.bottom)]
        for instant in instants(since, until, apart, self.zone):
            if not since <= instant <= until:
                continue
            at, name = x(instant), spoken.mark(self.words, instant, apart, self.zone)
            drawn.append(tag("line", class_="axis", x1=at, x2=at, y1=self.bottom, y2=self.bottom + 4))
            anchor = "end" if at > self.right - 24 else "start" if at < self.left + 18 else "middle"
            drawn.append(tag("text", name, class_="tick", x=at, y=self.bottom + 18, text_anchor=anchor))
        return join(*drawn)

    def tips(self, names: Sequence[str]) -> Markup:
        """A name for each span, shown where a mouse rests."""
        height = self.bottom - TOP
        return join(
            *(
                tag("rect", tag("title", name), class_="tip", x=at, y=TOP, width=width, height=height)
                for (at, width), name in zip(self.places(), names, strict=True)
            )
        )

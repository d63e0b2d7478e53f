"""The charts of a report. What each one shows is also there in words and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sttd.job import State
from sttd.phrases import Words
from sttd.report import spoken
from sttd.report.figures import HIGH, MEDIAN, Figures, Span, wait
from sttd.report.frame import Frame
from sttd.report.markup import Markup, join, tag
from sttd.report.scales import Linear, Logarithmic, durations, ticks


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn, what it is called, and its figures span by span."""

    key: str
    title: str
    unit: str  # of its vertical axis
    legend: Sequence[tuple[str, str]]  # a class of CSS, and what is drawn in it
    draw: Callable[[Frame], Markup]
    label: str  # the whole in a sentence
    columns: Sequence[str]
    row: Callable[[Span], Sequence[str]]
    left: float = 52.0  # units that the names of its vertical axis take


def charts(figures: Figures, words: Words) -> list[Chart]:
    """All of them, in their order."""
    makers = (recordings, waiting, audio, queue, memory, troubles)
    return [make(figures, words) for make in makers]


def _gone(span: Span) -> int:
    return span.jobs.ended[State.CANCELLED] + span.jobs.ended[State.VANISHED]


def recordings(figures: Figures, words: Words) -> Chart:
    """What became of them, as stacked bars."""
    names = words("done"), words("failed"), words("cancelled or gone")

    def counts(span: Span) -> tuple[int, int, int]:
        return span.jobs.ended[State.DONE], span.jobs.ended[State.FAILED], _gone(span)

    def draw(frame: Frame) -> Markup:
        steps = ticks(max(map(sum, map(counts, figures.spans))), whole=True)
        y = frame.vertical(Linear, 0.0, steps[-1])
        drawn = [frame.hatch(), frame.grid(y, steps, spoken.number)]
        for (at, width), span in zip(frame.places(), figures.spans, strict=True):
            base = 0
            for kind, count in zip(("done", "failed", "gone"), counts(span), strict=True):
                if count:
                    fill = f"url(#{frame.uid}-hatch)" if kind == "failed" else None
                    drawn.append(_bar(at, width, y(base), y(base + count), f"bar {kind}", fill=fill))
                base += count
        return join(*drawn)

    whole = figures.jobs.ended
    said = (
        f"{names[0]} {spoken.number(whole[State.DONE])}, {names[1]} {spoken.number(whole[State.FAILED])}, "
        f"{names[2]} {spoken.number(whole[State.CANCELLED] + whole[State.VANISHED])}"
    )
    return Chart(
        "recordings", words("Recordings that ended"), words("recordings"),
        tuple(zip(("done", "failed", "gone"), names, strict=True)), draw, said, names,
        lambda span: [*map(spoken.number, counts(span))],
    )  # fmt: skip


def waiting(figures: Figures, words: Words) -> Chart:
    """Time from arrival to transcript: its median and its 95th percentile."""
    found = [(wait(span.jobs, MEDIAN), wait(span.jobs, HIGH)) for span in figures.spans]
    known = [each for pair in found for each in pair if each is not None]

    def draw(frame: Frame) -> Markup:
        steps = durations(min(known, default=1.0), max(known, default=60.0))
        y = frame.vertical(Logarithmic, steps[0], steps[-1])
        drawn = [frame.grid(y, steps, lambda value: spoken.duration(words, value))]
        for (at, width), (half, most) in zip(frame.places(), found, strict=True):
            if half is not None and most is not None:
                drawn.append(_stem(at + width / 2, y(half), y(most)))
        return join(*drawn)

    names = words("half of them took no longer (median)"), words("95 of 100 took no longer (95th percentile)")
    whole = [spoken.duration(words, wait(figures.jobs, share)) for share in (MEDIAN, HIGH)]
    return Chart(
        "waiting", words("Waiting time, from arrival to transcript"), words("time, logarithmic"),
        (("median", names[0]), ("high", names[1])), draw, words("median {half}, 95th percentile {most}", half=whole[0], most=whole[1]),
        (words("median"), words("95th percentile")),
        lambda span: [spoken.duration(words, wait(span.jobs, share)) for share in (MEDIAN, HIGH)],
    )  # fmt: skip


def audio(figures: Figures, words: Words) -> Chart:
    """How much was transcribed."""
    name = words("hours of audio an hour")

    def draw(frame: Frame) -> Markup:
        return _bars(frame, [span.audio_rate for span in figures.spans], "bar audio", whole=False)

    said = words("{n} hours of audio an hour on average", n=spoken.number(figures.audio_rate))
    return Chart(
        "audio", words("Audio that was transcribed"), name, (), draw, said,
        (words("hours of audio"), name),
        lambda span: [spoken.number(span.jobs.audio / 3600), spoken.number(span.audio_rate)],
    )  # fmt: skip


def queue(figures: Figures, words: Words) -> Chart:
    """How many waited."""
    values = [None if span.daemon is None else span.daemon.queued for span in figures.spans]
    most = max((each for each in values if each is not None), default=0)

    def draw(frame: Frame) -> Markup:
        return _bars(frame, [float(each or 0) for each in values], "bar queue", whole=True)

    return Chart(
        "queue", words("Recordings that waited in the queue"), words("recordings at most"), (), draw,
        words("{n} at most", n=spoken.number(most)), (words("recordings at most"),),
        lambda span: ["–" if span.daemon is None else spoken.number(span.daemon.queued)],
    )  # fmt: skip


def memory(figures: Figures, words: Words) -> Chart:
    """The least and the most that was used, against the three levels."""
    levels = figures.levels
    lines = (
        ("moderate", words("moderate"), levels.moderate), ("high-level", words("high"), levels.high),
        ("critical", words("critical"), levels.critical),
    )  # fmt: skip

    def draw(frame: Frame) -> Markup:
        y = frame.vertical(Linear, 0.0, 100.0)
        drawn = [frame.grid(y, (0, 25, 50, 75, 100), lambda value: f"{value:.0f} %")]
        for (at, width), span in zip(frame.places(), figures.spans, strict=True):
            low, high = _memory(span)
            if low is not None and high is not None:
                drawn.append(_bar(at, width, y(low), y(high), "bar memory"))
        for kind, _, value in lines:
            drawn.append(tag("line", class_=f"level {kind}", x1=frame.left, x2=frame.right, y1=y(value), y2=y(value)))
        return join(*drawn)

    legend = [(f"level {kind}", f"{name} {value:g} %") for kind, name, value in lines]
    used = words("least and most that was used")
    return Chart(
        "memory", words("Memory"), words("of what sttd may use"), (("memory", used), *legend), draw,
        words("{percent} at most", percent=spoken.percent(figures.memory_high)),
        (words("least"), words("most"), words("level")),
        lambda span: [*map(spoken.percent, _memory(span)), "–" if span.daemon is None else level(words, span.daemon.level)],
    )  # fmt: skip


def _memory(span: Span) -> tuple[float | None, float | None]:
    return (None, None) if span.daemon is None else (span.daemon.memory_low, span.daemon.memory_high)


def level(words: Words, number: int) -> str:
    """The name of a level of memory."""
    names = words("normal"), words("moderate"), words("high"), words("critical")
    return names[min(number, len(names) - 1)]


def kinds(words: Words) -> list[tuple[str, Callable[[Span], int]]]:
    """What went wrong, or nearly so: the name of each kind, and how to count it in a span."""
    return [
        (words("loads of the model that took too long"), lambda span: span.load_timeouts),
        (words("recordings done by the fallback model"), lambda span: span.jobs.fallbacks),
        (words("jobs that took too long (job timeouts)"), lambda span: span.jobs.job_timeouts),
        (words("jobs that were resumed"), lambda span: span.resumes),
    ]


def troubles(figures: Figures, words: Words) -> Chart:
    """A row for each kind, all with one scale: when, and how often."""
    found = [(name, [count(span) for span in figures.spans]) for name, count in kinds(words)]
    top = max(1, *(max(values) for _, values in found))

    def draw(frame: Frame) -> Markup:
        height = frame.bottom / len(found)
        drawn: list[str] = []
        for row, (name, values) in enumerate(found):
            base = (row + 1) * height
            y = Linear(0.0, top, base, base - height + 24)
            drawn += [
                tag("text", name, class_="row", x=frame.left, y=base - height + 18),
                tag("text", spoken.number(sum(values)), class_="row sum", x=frame.right, y=base - height + 18, text_anchor="end"),
                tag("line", class_="grid", x1=frame.left, x2=frame.right, y1=base, y2=base),
            ]  # fmt: skip
            places = zip(frame.places(), values, strict=True)
            drawn += [
                _bar(at, max(width, 2.0), y(0), y(value) - 1.5, "bar trouble") for (at, width), value in places if value
            ]
        return join(*drawn)

    return Chart(
        "troubles", words("Timeouts, fallbacks, resumes"), words("how often, in rows of one scale"), (), draw,
        ", ".join(f"{name}: {spoken.number(sum(values))}" for name, values in found), [name for name, _ in found],
        lambda span: [spoken.number(count(span)) for _, count in kinds(words)], left=10.0,
    )  # fmt: skip


def _bars(frame: Frame, values: Sequence[float], kind: str, *, whole: bool) -> Markup:
    steps = ticks(max(values), whole=whole)
    y = frame.vertical(Linear, 0.0, steps[-1])
    places = zip(frame.places(), values, strict=True)
    bars = (_bar(at, width, y(0), y(value), kind) for (at, width), value in places if value)
    return join(frame.grid(y, steps, spoken.number), *bars)


def _bar(at: float, width: float, base: float, top: float, kind: str, *, fill: str | None = None) -> Markup:
    """At least a unit high, so that small values are seen."""
    height = max(1.0, base - top)
    return tag("rect", class_=kind, x=at, y=base - height, width=width, height=height, fill=fill)


def _stem(at: float, median: float, high: float) -> Markup:
    """A line from the median (a disc) up to the 95th percentile (a diamond)."""
    diamond = f"M{at:.2f} {high - 4:.2f}l4 4-4 4-4-4z"
    return join(
        tag("line", class_="stem", x1=at, x2=at, y1=median, y2=high),
        tag("path", class_="high", d=diamond),
        tag("circle", class_="median", cx=at, cy=median, r=3.0),
    )

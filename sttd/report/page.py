"""The report as HTML: the content of a page, and a whole file, which has no script and loads nothing."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path

from sttd import __version__
from sttd.job import State
from sttd.phrases import Words, words as load
from sttd.report import spoken
from sttd.report.charts import Chart, charts
from sttd.report.figures import HIGH, MEDIAN, Figures, Span, wait
from sttd.report.frame import NARROW, WIDE, Frame
from sttd.report.markup import Markup, join, tag

_FOLDER = Path(__file__).parent


@functools.cache
def style(name: str = "report.css") -> str:
    """How the content looks; `file.css` has what a file needs beside it."""
    return (_FOLDER / name).read_text("utf-8")


def words_of(language: str) -> Words:
    """The words of a report in one of the languages of `phrases.OFFERED`."""
    return load(_FOLDER / "words", language)


def content(figures: Figures, words: Words, zone: dt.tzinfo | None = None) -> Markup:
    """What stands on the page below its heading."""
    if figures.is_empty:
        return tag("p", words("Nothing was transcribed in this time."), class_="nothing")
    found = [_card(chart, figures, words, zone) for chart in charts(figures, words)]
    return join(_numbers(figures, words), tag("div", *found, class_="charts"))


def period(figures: Figures, words: Words, zone: dt.tzinfo | None = None) -> str:
    """The period that the report covers."""
    first, last = (spoken.moment(words, each, zone) for each in (figures.since, figures.until))
    return f"{first} – {last} ({figures.zone})"


def document(figures: Figures, words: Words, zone: dt.tzinfo | None = None, drawn: Markup | None = None) -> str:
    """A file of its own. `drawn`: its `content`, if that is made already."""
    title = words("Report of sttd")
    head = join(
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        tag("title", f"{title}: {period(figures, words, zone)}"),
        Markup(f"<style>{style('file.css')}{style()}</style>"),
    )
    made = words("Made by sttd {version} on {day}", version=__version__, day=spoken.moment(words, figures.until, zone))
    body = tag(
        "body",
        tag("header", tag("h1", title), tag("p", period(figures, words, zone), class_="period")),
        tag("main", tag("div", drawn or content(figures, words, zone), class_="report")),
        tag("footer", tag("p", made)),
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), body, lang=words.language)}\n"


def _numbers(figures: Figures, words: Words) -> Markup:
    """What matters most, as figures."""
    jobs = figures.jobs
    found = [
        (words("done"), spoken.number(jobs.ended[State.DONE])),
        (words("failed"), spoken.number(jobs.ended[State.FAILED])),
        (words("hours of audio"), spoken.number(round(jobs.audio / 3600, 1))),
        (words("hours of audio an hour"), spoken.number(round(figures.audio_rate, 2))),
        (words("median waiting time"), spoken.duration(words, wait(jobs, MEDIAN))),
        (words("waiting time, 95th percentile"), spoken.duration(words, wait(jobs, HIGH))),
    ]
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in found), class_="numbers")


def _card(chart: Chart, figures: Figures, words: Words, zone: dt.tzinfo | None) -> Markup:
    """A chart with its heading, its legend and its table."""
    drawn = []
    names = [f"{spoken.span(words, each.start, figures.step, zone)}: {_joined(chart, each)}" for each in figures.spans]
    for size in (WIDE, NARROW):
        frame = Frame(chart.key, size, figures, words, zone, chart.left)
        label = f"{chart.title}: {chart.label}"
        tips = frame.tips(names) if size is WIDE else ""  # a phone has no mouse
        drawn.append(frame.svg(label, chart.draw(frame), frame.times(), tips))
    marks = [tag("li", tag("span", class_=f"swatch {kind}", aria_hidden="true"), name) for kind, name in chart.legend]
    return tag(
        "section",
        tag("h2", chart.title, id=f"chart-{chart.key}"),
        tag("p", chart.unit, class_="unit"),
        tag("ul", *marks, class_="legend") if marks else None,
        *drawn,
        tag("details", tag("summary", words("As a table")), _table(chart, figures, words, zone)),
        class_="chart",
        aria_labelledby=f"chart-{chart.key}",
    )


def _joined(chart: Chart, span: Span) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(chart.columns, chart.row(span), strict=True))


def _table(chart: Chart, figures: Figures, words: Words, zone: dt.tzinfo | None) -> Markup:
    """Spans in which nothing happened are left out."""
    head = tag("tr", *(tag("th", name, scope="col") for name in (words("from"), *chart.columns)))
    rows = [
        tag(
            "tr",
            tag("th", spoken.span(words, each.start, figures.step, zone), scope="row"),
            *map(_cell, chart.row(each)),
        )
        for each in figures.spans
        if not each.is_empty
    ]
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    return tag(
        "div", table, class_="scroll", tabindex="0", role="group", aria_label=f"{chart.title}: {words('As a table')}"
    )


def _cell(value: str) -> Markup:
    return tag("td", value)

"""The charts, read as the SVG that they are; and the page around them."""

from __future__ import annotations

import ast
import itertools
import re
import xml.etree.ElementTree as ET
import zoneinfo
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from sttd import report
from sttd.job import State
from sttd.ledger.past.records import Sample, Sum, buckets
from sttd.phrases import OFFERED
from sttd.report.charts import charts
from sttd.report.figures import Figures, Levels, Span
from sttd.report.frame import NARROW, TOP, WIDE, Frame
from sttd.report.markup import Markup, tag

BANGKOK = zoneinfo.ZoneInfo("Asia/Bangkok")
HOUR = 3600
NOW = 1_795_000_000 // HOUR * HOUR


class Past:
    """A ledger that knows what happened in each hour."""

    def __init__(self, jobs=None, daemon=None):
        self.jobs, self.daemon = jobs or {}, daemon or {}

    def require_history(self):
        """It is of this version."""

    def ended_between(self, since, until):
        found = Sum(int(since), int(until - since))
        for at, each in self.jobs.items():
            if since <= at < until:
                found = found.joined(each)
        return found

    def sampled_between(self, since, until):
        return next((each for at, each in self.daemon.items() if since <= at < until), None)


def jobs(done=0, failed=0, cancelled=0, *, audio=0.0, waits=(), fallbacks=0, job_timeouts=0):
    ended = Counter({State.DONE: done, State.FAILED: failed, State.CANCELLED: cancelled})
    return Sum(0, 0, ended, audio, audio / 10, fallbacks, job_timeouts, buckets(list(waits)))


def daemon(low=40.0, high=60.0, level=0, queued=0, load_timeouts=0, resumes=0):
    return Sample(0, 60, low, high, level, queued, load_timeouts, resumes)


def day(past: Past) -> Figures:
    return report.build(past, NOW - 24 * HOUR, NOW, Levels(80, 90, 95), BANGKOK)


def drawn(figures, key, size=WIDE, language="en"):
    """A chart as elements."""
    words = report.words_of(language)
    (chart,) = [each for each in charts(figures, words) if each.key == key]
    frame = Frame(chart.key, size, figures, words, BANGKOK, chart.left)
    svg = frame.svg("x", chart.draw(frame), frame.times(), frame.tips(["a & b"] * len(figures.spans)))
    return ET.fromstring(svg)


def bars(svg, kind):
    return [
        {name: float(each.get(name)) for name in ("x", "y", "width", "height")}
        for each in svg.iter("rect")
        if each.get("class") == f"bar {kind}"
    ]


def labels(svg):
    return [each.text for each in svg.iter("text")]


def test_each_recording_is_in_a_bar_of_its_kind():
    """Bars stand on each other, as high as the axis says, in the place of their time."""
    svg = drawn(day(Past({NOW - 3 * HOUR: jobs(6, 3, 1), NOW - 23 * HOUR: jobs(2)})), "recordings")
    (early, late), (failed,), (gone,) = bars(svg, "done"), bars(svg, "failed"), bars(svg, "gone")
    assert labels(svg)[:6] == ["0", "2", "4", "6", "8", "10"]
    unit = early["height"] / 2
    assert late["height"] == pytest.approx(6 * unit, abs=0.1)
    assert failed["height"] == pytest.approx(3 * unit, abs=0.1)
    assert gone["height"] == pytest.approx(unit, abs=0.1)
    assert failed["y"] + failed["height"] == pytest.approx(late["y"], abs=0.1)
    assert gone["y"] == pytest.approx(TOP, abs=0.1)
    assert late["x"] == failed["x"] == gone["x"]
    assert (late["x"] - early["x"]) / (WIDE.width - 62) == pytest.approx(20 / 24, abs=0.03)


def test_failed_ones_are_hatched_and_gone_ones_are_hollow():
    """Colour is not the only sign; the hatching is one that the chart has."""
    for size in (WIDE, NARROW):
        svg = drawn(day(Past({NOW - HOUR: jobs(1, 1, 1)})), "recordings", size)
        (failed,) = [each for each in svg.iter("rect") if each.get("class") == "bar failed"]
        assert failed.get("fill") == f"url(#{next(svg.iter('pattern')).get('id')})"
    style = report.style()
    assert re.search(r"\.bar\.gone \{ fill: var\(--sheet\)", style)
    for line in ("moderate", "high-level"):
        assert re.search(rf"\.level\.{line} \{{[^}}]*dasharray", style)


def test_waits_stand_between_their_median_and_their_95th_percentile():
    svg = drawn(day(Past({NOW - HOUR: jobs(100, waits=[60.0] * 90 + [3600.0] * 10)})), "waiting")
    (disc,), (diamond,) = svg.iter("circle"), svg.iter("path")
    assert float(disc.get("cy")) > float(re.match(r"M[\d.]+ ([\d.]+)", diamond.get("d"))[1]) + 50
    assert labels(svg)[:4] == ["30 s", "2 min", "10 min", "30 min"]


def test_memory_is_drawn_against_the_three_levels():
    svg = drawn(day(Past(daemon={NOW - HOUR: daemon(25.0, 75.0)})), "memory")
    (bar,) = bars(svg, "memory")
    levels = {each.get("class").split()[1]: float(each.get("y1")) for each in svg.iter("line") if each.get("class", "").startswith("level")}  # fmt: skip
    assert levels["critical"] < levels["high-level"] < levels["moderate"] < bar["y"]
    hundred = levels["critical"] - 5 * (levels["moderate"] - levels["critical"]) / 15
    assert hundred == pytest.approx(TOP, abs=0.1)
    assert bar["height"] == pytest.approx((levels["moderate"] - hundred) / 20 * 50, abs=0.2)


def test_troubles_have_a_row_each_with_their_number():
    past = Past({NOW - HOUR: jobs(5, fallbacks=2, job_timeouts=3)}, {NOW - HOUR: daemon(load_timeouts=1, resumes=4)})
    svg = drawn(day(past), "troubles")
    sums = [each.text for each in svg.iter("text") if each.get("class") == "row sum"]
    assert sums == ["1", "2", "3", "4"]
    heights = [each["height"] for each in bars(svg, "trouble")]
    assert heights == sorted(heights)


@pytest.mark.parametrize("hours", [1, 7, 24, 7 * 24, 30 * 24, 365 * 24, 20 * 365 * 24])
@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("language", OFFERED)
def test_no_label_of_the_time_axis_touches_the_next_one(hours, size, language):
    figures = report.build(Past({NOW - 60: jobs(1)}), NOW - hours * HOUR, NOW, Levels(80, 90, 95), BANGKOK)
    svg = drawn(figures, "audio", size, language)
    at_the_bottom = [each for each in svg.iter("text") if float(each.get("y")) > size.height - 10]
    assert 2 <= len(at_the_bottom) <= size.marks + 1
    places = []
    for each in at_the_bottom:
        width = 6.5 * len(re.sub("[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]", "", each.text))  # a wide letter of 12 px
        left = float(each.get("x")) - {"start": 0, "middle": width / 2, "end": width}[each.get("text-anchor")]
        places.append((left, left + width))
    assert all(before[1] + 3 < after[0] for before, after in itertools.pairwise(places)), (labels(svg), places)
    assert places[-1][1] <= size.width


COUNT = st.integers(0, 10**6)
ANY_JOBS = st.builds(
    jobs,
    COUNT,
    COUNT,
    COUNT,
    audio=st.floats(0, 1e9),
    waits=st.lists(st.floats(0, 1e9), max_size=3),
    fallbacks=COUNT,
    job_timeouts=COUNT,
)
ANY_DAEMON = st.builds(
    daemon, st.none() | st.floats(0, 300), st.none() | st.floats(0, 300), st.integers(0, 9), COUNT, COUNT, COUNT
)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 24), ANY_JOBS, st.none() | ANY_DAEMON), max_size=4),
    st.sampled_from([WIDE, NARROW]),
)
def test_nothing_of_any_past_is_drawn_outside_its_chart(past, size):
    """And each chart is an XML document."""
    times = {NOW - hours * HOUR: (ended, seen) for hours, ended, seen in past}
    figures = day(
        Past({at: ended for at, (ended, _) in times.items()}, {at: seen for at, (_, seen) in times.items() if seen})
    )
    for chart in charts(figures, report.words_of("en")):
        svg = drawn(figures, chart.key, size)
        for rect in svg.iter("rect"):
            if rect.get("class", "").startswith("bar"):
                x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
                assert x >= chart.left - 1e-6
                assert x + width <= size.width
                assert y >= TOP - 1.5
                assert y + height <= size.height - 26 + 0.1
                assert height > 0


def test_a_page_has_each_figure_in_a_table_and_in_words():
    past = Past({NOW - HOUR: jobs(5, 1, waits=[60.0]), NOW - 9 * HOUR: jobs(2)}, {NOW - HOUR: daemon(queued=7)})
    page = report.document(day(past), report.words_of("en"), BANGKOK)
    root = ET.fromstring(_closed(page))
    svgs = list(root.iter("svg"))
    assert {(each.get("class"), each.get("role")) for each in svgs} == {("wide", "img"), ("narrow", "img")}
    assert svgs[0].get("aria-label") == "Recordings that ended: done 7, failed 1, cancelled or gone 0"
    tables = list(root.iter("table"))
    assert len(tables) == 6
    rows = [["".join(cell.itertext()) for cell in row] for row in tables[0].iter("tr")]
    assert rows[0] == ["from", "done", "failed", "cancelled or gone"]
    assert [row[1:] for row in rows[1:]] == [["2", "0", "0"], ["5", "1", "0"]]
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))


def _closed(page: str) -> str:
    """HTML's elements without an end have one."""
    return re.sub(r"(<meta[^>]*)>", r"\1/>", page.removeprefix("<!DOCTYPE html>\n"))


@pytest.mark.parametrize("language", OFFERED)
def test_a_file_needs_nothing_else(language):
    """No script, no address, no style or font from elsewhere."""
    page = report.document(day(Past({NOW - HOUR: jobs(5, 1)})), report.words_of(language), BANGKOK)
    assert not re.search(r"<script|<link|<img|<iframe|@import|javascript:| on\w+=", page)
    assert set(re.findall(r"url\(([^)]*)\)", page)) == {"#recordings-wide-hatch", "#recordings-narrow-hatch"}
    assert not re.search(r"https?://", page)
    assert f'<html lang="{language}">' in page


def test_a_time_without_anything_has_no_charts():
    page = report.document(day(Past()), report.words_of("en"), BANGKOK)
    assert "Nothing was transcribed in this time." in page
    assert "<svg" not in page


def test_the_last_bar_goes_on_and_averages_do_not():
    """Of a bar that has just begun, an hour of audio is not many an hour."""
    past = Past({NOW + 10: jobs(1, audio=3600.0)})
    figures = report.build(past, NOW - 24 * HOUR, NOW + 60, Levels(80, 90, 95), BANGKOK)
    assert figures.spans[-1].end == NOW + 1800
    assert figures.spans[-1].audio_rate == 2.0
    assert figures.audio_rate == pytest.approx(1 / 24, rel=0.1)


def test_markup_is_escaped():
    assert tag("p", "<b>&", Markup("<i>x</i>"), class_='"') == '<p class="&quot;">&lt;b&gt;&amp;<i>x</i></p>'


def test_every_phrase_of_the_report_has_its_thai_and_none_is_left_over():
    found: set[str] = set()
    for path in Path(report.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "words":
                found |= {node.args[0].value}
    thai = report.words_of("th").phrases
    assert found == set(thai)
    braces = re.compile(r"\{\w+\}")
    for english, phrase in thai.items():
        assert sorted(braces.findall(english)) == sorted(braces.findall(phrase)), english


def test_spans_are_whole():
    """Each instant of the time is in one span."""
    figures = day(Past())
    assert figures.spans[0].start == figures.since <= NOW - 24 * HOUR
    assert all(isinstance(each, Span) for each in figures.spans)
    assert [each.end for each in figures.spans[:-1]] == [each.start for each in figures.spans[1:]]

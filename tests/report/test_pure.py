"""The parts of a report that are functions of values: buckets, thinning, the calendar, scales, words."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import zoneinfo
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from sttd.job import State
from sttd.ledger.past.ageing import AGES, border, thinned
from sttd.ledger.past.records import Sample, Sum, bucket, buckets, middle, quantile
from sttd.phrases import Words
from sttd.report import spoken, words_of
from sttd.report.calendar import STEPS, Step, instants, local, step, zone_name
from sttd.report.scales import ROUND, Linear, Logarithmic, durations, ticks

ENGLISH = Words("en", {})
WAITS = st.floats(0.1, 1e9)
ZONES = st.sampled_from(
    [
        zoneinfo.ZoneInfo(name)
        for name in ("Asia/Bangkok", "Europe/Berlin", "Asia/Kathmandu", "America/Sao_Paulo", "UTC")
    ]
)
TIMES = st.floats(0.5e9, 3e9)
COUNTS = st.integers(0, 1000)
PERCENTS = st.none() | st.floats(0, 100)
SAMPLES = st.builds(
    Sample, st.integers(0, 10**7), st.integers(1, 60), PERCENTS, PERCENTS, st.integers(0, 3), COUNTS, COUNTS, COUNTS
)
SUMS = st.builds(
    Sum, st.integers(0, 10**7), st.integers(1, 60), st.builds(Counter, st.dictionaries(st.sampled_from(State), st.integers(1, 9))),
    st.integers(0, 10**6).map(float), st.integers(0, 10**6).map(float), COUNTS, COUNTS,
    st.builds(Counter, st.dictionaries(st.integers(-64, 640), st.integers(1, 9))),
)  # fmt: skip


@given(WAITS)
def test_a_duration_is_known_to_three_percent(seconds):
    assert abs(middle(bucket(seconds)) / seconds - 1) < 0.03


@given(st.lists(st.floats(-1e12, 1e14) | st.just(math.inf)))
def test_many_durations_are_counted_as_one_by_one(seconds):
    found = buckets(seconds)
    assert found.total() == len(seconds)
    # a duration at the border of two buckets may be in either
    for number, count in (found - Counter(map(bucket, seconds))).items():
        assert count <= sum(math.isclose(each, 2.0 ** (edge / 16)) for each in seconds for edge in (number, number + 1))


@given(st.lists(WAITS, min_size=1), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_the_one_of_the_sorted_values(seconds, share):
    exact = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert abs(quantile(buckets(seconds), share) / exact - 1) < 0.03


def test_of_no_durations_there_is_no_quantile():
    assert quantile(Counter(), 0.5) is None


@given(st.lists(SAMPLES), st.sampled_from([span for *_, span in AGES]))
def test_thinning_samples_loses_no_count_and_no_extreme(samples, span):
    found = thinned(samples, span)
    for name in ("load_timeouts", "resumes"):
        assert sum(getattr(each, name) for each in found) == sum(getattr(each, name) for each in samples)
    for name, least in (("memory_high", max), ("memory_low", min), ("queued", max), ("level", max)):
        values = lambda records: [value for each in records if (value := getattr(each, name)) is not None]  # noqa: B023, E731
        assert least(values(found), default=None) == least(values(samples), default=None)
    assert [each.start for each in found] == sorted({each.start // span * span for each in samples})
    assert thinned(found, span) == found


@given(st.lists(SUMS), st.sampled_from([span for *_, span in AGES]))
def test_thinning_sums_loses_no_job(sums, span):
    found = thinned(sums, span)
    whole = lambda records: [sum((getattr(each, name) for each in records), start) for name, start in FIELDS.items()]  # noqa: E731
    assert whole(found) == whole(sums)
    assert all(each.start % span == 0 for each in found)


FIELDS = {"ended": Counter(), "waits": Counter(), "audio": 0.0, "service": 0.0, "fallbacks": 0, "job_timeouts": 0}


@given(TIMES, st.sampled_from(AGES))
def test_what_is_thinned_is_as_old_as_it_must_be(now, age):
    _, old, span = age
    assert border(now, old, span) <= now - old < border(now, old, span) + span
    assert border(now, old, span) % span == 0


@given(TIMES, st.floats(1, 1.5e9), st.integers(3, 60), ZONES)
def test_a_time_is_cut_into_steps_of_the_clock(since, seconds, most, zone):
    """Without a gap, not more of them than wanted, the first not after its beginning, the last not before its end."""
    wide = step(seconds, most)
    found = instants(since, since + seconds, wide, zone)
    assert found[0] <= since
    assert found[-2] < since + seconds <= found[-1]
    assert len(found) - 1 <= most + 1  # months and years are not all as long as another
    lengths = [after - before for before, after in itertools.pairwise(found)]
    assert all(0.85 * wide.seconds <= each <= 1.15 * wide.seconds for each in lengths if wide.seconds > 2 * 86400)
    assert all(abs(each - wide.seconds) <= 3600 for each in lengths if 86400 <= wide.seconds <= 2 * 86400)
    assert all(each == wide.seconds for each in lengths if not wide.is_of_days)


@given(TIMES, ZONES, st.sampled_from([each for each in STEPS if each.is_of_days]))
def test_days_begin_at_midnight_also_when_the_clock_is_changed(since, zone, wide):
    for instant in instants(since, since + 5 * wide.seconds, wide, zone):
        when = local(instant, zone)
        assert when.hour * 60 + when.minute <= 60  # there are days without midnight
        assert wide.unit != "month" or when.day == 1
        assert wide.count != 7 or when.weekday() == 0


def test_hours_are_those_of_the_zone():
    """Nepal is 5:45 ahead: hours there begin at a quarter past in UTC."""
    found = instants(1_000_000_000, 1_000_010_000, Step(1, "hour", 3600), zoneinfo.ZoneInfo("Asia/Kathmandu"))
    assert {int(each) % 3600 for each in found} == {900}
    assert zone_name(found[0], zoneinfo.ZoneInfo("Asia/Kathmandu")) == "UTC+05:45"
    assert zone_name(found[0], dt.timezone(dt.timedelta(hours=-3, minutes=-30))) == "UTC-03:30"


@given(st.floats(1e-6, 1e12), st.integers(2, 9), st.booleans())
def test_an_axis_reaches_over_its_highest_value_in_round_steps(top, most, whole):
    found = ticks(top, most, whole=whole)
    assert found[0] == 0
    assert found[-1] >= top * (1 - 1e-6)
    assert found[-2] < top
    assert 2 <= len(found) <= most + 1
    assert not whole or all(each == round(each) for each in found)
    width = found[1] / 10 ** math.floor(math.log10(found[1]))
    assert any(math.isclose(width, each) for each in (1, 2, 5, 10))


def test_an_axis_without_values_has_two_marks():
    assert ticks(0.0) == [0.0, 1.0]


@given(st.floats(1e-3, 1e10), st.floats(1, 1e6))
def test_an_axis_of_durations_is_round_and_has_room_between_its_marks(low, factor):
    found = durations(low, low * factor)
    assert len(found) >= 2
    assert found[0] <= max(low, ROUND[0]) or found[0] == ROUND[-2]
    assert found[-1] >= min(low * factor, ROUND[-1])
    assert found == sorted(set(found))
    gaps = [math.log(after / before) for before, after in itertools.pairwise(found)]
    assert min(gaps) >= sum(gaps) / 6 - 1e-9


@given(st.floats(0.1, 1e3), st.floats(1.1, 1e3), st.floats(allow_nan=False, allow_infinity=False, min_value=1e-9))
def test_nothing_is_drawn_outside_a_chart(low, factor, value):
    for scale in (Linear(low, low * factor, 200.0, 10.0), Logarithmic(low, low * factor, 200.0, 10.0)):
        assert 10.0 - 1e-9 <= scale(value) <= 200.0 + 1e-9
        assert math.isclose(scale(low), 200.0)
        assert math.isclose(scale(low * factor), 10.0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.0, "0 s"), (0.25, "0.2 s"), (7.0, "7 s"), (9.94, "9.9 s"), (42.4, "42 s"), (59.6, "1 min"), (600, "10 min"),
     (3570, "1 h"), (5400, "1.5 h"), (86400, "24 h"), (172_800, "2 d"), (10**7, "116 d")],
)  # fmt: skip
def test_durations_have_two_digits_that_count(seconds, words):
    assert spoken.duration(ENGLISH, seconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (12_000, "12,000"), (0.5, "0.5"), (3.14, "3.1"), (0.043, "0.043"), (123.4, "123")]
)
def test_numbers(value, words):
    assert spoken.number(value) == words


def test_thai_counts_years_its_own_way():
    when = dt.datetime(2026, 11, 27)
    assert spoken.date(ENGLISH, when) == "Nov 27, 2026"
    assert spoken.date(words_of("th"), when) == "27 พ.ย. 2569"

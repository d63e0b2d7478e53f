"""Durations as systemd writes them, with systemd as the oracle."""

from __future__ import annotations

import math
import shutil
import subprocess

import pytest
from hypothesis import given, strategies as st

from sttd.units import format_duration, format_size, parse_duration, parse_size, spoken_duration

SPANS = [
    *("30min", "1min 30s", "90", "5s 500ms", "2h", "1d 2h", "1M", "3w", "1y", "250ms", "10us", "1.5h", "2 hours"),
    *(".5s", "1h30", "1h30min5s", "5 5", "1 h  5 min ", "2 weeks", "0", "1m", "1 month", "10µs", "1d\n2h"),
]
NONSENSE = ["", "   ", "soon", "5 parsecs", "-3s", "min", "5.s", "1e3", "1,5h", "1.2.3", "5Min", "３s", "3sec,"]

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is the oracle")


def timespan(text: str) -> float | None:
    """Seconds, as systemd reads them; None where it refuses."""
    done = subprocess.run(["systemd-analyze", "timespan", "--", text], capture_output=True, text=True, check=False)
    found = [line.partition(":")[2] for line in done.stdout.splitlines() if line.strip().startswith("μs:")]
    return int(found[0]) / 1e6 if found else None


@needs_systemd
@pytest.mark.parametrize("text", SPANS)
def test_a_duration_is_what_systemd_takes_it_for(text):
    assert parse_duration(text) == pytest.approx(timespan(text))


@needs_systemd
@pytest.mark.parametrize("text", NONSENSE)
def test_what_systemd_refuses_is_refused_with_an_example(text):
    assert timespan(text) is None
    with pytest.raises(ValueError, match="30s, 5min"):
        parse_duration(text)


def test_infinity_has_no_end_and_is_written_so():
    assert parse_duration(" infinity ") == math.inf
    assert format_duration(math.inf) == "infinity"


@given(st.integers(0, 10**12).map(lambda micros: micros / 1e6))
def test_a_duration_survives_being_written(seconds):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "1min 30s"), (0.5, "500ms"), (0, "0s"), (172800, "2d"), (3600, "1h"), (1e-6, "1us")]
)
def test_a_duration_is_written_as_people_write_it(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(300, "5 minutes"), (60, "1 minute"), (3, "3 seconds"), (1, "1 second"), (90, "90 seconds"), (0.5, "0.5 seconds")],
)
def test_the_log_lines_speak_of_whole_minutes_or_seconds(seconds, words):
    assert spoken_duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("1K", 1024),
        ("512M", 512 * 2**20),
        ("200G", 200 * 2**30),
        ("1.5T", 1.5 * 2**40),
        ("7B", 7),
    ],
)
def test_a_size_is_what_systemd_takes_it_for(text, size):
    """systemd.resource-control(5), MemoryMax=: the suffixes are powers of 1024."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "-1", "1 GB", "1e9", "G"])
def test_what_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="512M, 200G"):
        parse_size(text)


@given(st.integers(0, 2**53))
def test_a_size_survives_being_written(size):
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(("size", "text"), [(2**30, "1G"), (1000, "1000"), (0, "0"), (math.inf, "infinity")])
def test_a_size_is_written_with_the_largest_unit_that_says_it_exactly(size, text):
    assert format_size(size) == text

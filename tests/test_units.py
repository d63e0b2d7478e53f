"""Durations and sizes as systemd writes them."""

from __future__ import annotations

import math
import shutil
import subprocess

import pytest
from hypothesis import given, strategies as st

from sttd.units import format_duration, parse_duration, parse_size, spoken_duration

SPANS = ["30min", "1min 30s", "90", "5s 500ms", "2h", "1d 2h", "1M", "3w", "1y", "250ms", "10us", "1.5h", "2 hours"]


@pytest.mark.parametrize("text", SPANS)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is the oracle")
def test_a_duration_is_what_systemd_takes_it_for(text):
    said = subprocess.run(["systemd-analyze", "timespan", text], capture_output=True, text=True, check=True).stdout
    micros = next(
        line.split(":")[1] for line in said.splitlines() if "s:" in line and "Human" not in line and "Orig" not in line
    )
    assert math.isclose(parse_duration(text), int(micros) / 1e6)


@pytest.mark.parametrize("text", ["", "   ", "soon", "5 parsecs", "-3s", "min"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="30s, 5min"):
        parse_duration(text)


@given(st.integers(0, 10**12).map(lambda micros: micros / 1e6))
def test_a_duration_survives_being_written(seconds):
    assert math.isclose(parse_duration(format_duration(seconds)), seconds, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("seconds", "words"), [(300, "5 minutes"), (60, "1 minute"), (3, "3 seconds"), (1, "1 second"), (90, "90 seconds")]
)
def test_the_log_lines_speak_of_whole_minutes_or_seconds(seconds, words):
    assert spoken_duration(seconds) == words


@pytest.mark.parametrize(("text", "size"), [("512M", 512 * 2**20), ("2G", 2**31), ("1.5K", 1536), ("7", 7)])
def test_a_size_is_1024_based(text, size):
    assert parse_size(text) == size

"""Long recordings: nothing lost or doubled at a seam, times right, slices that add up to the whole."""

from __future__ import annotations

import re

import pytest

from sttd.job import State
from tests import speech


@pytest.fixture(scope="module")
def half_hour():
    return speech.compose(seconds=1800, seed=7)


def test_thirty_minutes_keep_every_word_in_order_and_its_time(make_daemon, half_hour, tmp_path):
    """Two languages over 30 minutes: the error rate of the whole is that of the model; cue times within 0.5 s."""
    daemon = make_daemon({"transcribe.languages": "en th", "model.cpu_threads": "2"})
    speech.encode(daemon.inbox / "long.flac", half_hour.audio)
    assert daemon.drain() == 0
    job = daemon.job()
    assert job.chunks > 30
    assert speech.error_rate(half_hour.said(), daemon.text("long.flac", job.language), "mixed") < 0.12
    starts = [phrase.start for phrase in half_hour.phrases]
    cues = cue_starts((daemon.transcripts / f"long.{job.language}.vtt").read_text(encoding="utf-8"))
    assert cues == sorted(cues)
    late = [cue for cue in cues if min(abs(cue - start) for start in starts) > 0.5]
    assert len(late) <= 0.05 * len(cues), late[:10]
    missed = [start for start in starts if min(abs(cue - start) for cue in cues) > 0.5]
    assert len(missed) <= 0.05 * len(starts), missed[:10]


def test_a_job_timeout_far_too_short_still_ends_with_the_same_text(make_daemon, tmp_path):
    """Slice by slice, each stopping at a batch's end, the text is that of a run without the limit."""
    recording = speech.compose(seconds=400, language="en", seed=3)
    whole = make_daemon({"transcribe.batch_size": "2"}, root=tmp_path / "whole")
    sliced = make_daemon(
        {"transcribe.batch_size": "2", "pool.job_timeout": "200ms", "pool.sweep_interval": "10s"},
        root=tmp_path / "sliced",
    )
    for daemon in (whole, sliced):
        speech.encode(daemon.inbox / "long.flac", recording.audio)
        assert daemon.drain() == 0
    assert sliced.job().resumes >= 2
    assert sliced.job().attempts == 0
    assert without_random(sliced) == without_random(whole)


def test_a_batch_longer_than_the_job_timeout_is_halved_until_it_fits(make_daemon, tmp_path):
    """Killed without progress: the batch is halved, and the job ends with its text."""
    recording = speech.compose(seconds=300, language="en", seed=4)
    daemon = make_daemon({
        "transcribe.batch_size": "64", "pool.job_timeout": "300ms", "pool.sweep_interval": "50ms",
        "pool.kill_grace": "0s", "pool.attempts": "20",
    })  # fmt: skip
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    assert daemon.drain() == 0
    job = daemon.job()
    assert job.state is State.DONE
    assert job.batch_size is not None
    assert job.batch_size < 64
    assert any("⏰ Job timed out after 0.3 seconds" in line for line in daemon.log)
    assert speech.error_rate(recording.said(), daemon.text("long.flac", "en"), "en") < 0.35


def cue_starts(text: str) -> list[float]:
    """Seconds at which the cues of a VTT begin."""
    return [
        int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
        for hours, minutes, seconds in re.findall(r"(?:(\d+):)?(\d\d):(\d\d\.\d{3}) -->", text)
    ]


def without_random(daemon) -> list[tuple[float, str]]:
    """The segments that no random temperature had a part in."""
    result = daemon.result("long.flac", "en")
    return [(segment["start"], segment["text"]) for segment in result["segments"] if segment["temperature"] == 0]

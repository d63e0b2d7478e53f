"""Long recordings: nothing lost or doubled at a seam, times right, slices that add up to the whole."""

from __future__ import annotations

import re

import pytest
from faster_whisper import WhisperModel

from sttd.job import State
from tests import speech
from tests.harness import wait_for


@pytest.mark.parametrize(
    "minutes",
    [
        2,
        pytest.param(4, marks=pytest.mark.ci),
        pytest.param(10, marks=pytest.mark.ci),
        pytest.param(30, marks=pytest.mark.slow),
    ],
)
def test_a_long_recording_keeps_every_word_in_order_and_its_time(make_daemon, minutes):
    """It is no more wrong than WhisperModel.transcribe has five minutes at most; cue times within 0.5 s.

    Two minutes are some 90 words, too few for that: of three recordings on one processor the demo model had 0.14, 0.17 and 0.22
    of them wrong, and the peer 0.24, 0.20 and 0.09. A window that is lost or comes twice is 0.17 more.
    """
    recording = speech.compose(seconds=60 * minutes, language="en", seed=7, pauses=(2.0, 6.0))
    daemon = make_daemon()
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    assert daemon.drain() == 0
    job = daemon.job()
    assert job.chunks >= min(minutes, 9)  # the longer ones: more than a batch
    ours = speech.error_rate(recording.said(), daemon.text("long.flac", "en"), "en")
    usual = peer_rate(speech.compose(seconds=min(300, 60 * minutes), language="en", seed=7)) if minutes > 2 else 0.2
    assert ours < usual + 0.1  # libraries and processors differ: 0.27 with numpy 2.4, 0.28 with 2.5
    starts = [phrase.start for phrase in recording.phrases]
    cues = cue_starts((daemon.transcripts / f"long.{job.language}.vtt").read_text(encoding="utf-8"))
    assert cues == sorted(cues)
    # a phrase may be told in two cues: each begins where something is being said
    spans = [(phrase.start - 0.5, phrase.end + 0.5) for phrase in recording.phrases]
    stray = [cue for cue in cues if not any(first <= cue <= last for first, last in spans)]
    assert len(stray) <= 0.01 * len(cues), stray[:10]
    missed = [start for start in starts if min(abs(cue - start) for cue in cues) > 0.5]
    assert len(missed) <= 0.08 * len(starts), missed[:10]


@pytest.mark.ci
def test_a_job_timeout_far_too_short_still_ends_with_the_same_text(make_daemon, tmp_path):
    """Slice by slice, each stopping at a batch's end, the text is that of a run without the limit."""
    recording = speech.compose(seconds=80, language="en", seed=3)
    # one window at a time: in batches of other sizes CTranslate2's sums differ in their last digits
    certain = {"transcribe.batch_size": "1", "transcribe.temperatures": "0"}
    whole = make_daemon(certain, root=tmp_path / "whole")
    short = {"pool.job_timeout": "10ms", "pool.sweep_interval": "1h"}  # less than any window takes
    lanes = {
        "transcribe.batch_size": "2",
        "model.cpu_threads": "2",
    }  # two windows side by side, of which one is dropped
    sliced = make_daemon(certain | short | lanes, root=tmp_path / "sliced")
    for daemon in (whole, sliced):
        speech.encode(daemon.inbox / "long.flac", recording.audio)
        assert daemon.drain() == 0
    assert sliced.job().resumes >= sliced.job().chunks - 1 >= 2
    assert sliced.job().attempts == 0
    assert sliced.result("long.flac", "en")["segments"] == whole.result("long.flac", "en")["segments"]


@pytest.mark.ci
def test_a_batch_longer_than_the_job_timeout_is_halved_until_it_fits(make_daemon):
    """Killed without progress: the batch is halved, and the job ends with its text. What is too long for four is a stopped worker."""
    recording = speech.compose(seconds=100, language="en", seed=4)
    quick = {"transcribe.temperatures": "0", "transcribe.beam_size": "1"}
    daemon = make_daemon(quick | {
        "transcribe.batch_size": "4", "pool.job_timeout": "4s", "pool.sweep_interval": "1s", "pool.kill_grace": "0s",
    })  # fmt: skip
    speech.encode(daemon.inbox / "long.flac", recording.audio)
    daemon.start()
    for attempt, left in ((1, 2), (2, 1)):
        wait_for(
            lambda attempt=attempt: sum("is ready after" in line for line in daemon.log) == attempt, "it has its model"
        )
        with daemon.held():
            wait_for(lambda left=left: daemon.job().batch_size == left, "the batch is halved")
    assert any("⏰ Job timed out after 4 seconds" in line for line in daemon.log)
    assert daemon.stop() == 0
    daemon.settings["pool.job_timeout"] = "30min"  # in which one window fits on any machine
    assert daemon.drain() == 0
    assert (daemon.job().state, daemon.job().attempts, daemon.job().batch_size) == (State.DONE, 0, 1)
    assert speech.error_rate(recording.said(), daemon.text("long.flac", "en"), "en") < 0.35


def cue_starts(text: str) -> list[float]:
    """Seconds at which the cues of a VTT begin."""
    return [
        int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
        for hours, minutes, seconds in re.findall(r"(?:(\d+):)?(\d\d):(\d\d\.\d{3}) -->", text)
    ]


def peer_rate(recording) -> float:
    """How wrong WhisperModel.transcribe is, without its own text as a prompt, in which the demo model gets lost."""
    model = WhisperModel(str(speech.SAMPLES.parent / "model"), device="cpu", compute_type="default", cpu_threads=1)
    # at one temperature: higher ones are chosen by chance
    segments, _ = model.transcribe(recording.audio, condition_on_previous_text=False, temperature=0.0)
    return speech.error_rate(recording.said(), " ".join(segment.text for segment in segments), "en")

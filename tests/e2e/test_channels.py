"""A call whose sides are kept apart, through the whole path: who says what in each format, and nothing is lost by a kill."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from sttd.job import State
from tests import speech
from tests.harness import Daemon, wait_for

FORMATS = ("txt", "md", "srt", "vtt", "lrc", "json", "tsv")
# every window a checkpoint, and nothing left to chance
SPLIT = {
    "transcribe.batch_size": "1", "transcribe.temperatures": "0", "transcribe.channels": "split",
    "transcribe.channel_names": "Agent, ลูกค้า", "output.formats": ",".join(FORMATS),
}  # fmt: skip


@pytest.fixture(scope="module")
def sides() -> tuple[speech.Recording, speech.Recording]:
    return speech.compose(seconds=50, language="en", seed=21), speech.compose(seconds=60, language="th", seed=22)


def call(path: Path, sides: tuple[speech.Recording, speech.Recording]) -> Path:
    """English on the left, Thai on the right, for a while both at once."""
    first, second = (side.audio for side in sides)
    begin = len(first) * 2 // 3
    audio = np.random.default_rng(0).normal(0, 1e-4, (2, begin + len(second)))
    audio[0, : len(first)] += first
    audio[1, begin:] += second
    return speech.encode(path, audio)


@pytest.fixture(scope="module")
def undisturbed(sides, tmp_path_factory) -> Daemon:
    daemon = Daemon(tmp_path_factory.mktemp("undisturbed"), SPLIT)
    call(daemon.inbox / "call.flac", sides)
    assert daemon.drain() == 0
    return daemon


def texts(daemon: Daemon) -> dict[str, str]:
    """The formats that hold nothing but what was said and when."""
    found = {suffix: next(daemon.transcripts.glob(f"call.*.{suffix}")).read_text() for suffix in FORMATS}
    return {suffix: found[suffix] for suffix in ("txt", "srt", "vtt", "lrc", "tsv")}


@pytest.mark.ci
def test_each_side_has_its_name_its_language_and_its_words_in_every_format(undisturbed, sides):
    found = undisturbed.result("call.flac", "th")
    for side, name, language in zip(sides, ("Agent", "ลูกค้า"), ("en", "th"), strict=True):
        said = [each for each in found["segments"] if each["speaker"] == name]
        assert {each["channel"] for each in said} == {1 if name == "Agent" else 2}
        assert speech.error_rate(side.said(), " ".join(each["text"] for each in said), language) < 0.5
    assert [each["start"] for each in found["segments"]] == sorted(each["start"] for each in found["segments"])
    assert [each["name"] for each in found["speakers"]] == ["Agent", "ลูกค้า"]
    assert set(found["languages"]) == {"en", "th"}
    assert found["options"]["channels"] == "split"
    made = texts(undisturbed)
    for name in ("Agent", "ลูกค้า"):
        assert f"\n<v {name}>" in made["vtt"]
        assert f"\t{name}\n" in made["tsv"]
        assert all(f"{name}: " in made[suffix] for suffix in ("txt", "srt", "lrc"))
    job = undisturbed.job()
    assert job.audio_seconds == pytest.approx(found["duration"])
    assert job.progress == pytest.approx(found["duration"])


@pytest.mark.ci
def test_a_kill_in_mid_call_leads_to_the_same_text(make_daemon, sides, undisturbed):
    """SIGKILL of the daemon and all, twice: each channel goes on behind its own last chunk."""
    daemon = make_daemon(SPLIT)
    call(daemon.inbox / "call.flac", sides)
    whole = undisturbed.job().chunks
    for least in (2, whole // 2):
        daemon.start()
        wait_for(lambda: len(daemon.checkpoint()) >= least, f"{least} chunks are checkpointed")  # noqa: B023
        daemon.stop(signal.SIGKILL)
    before = daemon.checkpoint()
    assert {chunk.channel for chunk in before} == {0, 1, 2}
    daemon.start()
    job = daemon.wait_state(State.DONE)
    assert (job.resumes, job.chunks) == (2, whole)
    assert texts(daemon) == texts(undisturbed)
    assert daemon.result("call.flac", "th")["segments"] == undisturbed.result("call.flac", "th")["segments"]
    assert daemon.stop() == 0


@pytest.mark.ci
def test_a_key_that_is_changed_between_two_attempts_mixes_nothing(make_daemon, sides):
    daemon = make_daemon(SPLIT)
    call(daemon.inbox / "call.flac", sides)
    daemon.start()
    wait_for(lambda: len(daemon.checkpoint()) >= 2, "chunks are checkpointed")
    daemon.stop(signal.SIGKILL)
    daemon.settings["transcribe.channels"] = "mix"
    assert daemon.drain() == 0
    job = daemon.job()
    assert (job.state, job.resumes) == (State.DONE, 0)
    found = daemon.result("call.flac", str(job.language))
    assert found["speakers"] == []
    assert not [each for each in found["segments"] if "channel" in each or "speaker" in each]

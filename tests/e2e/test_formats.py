"""Recordings of every kind become five files, and their sources are filed away."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from faster_whisper import WhisperModel

from sttd.config import Expert
from sttd.job import State
from sttd.part import Cause
from tests import speech
from tests.worker.test_embedded import film

FORMATS = ("txt", "srt", "vtt", "json", "tsv")
KINDS = ("wav", "mp3", "m4a", "ogg", "opus", "flac", "webm", "mp4", "mkv", "mov")


@pytest.fixture(scope="module")
def peer() -> WhisperModel:
    return WhisperModel(str(Path(speech.SAMPLES).parent / "model"), device="cpu", compute_type="int8", cpu_threads=1)


@pytest.mark.ci
def test_each_kind_gives_its_five_files_with_the_right_words(make_daemon, peer):
    """Ten kinds of container in a subfolder: language right, words no more wrong than WhisperModel.transcribe has them."""
    daemon = make_daemon({"pool.workers": "2", "transcribe.temperatures": "0"})
    folder = daemon.inbox / "ประชุม" / "kinds"
    folder.mkdir(parents=True)
    recordings = {}
    for number, kind in enumerate(KINDS):
        language = "th" if number % 2 else "en"
        recording = speech.compose(seconds=8, language=language, seed=number)
        speech.encode(folder / f"talk-{kind}.{kind}", recording.audio, rate=44100)
        recordings[kind] = (language, recording)
    assert daemon.drain() == 0
    ours = theirs = 0.0
    for kind, (language, recording) in recordings.items():
        source = f"ประชุม/kinds/talk-{kind}.{kind}"
        stem = daemon.transcripts / "ประชุม" / "kinds" / f"talk-{kind}.{language}"
        for suffix in FORMATS:
            assert stem.with_name(f"{stem.name}.{suffix}").is_file(), f"{kind}: no {suffix}"
        assert (daemon.archive / source).is_file()
        assert not (daemon.inbox / source).exists()
        path = str(daemon.archive / source)
        segments, info = peer.transcribe(path, condition_on_previous_text=False, temperature=0.0)
        heard = " ".join(segment.text for segment in segments)
        assert info.language == language
        ours += speech.error_rate(recording.said(), daemon.text(source, language), language)
        theirs += speech.error_rate(recording.said(), heard, language)
    assert ours <= theirs + 0.02 * len(KINDS)


@pytest.mark.ci
def test_the_json_carries_everything(make_daemon):
    """Segments, words, languages, model, requested model, fallback, duration, version, options, and the source's name, size, hash."""
    import hashlib

    from sttd import __version__

    wanted = {"task": "transcribe", "vad_threshold": 0.45, "log_prob": -0.9, "no_repeat_ngram_size": 30}
    sections = {name: "expert" if hasattr(Expert(), name) else "transcribe" for name in wanted}
    given = {f"{sections[name]}.{name}": str(value) for name, value in wanted.items()}
    daemon = make_daemon({"transcribe.word_timestamps": "true", "transcribe.languages": "th,en"} | given)
    path = speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    turns = [speech.compose(seconds=seconds, language=name, seed=8).audio for name, seconds in (("th", 24), ("en", 8))]
    speech.encode(daemon.inbox / "both.flac", np.concatenate([turns[0], np.zeros(16000, np.float32), turns[1]]))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    assert daemon.drain() == 0
    both = daemon.result("both.flac", "th")  # by the language that has most, not by the last one
    assert list(both["languages"]) == ["th", "en"]
    assert both["languages"]["th"] > both["languages"]["en"] > 4
    assert {part["language"] for part in both["segments"]} == {"th", "en"}
    assert both["segments"][-1]["language"] == "en"
    result = daemon.result("english.flac", "en")
    text = json.dumps(result)
    assert result["language"] == "en"
    assert list(result["languages"]) == ["en"]
    assert 0.5 < result["language_probability"] <= 1
    assert result["model"] == result["requested_model"] == "demo"
    assert result["fallback_reason"] is None
    assert wanted.items() <= result["options"].items()
    assert abs(result["duration"] - len(speech.sample("english")) / 16000) < 0.1
    assert __version__ in text
    assert digest in text
    assert str(size) in text
    assert result["source"]["name"] == "english.flac"
    words = [word["word"].strip() for segment in result["segments"] for word in segment["words"]]
    assert speech.says(" ".join(words), "english")


def test_formats_and_source_are_as_configured(make_daemon):
    """Only the formats asked for; `keep` leaves the source, and does not transcribe it again."""
    daemon = make_daemon({"output.formats": "txt", "output.source": "keep"})
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    assert daemon.drain() == 0
    assert [path.name for path in daemon.transcripts.glob("[!.]*")] == ["english.en.txt"]
    assert (daemon.inbox / "english.flac").exists()
    assert daemon.drain() == 0
    assert len(daemon.jobs()) == 1


def test_results_beside_their_recording_and_it_is_not_transcribed_again(make_daemon):
    """The watch, with what is written into the inbox, comes to rest: a drain ends, and finds nothing new the next time."""
    daemon = make_daemon({"output.place": "beside", "output.formats": "srt,json"})
    (daemon.inbox / "Show").mkdir()
    speech.encode(daemon.inbox / "Show" / "ep1.flac", speech.sample("english"))
    for _ in range(2):
        assert daemon.drain() == 0
        found = sorted(path.name for path in (daemon.inbox / "Show").iterdir())
        assert found == ["ep1.en.json", "ep1.en.srt", "ep1.flac"]
        assert len(daemon.jobs()) == 1
    assert not list(daemon.transcripts.glob("[!.]*"))


@pytest.mark.ci
def test_a_film_with_subtitles_is_not_transcribed_and_jobs_and_show_say_why(make_daemon):
    daemon = make_daemon({"output.place": "beside", "output.existing": "skip", "transcribe.language": "en"})
    film(daemon.inbox / "film.mkv", [("eng", "", False)])
    assert daemon.drain() == 0
    job = daemon.job()
    assert (job.state, job.cause, job.outputs) == (State.DONE, Cause.EXISTING, ())
    why = "not transcribed: it has subtitles in English (track 1 of its subtitles)"
    assert sum(why in line for line in daemon.log) == 1
    assert why in daemon.sttd("jobs").stdout
    assert why in daemon.sttd("show", "1").stdout
    assert [path.name for path in daemon.inbox.glob("[!.]*")] == ["film.mkv"]


@pytest.mark.ci
def test_delete_removes_the_source(make_daemon):
    daemon = make_daemon({"output.source": "delete"})
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    assert daemon.drain() == 0
    assert not (daemon.inbox / "english.flac").exists()
    assert not list(daemon.archive.rglob("*.flac"))
    assert daemon.job().state is State.DONE

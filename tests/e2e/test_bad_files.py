"""Files that cannot be transcribed end in words, and the next file is served."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sttd.job import State
from tests import speech
from tests.harness import wait_for


def test_garbage_empty_truncated_silent_and_without_audio_end_as_promised(make_daemon):
    """Each has its own end, none is tried twice, and the good file behind them is served."""
    daemon = make_daemon()
    english = speech.sample("english")
    (daemon.inbox / "a-garbage.mp3").write_bytes(np.random.default_rng(1).bytes(50_000))
    (daemon.inbox / "b-empty.wav").touch()
    speech.encode(daemon.inbox / "c-no-audio.mp4", english, video_only=True)
    whole = speech.encode(daemon.inbox / "whole.m4a", english).read_bytes()
    (daemon.inbox / "whole.m4a").unlink()
    (daemon.inbox / "d-no-index.m4a").write_bytes(whole[: len(whole) * 2 // 3])
    speech.encode(daemon.inbox / "e-cut.mp3", np.concatenate([english, english]))
    cut = (daemon.inbox / "e-cut.mp3").read_bytes()
    (daemon.inbox / "e-cut.mp3").write_bytes(cut[: len(cut) * 6 // 10])
    speech.encode(daemon.inbox / "f-silent.flac", np.zeros(16000 * 5, np.float32))
    speech.encode(daemon.inbox / "g-good.flac", english)
    assert daemon.drain() == 1
    jobs = {job.source: job for job in daemon.jobs()}
    for name in ("a-garbage.mp3", "b-empty.wav", "c-no-audio.mp4", "d-no-index.m4a"):
        job = jobs[name]
        assert job.state is State.FAILED, name
        assert job.attempt == 1
        assert (daemon.failed / name).is_file()
        assert not (daemon.inbox / name).exists()
        record = json.loads((daemon.failed / f"{name}.error.json").read_text(encoding="utf-8"))
        assert str(job.id) in json.dumps(record)
        assert record["retry"] == f"sttd --root {daemon.root} retry {job.id}"
        assert job.error
    assert "audio" in (jobs["c-no-audio.mp4"].error or "")
    assert jobs["e-cut.mp3"].state is State.DONE
    assert "hello world" in daemon.text("e-cut.mp3", "en")
    assert jobs["f-silent.flac"].state is State.DONE
    assert jobs["f-silent.flac"].language == "und"
    assert daemon.text("f-silent.flac", "und").strip() == ""
    assert jobs["g-good.flac"].state is State.DONE
    assert speech.says(daemon.text("g-good.flac", "en"), "english")


@pytest.mark.ci
def test_damage_in_the_middle_is_stepped_over_and_said(make_daemon):
    """2 kB of damage cost no more than the damage, and the result says so."""
    recording = speech.compose(seconds=40, language="en", seed=5)
    daemon = make_daemon()
    path = speech.encode(daemon.inbox / "damaged.mp3", recording.audio)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(2).bytes(2000)
    path.write_bytes(data)
    assert daemon.drain() == 0
    result = daemon.result("damaged.mp3", "en")
    assert result["duration"] > recording.seconds - 2
    assert result["warnings"]
    assert speech.error_rate(recording.said(), daemon.text("damaged.mp3", "en"), "en") < 0.35


def test_a_failed_file_can_be_retried_where_it_lies(make_daemon):
    """`sttd retry` of a file that was mended in failed/: done, archived, and its record gone."""
    daemon = make_daemon()
    (daemon.inbox / "talk.wav").write_bytes(b"RIFFgarbage")
    daemon.start().wait_state(State.FAILED)
    wait_for((daemon.failed / "talk.wav.error.json").exists, "it has its record")
    assert daemon.sttd("retry", "1").returncode == 0
    wait_for(lambda: daemon.job().attempt == 2, "it is tried again")
    daemon.wait_state(State.FAILED)
    assert daemon.stop() == 0
    assert daemon.job().attempt == 2
    assert (daemon.failed / "talk.wav").exists()


def test_hostile_names_become_results_and_forge_nothing(make_daemon):
    """New lines, control characters, quotes, Thai, emoji and undecodable bytes: each its result, each log line whole."""
    import os

    names = [
        b"new\nline 1999 CRITICAL forged.flac",
        b"undecodable-\xff\xfe.flac",
        "ไฟล์เสียง 🎤.flac".encode(),
        b"quote'\" $(id) `x` [final] \x1b[31mred.flac",
        b"-rf.flac",
        "ก".encode() * 83 + b".flac",
    ]
    daemon = make_daemon({"watch.dedupe": "false"})
    whole = speech.encode(daemon.root / "x.flac", speech.sample("clip09")).read_bytes()
    for name in names:
        with open(os.path.join(os.fsencode(daemon.inbox), name), "wb") as file:
            file.write(whole)
    assert daemon.drain() == 0
    assert [job.state for job in daemon.jobs()] == [State.DONE] * len(names)
    archived = {name for name in os.listdir(os.fsencode(daemon.archive)) if not name.startswith(b".")}
    assert archived == set(names)
    results = [name for name in os.listdir(os.fsencode(daemon.transcripts)) if not name.startswith(b".")]
    assert len(results) == 5 * len(names)
    assert all(len(name) <= 255 for name in results)
    assert not any(line.startswith("line 1999") for line in daemon.log)
    assert not any("\x1b" in line for line in daemon.log)
    for words in (("jobs",), ("status",), ("show", "1")):
        shown = daemon.sttd(*words)
        assert shown.returncode == (3 if words == ("status",) else 0), shown.stderr  # it does not run
        assert "\x1b" not in shown.stdout

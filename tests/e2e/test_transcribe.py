"""`sttd transcribe`: the text on standard output, whatever that is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from tests import speech
from tests.cli.test_terminal import ESCAPE, Screen
from tests.harness import PATIENCE

DEMO = ("--set", "model.name=demo", "--set", "model.fallback=", "--set", "pool.workers=1")


@pytest.fixture
def run(tmp_path):
    """`sttd transcribe` in a folder of its own, with its output in pipes."""
    here = tmp_path / "here"
    here.mkdir()

    def transcribe(*words, settings=DEMO):
        return subprocess.run(
            [sys.executable, "-m", "sttd", *settings, "transcribe", *map(str, words)], capture_output=True, text=True,
            timeout=PATIENCE, check=False, cwd=here, env=os.environ | {"HOME": str(here), "HF_HOME": str(here)},
        )  # fmt: skip

    return transcribe


def test_in_a_pipe_there_is_only_the_text(run, tmp_path):
    """No log, no heading, no paths. The source stays, and nothing is written beside it or in the current folder."""
    source = speech.encode(tmp_path / "talk.mp3", speech.sample("english"))
    done = run(source)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert speech.says(done.stdout, "english")
    assert re.fullmatch(r"[a-z' \n,.?!]+", done.stdout, re.IGNORECASE), done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "talk.mp3"]
    assert not [path for path in (tmp_path / "here").iterdir() if not path.name.startswith(".")]


def test_results_are_also_written_where_a_folder_is_named(run, tmp_path):
    """In the formats of the configuration alone; where they lie is told on standard error. One file that fails fails the command."""
    source = speech.encode(tmp_path / "talk.mp3", speech.sample("english"))
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    out = tmp_path / "out"
    done = run(source, tmp_path / "bad.wav", "-o", out, "--set", "output.formats=srt,vtt")
    assert done.returncode == 1
    assert speech.says(done.stdout, "english")
    assert sorted(path.name for path in out.iterdir()) == ["talk.en.srt", "talk.en.vtt"]
    assert f"{out}/talk.en.srt" in done.stderr
    assert "bad.wav failed" in done.stderr
    assert "is done" not in done.stderr


def test_without_a_model_nothing_waits_and_nothing_is_said_to_be_done(run, tmp_path):
    source = speech.encode(tmp_path / "talk.mp3", speech.sample("english"))
    done = run(source, settings=("--set", "model.name=tiny", "--set", "model.fallback=base"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "sttd model pull tiny" in done.stderr
    assert "come to its end" not in done.stderr


def test_on_a_terminal_each_text_has_a_heading_and_a_bar_shows_how_far_it_is(tmp_path):
    names = ["one.flac", "two.flac"]
    for name in names:
        speech.encode(tmp_path / name, speech.sample("english"))
    screen = Screen(tmp_path, 100, *DEMO, "transcribe", *(str(tmp_path / name) for name in names))
    seen = screen.read()
    assert screen.close() == 0, seen
    assert "0 of 2 files" in seen
    first, second = (seen.rindex(f"{tmp_path}/{name}") for name in names)
    for shown in (seen[first:second], seen[second:]):
        heading, text = ESCAPE.sub("", shown).split("\n", 1)
        assert "en, demo" in heading
        assert speech.says(text, "english")
    assert "INFO" not in seen
    assert "watches" not in seen


def test_ctrl_c_ends_with_130_and_leaves_no_traceback(tmp_path):
    source = speech.encode(tmp_path / "long.flac", speech.compose(seconds=300, language="en", seed=2).audio)
    screen = Screen(tmp_path, 100, *DEMO, "transcribe", str(source))
    screen.read("listens")
    screen.process.send_signal(signal.SIGINT)
    seen = screen.read()
    assert screen.close() == 130, seen
    assert "Traceback" not in seen

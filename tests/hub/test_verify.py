"""`sttd model verify`: real loads, real speech, in the process that it makes for them."""

from __future__ import annotations

import os
import shutil

import pytest

from sttd.cli.trial import recognised
from tests.hub.standin import MODEL


@pytest.mark.ci
def test_times_device_and_words_are_told_and_the_hub_is_not_asked(machine, standin):
    """Of each configured model, without its fallback; one that is not here makes the exit code 1."""
    words = ("--set", "model.name=small", "--set", "model.fallback=demo")
    done = machine.sttd("verify", *words, "--set", "model.device=cpu", "--set", "model.compute_type=float32")
    small, demo = done.stdout.split("\ndemo\n")
    assert done.returncode == 1, done.stderr
    assert "sttd model pull small" in small
    assert " s on cpu, float32\n" in demo
    assert "English: 10 of 12 words, heard as 'en'" in demo
    assert "Thai: 9 of 9 words, heard as 'th'" in demo
    assert "does not work" not in demo
    assert standin.requests == []


def test_a_load_that_hangs_is_told_in_time(machine, tmp_path):
    hanging = tmp_path / "hanging"
    shutil.copytree(MODEL, hanging)
    (hanging / "model.bin").unlink()
    os.mkfifo(hanging / "model.bin")
    done = machine.sttd("verify", str(hanging), "--set", "model.load_timeout=1s")
    assert done.returncode == 1
    assert "does not work: model" in done.stdout
    assert "load timed out after 1 second; there is no fallback" in done.stdout


def test_a_process_that_dies_is_said(machine, tmp_path):
    """As one does whose memory is at its end."""
    done = machine.sttd("verify", "demo", PYTHONPATH=str(_broken(tmp_path)))
    assert done.returncode == 1
    assert "does not work: its process was ended by signal 9" in done.stdout


def _broken(folder):
    """A place in which faster_whisper kills its process."""
    (folder / "faster_whisper.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    return f"{folder}{os.pathsep}{os.environ['PYTHONPATH']}"


@pytest.mark.parametrize(
    ("words", "text", "count"),
    [
        (["hello", "world"], "Hello, world!", 2),
        (["hello", "world"], "world hello", 1),
        (["a", "test"], "at last", 0),
        (["ทดสอบ", "ระบบ"], "ทดสอบระบบ", 2),
        (["one"], "", 0),
    ],
)
def test_words_are_counted_in_their_order(words, text, count):
    assert recognised(words, text) == count

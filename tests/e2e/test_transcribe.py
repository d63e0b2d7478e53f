"""`sttd transcribe`: the text on standard output while it is heard, whatever that is; bars where a person looks."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios

import numpy as np
import psutil
import pytest

from tests import speech
from tests.cli.test_terminal import Screen
from tests.emulator import Terminal
from tests.harness import PATIENCE, wait_for

DEMO = ("--set", "model.name=demo", "--set", "model.fallback=", "--set", "pool.workers=1")
BY_WINDOW = ("--set", "transcribe.batch_size=1", "--set", "model.cpu_threads=1")


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def env(here):
    """Of a command whose temporary files are seen in `here / ".tmp"`."""
    (here / ".tmp").mkdir()
    return os.environ | {"HOME": str(here), "HF_HOME": str(here), "TMPDIR": str(here / ".tmp")}


def command(*words, settings=DEMO) -> list[str]:
    return [sys.executable, "-m", "sttd", *settings, "transcribe", *map(str, words)]


@pytest.fixture
def run(here, env):
    """`sttd transcribe` in a folder of its own, with its output in pipes."""

    def transcribe(*words, settings=DEMO):
        return subprocess.run(
            command(*words, settings=settings), capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=here,
            env=env,
        )  # fmt: skip

    return transcribe


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Several windows."""
    path = tmp_path_factory.mktemp("long") / "long.flac"
    return speech.encode(path, speech.compose(seconds=120, language="en", seed=2).audio)


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
    """In these formats alone; where they lie is told on standard error. The text is that of a txt result, of equal files too."""
    for name in ("talk.mp3", "copy.mp3"):
        speech.encode(tmp_path / name, speech.sample("english"))
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    out = tmp_path / "out"
    sources = [tmp_path / name for name in ("talk.mp3", "bad.wav", "copy.mp3")]
    done = run(*sources, "-o", out, "--formats", "txt,vtt")
    assert done.returncode == 1, "one file that fails fails the command"
    assert sorted(path.name for path in out.iterdir()) == ["copy.en.txt", "copy.en.vtt", "talk.en.txt", "talk.en.vtt"]
    texts = [(out / f"{name}.en.txt").read_text() for name in ("talk", "copy")]
    assert speech.says(texts[0], "english")
    assert done.stdout == "\n".join(texts)
    assert f"{out}/talk.en.vtt" in done.stderr
    assert "bad.wav failed" in done.stderr
    assert "is done" not in done.stderr


def test_without_a_model_nothing_waits_and_nothing_is_said_to_be_done(run, tmp_path):
    source = speech.encode(tmp_path / "talk.mp3", speech.sample("english"))
    done = run(source, settings=("--set", "model.name=tiny", "--set", "model.fallback=base"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "sttd model pull tiny" in done.stderr
    assert "come to its end" not in done.stderr


@pytest.mark.ci
def test_on_a_terminal_each_text_has_a_heading_and_no_bar_is_left(tmp_path):
    """One file that fails is named, and fails the command."""
    names = ["one.flac", "two.flac"]
    for name in names:
        speech.encode(tmp_path / name, speech.sample("english"))
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    sources = [str(tmp_path / name) for name in ("one.flac", "bad.wav", "two.flac")]
    screen = Screen(tmp_path, 120, *DEMO, "transcribe", *sources)
    seen = screen.read()
    assert screen.close() == 1, seen
    assert "0 of 3 files" in seen
    lines = Terminal(120).feed(seen).lines
    assert [line for line in lines if line.endswith(".flac")] == [str(tmp_path / name) for name in names]
    assert [line.partition(": ")[0] for line in lines if ": en, demo, 0:03 in 0:" in line] == names
    assert [line for line in lines if "bad.wav failed" in line]
    assert sum(speech.says(line, "english") for line in lines) == 2
    assert not [line for line in lines if "━" in line or "files" in line]


@pytest.mark.ci
def test_text_is_seen_while_the_rest_is_heard_and_ctrl_c_leaves_nothing_behind(tmp_path, env):
    """Neither temporary files nor half a result, and the terminal as it was; nothing of it was ever changed."""
    endless = speech.encode(tmp_path / "endless.flac", np.tile(speech.sample("english"), 200))
    words = ("transcribe", str(endless), "-o", str(tmp_path / "out"))
    screen = Screen(tmp_path, 80, *DEMO, *BY_WINDOW, *words, TMPDIR=env["TMPDIR"])
    modes = termios.tcgetattr(screen.handle)
    screen.read(" left")
    assert screen.process.poll() is None
    lines = Terminal(80).feed(screen.seen.decode(errors="ignore").rpartition("\x1b[J")[0]).lines
    assert [line for line in lines if re.fullmatch(r"[a-z ]+", line)], "text, and more to come"
    screen.process.send_signal(signal.SIGINT)
    seen = screen.read()
    assert termios.tcgetattr(screen.handle) == modes
    assert screen.close() == 130, seen
    assert "Traceback" not in seen
    assert "\x1b[?" not in seen
    assert not [line for line in Terminal(80).feed(seen).lines if "━" in line]
    assert os.listdir(env["TMPDIR"]) == []
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.ci
def test_the_text_may_go_elsewhere_while_bars_are_seen(tmp_path, here, env):
    """Results are written here where no folder is named; the language is as typed."""
    source = speech.encode(tmp_path / "talk.mp3", speech.sample("english"))
    words = (source, "--language", "th", "--formats", "srt,md")
    with split(words, "stderr", tmp_path, here, env) as (seen, text):
        assert "━" in seen
        assert "\x1b" not in text
        assert text.strip()
    assert sorted(path.name for path in here.iterdir() if path.name[0] != ".") == ["talk.th.md", "talk.th.srt"]
    assert "talk.th.srt" in seen


@pytest.mark.ci
def test_errors_may_go_elsewhere_while_text_is_seen(tmp_path, here, env):
    """Then there is no bar, and no colour in them."""
    source = speech.encode(tmp_path / "talk.mp3", speech.sample("english"))
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    with split((tmp_path / "bad.wav", source), "stdout", tmp_path, here, env, code=1) as (seen, errors):
        assert speech.says(Terminal(80).feed(seen).lines[-1], "english")
        assert "━" not in seen
        assert "bad.wav failed" in errors
        assert "\x1b" not in errors


@contextlib.contextmanager
def split(words, shown, tmp_path, here, env, code=0):
    """What a command prints on the stream that is a terminal, and what on the other one."""
    ours, theirs = pty.openpty()
    with open(tmp_path / "kept", "w+b") as file:
        streams = {"stdout": file, "stderr": file} | {shown: theirs}
        env = env | {"TERM": "xterm", "COLUMNS": "80"}
        process = subprocess.Popen(command(*words), stdin=subprocess.DEVNULL, cwd=here, env=env, **streams)
        os.close(theirs)
        seen = b""
        while piece := _read(ours):
            seen += piece
        os.close(ours)
        assert process.wait(PATIENCE) == code, seen
        file.seek(0)
        yield seen.decode(), file.read().decode()


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 1 << 16)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.ci
def test_a_reader_that_does_not_read_holds_no_work_up_and_ctrl_c_ends_the_wait(tmp_path, env):
    """A pager, say: the results are written meanwhile."""
    (tmp_path / "names").write_text("hello → " + "hello " * 2000)
    source = speech.encode(tmp_path / "talk.mp3", speech.sample("english"))
    settings = (*DEMO, "--set", f"transcribe.replace={tmp_path / 'names'}")
    with subprocess.Popen(
        command(source, "-o", tmp_path / "out", settings=settings), stdout=subprocess.PIPE, env=env
    ) as process:
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        wait_for((tmp_path / "out" / "talk.en.json").exists, "the results are there")
        wait_for(lambda: not psutil.Process(process.pid).children(), "the workers have ended")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    assert os.listdir(env["TMPDIR"]) == []


@pytest.mark.ci
def test_where_nobody_reads_any_more_the_rest_is_not_transcribed(env, long):
    """As with `| head`. What is also wanted in files is."""
    words = command(long, settings=(*DEMO, *BY_WINDOW, "--set", "log.level=DEBUG"))
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout.read(3)
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(PATIENCE) == 1
    assert "stopping: SIGTERM" in errors
    assert "sttd:" not in errors
    assert os.listdir(env["TMPDIR"]) == []

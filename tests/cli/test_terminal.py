"""What a person sees: colours, tables and bars, on any width, with any name."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from rich.cells import cell_len

from sttd.job import State
from sttd.ledger.past.records import Sample
from tests import forked
from tests.cli.conftest import HOSTILE, SOUND, THAI, failed, finished, lives
from tests.cli.test_look import LIVE
from tests.harness import PATIENCE

COLOUR = re.compile(r"\x1b\[[\d;]*3\dm")
ESCAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


class Screen:
    """A command whose standard output is a terminal."""

    def __init__(self, root, width: int, *words: str, **env: str) -> None:
        self.handle, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
        base = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.start(["--root", str(root), *words], end, base | {"TERM": "xterm-256color", "PYTHONUTF8": "1"} | env)
        os.close(end)
        self.seen = b""

    def start(self, words: list[str], end: int, env: dict[str, str]) -> None:
        command = [sys.executable, "-m", "sttd", *words]
        self.process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=env)

    def read(self, until: str | None = None, patience: float = PATIENCE) -> str:
        """What it shows up to its end, or up to a text."""
        end = time.monotonic() + patience
        while time.monotonic() < end and (until is None or until.encode() not in self.seen):
            if select.select([self.handle], [], [], 0.1)[0]:
                try:
                    piece = os.read(self.handle, 65536)
                except OSError:  # the other end is closed: the command has ended
                    break
                self.seen += piece
        return self.seen.decode()

    def close(self) -> int:
        code = self.process.wait(PATIENCE)
        os.close(self.handle)
        return code


class Forked(Screen):
    """A command that does not have to be started anew."""

    def start(self, words: list[str], end: int, env: dict[str, str]) -> None:
        self.child = forked.sttd(words, [end] * 3, env)

    def close(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        os.close(self.handle)
        return code


@pytest.fixture
def show(root):
    """What a command shows on a terminal of a width."""

    def run(width: int, *words: str, **env: str) -> str:
        screen = Forked(root, width, *words, **env)
        text = screen.read()
        assert screen.close() == (1 if words[0] == "status" else 0), text  # the daemon of these tests has a trouble
        return text

    return run


@pytest.fixture
def busy(ledger, daemon):
    """A ledger with one of each."""
    finished(ledger, THAI)
    failed(ledger, HOSTILE, "the file holds no audio, and this sentence is long enough to need a second line")
    ledger.update(ledger.add("Q3 [final].mp3", SOUND, 1.0), state=State.RUNNING)
    ledger.add("long/" + "very-" * 30 + "long.flac", SOUND, 1.0)
    lives(ledger, LIVE)


def test_a_terminal_has_colours_and_a_bar_a_worker(show, busy):
    text = show(120, "status")
    assert COLOUR.search(text)
    assert "━" in text
    assert "36%" in text
    assert THAI in text


def test_names_are_never_markup_and_never_escapes(show, busy):
    text = show(120, "jobs")
    assert "Q3 [final].mp3" in text
    assert "evil\\x1b[31m\\x0aname\\xff.ogg" in text


@pytest.mark.parametrize("width", [24, 40, 71, 72, 80, 200])
@pytest.mark.parametrize("command", ["status", "jobs"])
def test_no_line_is_wider_than_the_terminal(show, busy, width, command):
    """Long names are cut, the figures hold their columns."""
    for line in ESCAPE.sub("", show(width, command)).split("\r\n"):
        assert cell_len(line.rstrip()) <= width
        assert width < 40 or command == "status" or not line.startswith("…")


@pytest.mark.parametrize("width", [24, 50, 80, 200])
@pytest.mark.parametrize("words", [("report",), ("model", "list")])
def test_a_report_and_the_models_are_shaped_for_the_terminal(root, ledger, width, words, tmp_path):
    """Words are broken only where one alone is wider, as a path may be."""
    finished(ledger, THAI)
    now = int(time.time())
    ledger.add_sample(Sample(now - 90, 60, 40.0, 71.5, 1, queued=0, load_timeouts=2, resumes=0), now)
    hub = tmp_path / "a folder" / ("deep-" * 12)
    cached = hub / "models--Systran--faster-whisper-small" / "snapshots" / ("e" * 40)
    cached.mkdir(parents=True)
    (cached.parents[1] / "refs").mkdir()
    (cached.parents[1] / "refs" / "main").write_text("e" * 40)
    screen = Forked(root, width, *words, HF_HUB_CACHE=str(hub))
    lines = ESCAPE.sub("", screen.read()).split("\r\n")
    assert screen.close() == 0, lines
    assert all(cell_len(line.rstrip()) <= width for line in lines), lines
    found = " ".join(lines).split()
    wanted = (
        {"95th", "moderate,", "transcript", "report.html"}
        if words == ("report",)
        else {"distil-large-v3.5", "tokenizer.json,"}
    )
    assert wanted <= set(found), lines


@pytest.mark.parametrize("width", [24, 50, 80])
def test_a_long_list_of_the_configuration_stands_below_its_beginning(show, width):
    lines = ESCAPE.sub("", show(width, "config", "show")).split("\r\n")
    assert all(cell_len(line.rstrip()) <= width for line in lines)
    begin = next(number for number, line in enumerate(lines) if line.startswith("suffixes ="))
    assert width < 50 or lines[begin + 1].startswith(" " * 11 + '"')


LONG_MODEL = "/srv/models/whisper-large-v3-thai-combined-ct2"


@pytest.mark.parametrize(("width", "room"), [(50, 30), (80, 30), (120, 40)])
def test_a_long_path_of_a_model_takes_no_room_from_the_names(show, ledger, width, room):
    """The columns of both lists: what is left is the recording's. Of the model its end is shown, which tells versions apart."""
    finished(ledger, "a-name-of-" + "k" * 60, model=LONG_MODEL, audio_seconds=360_000.0)
    (row,) = [line for line in ESCAPE.sub("", show(width, "jobs")).split("\r\n") if "a-name-of" in line]
    assert row.count("k") + len("a-name-of-") >= room, row
    assert width < 100 or "combined-ct2" in row


def test_at_80_columns_the_name_of_what_a_worker_does_has_a_line_of_its_own(show, ledger, busy):
    name = "meetings/2026/" + "k" * 50 + ".flac"
    workers = [LIVE["workers"][0] | {"source": name, "model": LONG_MODEL, "done": 3600.0, "total": 36_000.0}]
    lives(ledger, LIVE | {"workers": workers})
    lines = ESCAPE.sub("", show(80, "status")).split("\r\n")
    number = next(number for number, line in enumerate(lines) if name in line)
    assert "36%  1:00:00 / 10:00:00" in lines[number + 1]


def test_a_narrow_terminal_still_says_the_state(show, busy):
    lines = ESCAPE.sub("", show(40, "jobs")).split("\r\n")
    for number, state in enumerate(("done", "failed", "running", "queued"), 1):
        assert any(line.split()[:2] == [str(number), state] for line in lines)


def test_at_50_columns_the_hour_of_a_job_is_said_or_else_its_day(show, ledger):
    """In the local zone, as everywhere."""
    now = time.time()
    for ago in (0, 40 * 86400, 900 * 86400):
        ledger.add(f"{ago}.mp3", SOUND, now - ago)
    lines = ESCAPE.sub("", show(50, "jobs", TZ="UTC")).split("\r\n")
    ends = {words[2]: " ".join(words[3:]) for line in lines if len(words := line.split()) > 3}
    assert ends["0.mp3"] in (time.strftime("%H:%M", time.gmtime(now)), time.strftime("%b %d", time.gmtime(now)))
    assert ends[f"{40 * 86400}.mp3"] == time.strftime("%b %d", time.gmtime(now - 40 * 86400))
    assert ends[f"{900 * 86400}.mp3"] == time.strftime("%Y", time.gmtime(now - 900 * 86400))


def test_no_color_is_obeyed(show, busy):
    assert not COLOUR.search(show(120, "status", NO_COLOR="1"))


def test_a_dumb_terminal_gets_plain_text(show, busy):
    assert "\x1b" not in show(120, "status", TERM="dumb")
    report = show(120, "report", TERM="dumb")
    assert report.startswith("period  ")
    assert "\x1b" not in report


def test_watch_follows_the_ledger_until_ctrl_c(root, ledger, busy):
    """A renewed picture a second."""
    screen = Screen(root, 100, "status", "--watch")
    screen.read("36%")
    workers = [LIVE["workers"][0] | {"progress": 0.77}]
    lives(ledger, LIVE | {"workers": workers})
    assert "77%" in screen.read("77%")
    screen.process.send_signal(signal.SIGINT)
    screen.read()
    assert screen.close() == 130
    assert b"Traceback" not in screen.seen


def test_watch_in_a_pipe_prints_what_changes(root, ledger, busy):
    """For programs a line of JSON a change."""
    command = [sys.executable, "-m", "sttd", "--root", str(root), "status", "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert '"queued": 1' in watching.stdout.readline()
        ledger.add("new.mp3", SOUND, 1.0)
        assert '"queued": 2' in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(PATIENCE) == 130


def test_many_jobs_are_cut_to_the_newest_and_said(show, ledger):
    with ledger.transaction():
        for number in range(130):
            ledger.add(f"{number}.mp3", SOUND, 1.0)
    text = show(80, "jobs")
    assert "129.mp3" in text
    assert " 29.mp3" not in text
    assert "30 older: the same with --before 31 shows them" in text
    assert "older" not in show(80, "jobs", "--limit", "130")
    assert " 30.mp3" not in show(80, "jobs", "--before", "31")

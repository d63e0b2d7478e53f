"""The bars of recordings on a terminal: what they say, on any width, and that no text is torn by them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import tty

import pytest
from rich.cells import cell_len

from sttd.cli import live
from sttd.cli.live import Bars
from sttd.cli.progress import At, Pace, Picture
from sttd.job import Job, State
from sttd.view import figures
from sttd.view.lying import Lying
from tests.emulator import Terminal

THAI = "รายงานการประชุมใหญ่สามัญผู้ถือหุ้นประจำปีครั้งที่๑.mp3"
END = b"\x04end\x04"
AT = At(1234.0, 36_000.0, attempt=1, begun=0.0)


def job(number: int = 1, source: str = THAI, state: State = State.RUNNING, model: str | None = "demo") -> Job:
    return Job(number, source, 1, 2, state=state, model=model)


@pytest.fixture
def terminal(monkeypatch):
    """Standard output and standard error are a terminal of a width; gives what reads it."""
    handles: list[int] = []

    def make(width: int, encoding: str = "utf-8", **env: str):
        ours, theirs = pty.openpty()
        handles.extend((ours, theirs))
        tty.setraw(theirs)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
        for name, value in ({"TERM": "xterm-256color", "COLUMNS": str(width), "LINES": "30"} | env).items():
            monkeypatch.setenv(name, value)
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, os.fdopen(os.dup(theirs), "w", encoding=encoding))

        def read() -> str:
            os.write(theirs, END)
            seen = b""
            while not seen.endswith(END):
                seen += os.read(ours, 1 << 16)
            return seen.removesuffix(END).decode()

        return read

    yield make
    monkeypatch.undo()
    for handle in handles:
        os.close(handle)


@pytest.fixture
def known_pace(monkeypatch):
    monkeypatch.setattr(live.Paces, "of", lambda *_: Pace(0.0, 0.0, 100.0, 1234.0))
    monkeypatch.setattr(live.time, "monotonic", lambda: 100.0)


@pytest.mark.parametrize("width", [50, 80, 120])
def test_a_bar_has_all_figures_on_any_width_and_a_thai_name_holds_its_columns(terminal, known_pace, width):
    """Marks above and below a letter take no column. Below 80 columns the name is above its bar."""
    read = terminal(width)
    short = job(2, "a.mp3")
    Bars(lambda: Picture((job(), short), {1: AT, 2: AT}), live.at_work, total=3).draw()
    lines = Terminal(width).feed(read()).lines
    assert lines[-1] == "0 of 3 files"
    figures = [line for line in lines if "%" in line]
    assert len(figures) == 2
    for line in figures:
        assert "━" in line
        assert all(each in line for each in ("3%", "20:34 / 10:00:00", "12×", "46:57 left"))
    columns = {cell_len(line[: line.index("3%")]) for line in figures}
    assert len(columns) == 1, "the columns stay where they are"
    names = [line for line in lines if line.startswith("รายงาน")]
    assert len(names) == 1
    assert cell_len(names[0].split("  ")[0]) >= 16


@pytest.mark.parametrize(
    ("state", "model", "at", "words"),
    [
        (State.RUNNING, None, None, "model loads"),
        (State.RUNNING, "demo", At(0.0, 60.0, 1, 0.0), "listens"),
        (State.COMMITTING, "demo", None, "is written"),
    ],
)
def test_what_has_no_share_yet_is_said_in_words(terminal, state, model, at, words):
    read = terminal(80)
    Bars(lambda: Picture((job(state=state, model=model),), {1: at} if at else {}), live.at_work).draw()
    (line,) = Terminal(80).feed(read()).lines
    assert words in line
    assert "%" not in line


def test_a_recording_of_unknown_length_has_a_spinner_and_the_time_that_was_heard(terminal, known_pace):
    read = terminal(80)
    Bars(lambda: Picture((job(),), {1: At(75.0, None, 1, 0.0)}), live.at_work).draw()
    (line,) = Terminal(80).feed(read()).lines
    assert line.split()[1] in "-\\|/"
    assert "1:15" in line
    assert "12×" in line
    assert "%" not in line
    assert "left" not in line


@pytest.mark.parametrize("width", [50, 80])
def test_text_and_remarks_stand_above_the_bars_and_are_whole(terminal, known_pace, width):
    read = terminal(width)
    screen, bars = Terminal(width), Bars(lambda: Picture((job(),), {1: AT}), live.at_work)
    said: list[str] = []
    bars.draw()
    for text in ("hello world", "สวัสดีครับ ผู้ถือหุ้น", "and more"):
        bars.write(f"{text}\n")
        said.append(text)
        bars.draw()
        lines = screen.feed(read()).lines
        assert lines[: len(said)] == said
        assert len([line for line in lines[len(said) :] if "%" in line]) == 1
    bars.note("the disk is slow", "WARNING")
    bars.close()
    assert screen.feed(read()).lines == [*said, "the disk is slow"]


@pytest.mark.parametrize("width", [20, 50, 80])
def test_a_terminal_of_few_letters_has_one_bar_and_no_piles_of_them(terminal, known_pace, width):
    """An escape is wider than its letter: lines that wrapped stayed, with each picture."""
    read = terminal(width, "ascii")
    bars = Bars(lambda: Picture((job(source=f"é {'long ' * 40}.mp3"),), {1: AT}), live.at_work)
    screen = Terminal(width)
    for _ in range(3):
        bars.draw()
    lines = screen.feed(read()).lines
    assert len(lines) == (1 if width == 80 else 2)
    assert lines[0].startswith("? long")
    bars.close()
    assert screen.feed(read()).lines == []


def test_a_watched_status_holds_its_lines_on_a_terminal_of_few_letters(terminal, ledger):
    """Each line is as wide as it was measured, whatever its letters are."""
    read = terminal(80, "ascii")
    worker = {
        "pid": 5,
        "state": "busy",
        "job": 1,
        "model": "demo",
        "progress": 0.5,
        "left": None,
        "attempt": 1,
        "source": THAI,
        "done": 5.0,
        "total": 9.0,
    }
    found = figures.status(ledger, True) | {"workers": [worker]}
    looks = iter([(found, Lying()), (found, Lying())])
    with pytest.raises(StopIteration):
        live.watch(lambda: next(looks), 0.0, "sttd")
    (line,) = {line for line in read().splitlines() if "50%" in line}
    assert "\\u" not in line
    assert len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80


def test_no_color_is_obeyed_by_the_bars(terminal, known_pace):
    read = terminal(80, NO_COLOR="1")
    bars = Bars(lambda: Picture((job(),), {1: AT}), live.at_work)
    bars.draw()
    bars.note("red?", "ERROR")
    seen = read()
    assert "\x1b[3" not in seen
    assert "3%" in seen


def test_more_bars_than_lines_leave_the_text_above_them_alone(terminal, known_pace):
    read = terminal(80, LINES="5")
    jobs = tuple(job(number, f"{number}.mp3") for number in range(1, 20))
    bars = Bars(lambda: Picture(jobs, {each.id: AT for each in jobs}), live.at_work)
    screen = Terminal(80)
    bars.draw()
    bars.write("hello\n")
    bars.draw()
    lines = screen.feed(read()).lines
    assert lines[0] == "hello"
    assert len(lines) == 4


def test_what_is_over_has_no_bar_any_more_when_its_facts_are_told(terminal, known_pace):
    """However short ago the last look was."""
    read, jobs = terminal(80), [job()]
    bars = Bars(lambda: Picture(tuple(jobs), {1: AT}), live.at_work)
    bars.draw()
    jobs[:] = [job(state=State.DONE)]
    bars.look()
    bars.note("it is done", "DONE")
    assert Terminal(80).feed(read()).lines == ["it is done"]

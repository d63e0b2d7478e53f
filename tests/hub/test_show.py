"""What a person sees of a download."""

from __future__ import annotations

from sttd.cli.pulling import Lines
from tests.cli.test_terminal import COLOUR, ESCAPE, Screen


def test_a_terminal_gets_a_bar_for_each_file(machine):
    environ = machine.environ | {"HF_HUB_OFFLINE": "0", "TERM": "xterm-256color"}
    screen = Screen(machine.home, 100, "model", "pull", "base", **environ)
    seen = screen.read()
    assert screen.close() == 0, seen
    assert COLOUR.search(seen)
    plain = ESCAPE.sub("", seen)
    assert "━" in plain
    assert "9.1/9.1 MB" in plain
    assert "base is whole (5 files came)" in plain.replace("\r\n", "")


def test_everything_else_gets_a_line_for_each_tenth(machine):
    """And neither a colour nor a return."""
    out = machine.sttd("pull", "base").stdout
    assert not ESCAPE.search(out)
    assert "\r" not in out
    lines = [line.split() for line in out.splitlines() if line.startswith("  model.bin")]
    assert lines[0] == ["model.bin", "9.1", "MB"]
    assert [line[1] for line in lines[1:]][-1] == "100%"
    assert len(lines) == 11


def test_a_part_that_is_here_already_is_said_and_an_empty_file_is_no_division(capsys):
    show = Lines()
    show.begin("model.bin", 950, 1000)
    show.at(960)
    show.at(1000)
    show.begin("vocabulary.txt", 0, 0)
    show.at(0)
    assert capsys.readouterr().out.splitlines() == [
        "  model.bin  1.0 kB, goes on at 950 bytes",
        "  model.bin  100%",
        "  vocabulary.txt  0 bytes",
    ]

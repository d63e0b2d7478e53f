"""How commands are called, and how they end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sttd import __version__
from sttd.cli.app import COMMANDS
from sttd.cli.options import INSTALLED, Given
from sttd.job import Identity
from tests.cli.conftest import THAI, finished
from tests.harness import PATIENCE

# what a command that only looks has no need of; each costs from 5 to 500 ms
HEAVY = {
    "rich",
    "loguru",
    "watchdog",
    "numpy",
    "av",
    "faster_whisper",
    "ctranslate2",
    "multiprocessing",
    "psutil",
    "sttd.part",
}


def test_an_unknown_command_names_the_nearest(sttd):
    done = sttd("statsu")
    assert done.code == 2
    assert "did you mean" in done.err.lower()
    assert "'status'" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(sttd, command):
    """And takes the shared options, which its help shows."""
    done = sttd(command, "--help")
    assert done.code == 0
    assert "--set SECTION.KEY=VALUE" in done.out


def test_without_a_command_the_help_is_shown(process):
    done = subprocess.run([sys.executable, "-m", "sttd"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(command in done.stderr for command in COMMANDS)


def test_the_version(sttd):
    assert sttd("--version").out == f"sttd {__version__}\n"


def test_each_bad_key_is_a_line_of_its_own(sttd):
    done = sttd("--set", "modle.name=x", "status", "--set", "pool.workers=many")
    assert done.code == 2
    lines = done.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("sttd: --set") for line in lines)
    assert "model" in lines[0]


def test_options_may_stand_before_and_after_the_command(tmp_path, capsys, monkeypatch):
    """The later folder counts, settings add up and the later one wins, and it may stand after a nested command too."""
    from sttd.cli import options
    from sttd.cli.app import main

    seen = []
    real = Given.load
    monkeypatch.setattr(options.Given, "load", lambda self, *more: seen.append(real(self, *more)) or seen[-1])
    one, two = tmp_path / "one", tmp_path / "two"
    for words in (
        [
            "--root",
            one,
            "--set",
            "model.name=a",
            "--set",
            "pool.workers=3",
            "check-config",
            "--root",
            two,
            "--set",
            "model.name=b",
        ],
        [
            "--root",
            one,
            "--set",
            "model.name=a",
            "model",
            "--set",
            "pool.workers=3",
            "list",
            "--root",
            two,
            "--set",
            "model.name=b",
        ],
    ):
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, words)))
        assert not ended.value.code, capsys.readouterr().err
        config = seen.pop()
        assert config.paths.inbox == two / "inbox"
        assert config.model.name == "b"
        assert config.pool.workers == 3


def test_the_installed_configuration_is_read_only_where_nothing_else_is_said(tmp_path, monkeypatch):
    """And with it the service's state folder, which systemd tells the daemon alone."""
    from sttd.cli import options

    installed, state = tmp_path / "sttd.toml", tmp_path / "var"
    monkeypatch.setattr(options, "INSTALLED", installed)
    monkeypatch.setattr(options, "SERVICE_STATE", state)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert Given().file() is None
    installed.write_text('[model]\nname = "tiny"\n')
    assert Given().load().model.name == "tiny"
    assert Given(root=tmp_path).load().model.name == "small"
    assert Given().load().paths.state != state
    state.mkdir()
    assert Given().load().paths.state == state
    assert Given(root=tmp_path).load().paths.state == tmp_path / "state"


def test_what_only_looks_imports_little(process, ledger):
    """`status --json` is there in well under 100 ms, which no import of the heavy kind leaves."""
    finished(ledger, THAI)
    code = (
        "import sys\nfrom sttd.cli.app import main\n"
        f"try:\n main(['--root', {str(ledger.path.parent.parent)!r}, 'status', '--json'])\n"
        f"finally:\n print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "[]\n"


def test_garbage_is_hardly_searched_for_while_a_command_is_imported():
    """By default it is, some 25 times, for nothing."""
    code = (
        "import gc, sys\nfrom sttd.cli import main\nsys.argv[1:] = ['status', '--help']\n"
        "def searches(): return sum(each['collections'] for each in gc.get_stats())\n"
        "before = searches()\n"
        "try:\n main()\n"
        "finally:\n print(searches() - before, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert int(done.stderr) < 5


@pytest.mark.parametrize("jobs", [1, 3000])
def test_a_reader_that_goes_away_is_told_nothing(ledger, jobs):
    """`sttd jobs | true`: no traceback, no message, whether all of it is still in the buffer or not."""
    with ledger.transaction():
        for number in range(jobs):
            ledger.add(f"{number:0100}.mp3", Identity(1, 1), 1.0)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "sttd", "--root", str(ledger.path.parent.parent), "jobs"]
    with os.fdopen(writing) as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    assert done.stderr == ""
    assert done.returncode == 1


def test_ctrl_c_while_the_commands_are_imported_leaves_no_trace():
    code = """
import sys, types
class Slow(types.ModuleType):
    def __getattr__(self, name):
        raise KeyboardInterrupt
sys.modules["sttd.cli.app"] = Slow("sttd.cli.app")
import sttd.cli
sttd.cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("closed", [1, 2])
def test_a_standard_stream_that_is_closed_is_no_other_one(tmp_path, closed):
    """Python has none then: it ended with a trace, and printed warnings on standard output."""
    command = [
        sys.executable,
        "-m",
        "sttd",
        "--root",
        str(tmp_path),
        "check-config",
        "--set",
        "model.name=nobody/nothing",
    ]
    words = ["sh", "-c", f'exec "$@" {closed}>&-', "sh", *command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert ("the defaults:" in done.stdout, "warning" in done.stderr) == (closed != 1, closed != 2)
    assert "warning" not in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_terminal_lacks_the_letters(process, ledger, encoding):
    """A name that the terminal's encoding has no letters for is escaped, never an error."""
    finished(ledger, THAI)
    done = process("jobs", env=os.environ | {"PYTHONIOENCODING": encoding}, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert (THAI if encoding == "utf-8" else "\\u0e1a") in done.stdout


def test_check_config_says_where_the_configuration_comes_from(sttd, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text('[model]\nname = "demo"\nfallback = "demo"\n')
    done = sttd("check-config", "--config", str(file))
    assert done.code == 0
    assert done.out.startswith(f"{file}: good")
    assert "sttd: warning: [model] fallback" in done.err
    assert sttd("check-config", "--config", str(tmp_path / "none.toml")).code == 2


def test_transcribe_refuses_what_is_no_file(sttd, tmp_path):
    for name in (tmp_path / "none.mp3", tmp_path):
        done = sttd("transcribe", str(name))
        assert done.code == 2
        assert str(name) in done.err


def test_under_systemd_a_complaint_is_an_error_of_the_journal(tmp_path):
    """A service that does not start for its configuration says why at the priority of an error; elsewhere there is no mark."""
    command = [sys.executable, "-m", "sttd", "--root", str(tmp_path), "--set", "pool.wrokers=1", "run"]
    reader, writer = socket.socketpair()
    with reader, writer:
        seen = os.fstat(writer.fileno())
        journal = os.environ | {"JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino}"}
        done = subprocess.run(command, stderr=writer, env=journal, timeout=PATIENCE, check=False)
        assert done.returncode == 2
        line = reader.recv(10_000).decode()
        assert line.startswith("<3>sttd: ")
    plain = subprocess.run(command, capture_output=True, text=True, env=journal, timeout=PATIENCE, check=False)
    assert plain.stderr == line.removeprefix("<3>")


@pytest.mark.parametrize(
    ("given", "program"),
    [
        (Given(), "sttd"),
        (Given(INSTALLED), "sttd"),
        (Given(Path("/etc/sttd/meeting.toml")), "sttd --config /etc/sttd/meeting.toml"),
        (Given(None, Path("/my files")), "sttd --root '/my files'"),
        (Given(None, Path("/a"), ["model.name=x", "paths.state=/s"]), "sttd --root /a --set paths.state=/s"),
    ],
)
def test_advice_names_the_whole_command(given, program):
    """For an instance, or a folder of one's own, `sttd retry 1` would be about another ledger."""
    assert given.program() == program

"""`sttd report`, as it is typed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from sttd.cli import report as command
from sttd.cli.report import NotWritten, write
from sttd.ledger import Ledger
from tests.harness import PATIENCE
from tests.report.filled import fill

WORDS = [sys.executable, "-P", "-m", "sttd"]
TOTAL = {
    "done", "failed", "cancelled", "vanished", "audio_seconds", "worker_seconds", "audio_hours_per_hour", "wait_median",
    "wait_95", "load_timeouts", "fallbacks", "job_timeouts", "resumes", "memory_high",
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root whose daemon ran for nine days."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "state").mkdir()
    fill(folder / "state" / "ledger.db", time.time(), 9, 500)
    return folder


def run(root, *words, **options):
    environ = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LC_MESSAGES", "LANG")}
    known = {
        "capture_output": True,
        "encoding": "utf-8",
        "timeout": PATIENCE,
        "env": environ | options.pop("environ", {}),
    }
    return subprocess.run([*WORDS, "--root", str(root), "report", *words], check=False, **(known | options))


def test_json_has_the_shape_that_its_help_tells(root):
    done = run(root, "--json", "--since", "2d")
    found = json.loads(done.stdout)
    assert list(found) == ["since", "until", "zone", "levels", "total", "spans"]
    assert found["levels"] == {"moderate": 80.0, "high": 90.0, "critical": 95.0}
    assert set(found["total"]) == TOTAL
    assert set(found["spans"][0]) == TOTAL | {"start", "end", "memory_low", "memory_level", "queued"}
    assert sum(each["done"] for each in found["spans"]) == found["total"]["done"] > 50
    assert found["spans"][0]["start"] == found["since"] <= found["until"] - 2 * 86400
    told = " ".join(run(root, "--help").stdout.split())
    assert all(key in told for key in (*found, *found["total"], *found["spans"][0]))


def test_a_pipe_gets_html_and_a_file_as_well(root, tmp_path):
    """In the language of the system, or the one that is asked for."""
    page = run(root).stdout
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert page.endswith("</html>\n")
    done = run(root, "-o", str(tmp_path / "x.html"), environ={"LANG": "th_TH.UTF-8"})
    assert (done.stdout, done.stderr) == ("", f"sttd: wrote {tmp_path}/x.html\n")
    assert '<html lang="th">' in (tmp_path / "x.html").read_text("utf-8")
    assert '<html lang="en">' in run(root, "--language", "en", environ={"LC_ALL": "th_TH.UTF-8"}).stdout
    assert [each.name for each in tmp_path.iterdir()] == ["x.html"]


def test_a_terminal_gets_a_few_lines(root):
    """`script` makes a terminal."""
    words = " ".join([*WORDS, "--root", str(root), "report"])
    done = subprocess.run(
        ["script", "-qec", words, "/dev/null"], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    lines = re.sub(r"\x1b\[[\d;]*m|\r", "", done.stdout).splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["period", "recordings", "audio", "waiting", "memory"]
    assert " ".join(" ".join(lines).split()).endswith(f"with charts: sttd --root {root} report -o report.html")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--since", "soon"], "'soon' is no time: write 2h"),
        (["--json", "-o", "x.html"], "--json prints to standard output, -o writes HTML"),
        (["-o", "/nowhere/x.html"], "-o /nowhere/x.html: No such file or directory"),
        (["-o", "/proc/x.html"], "-o /proc/x.html: "),
        (["-o", "/"], "-o /: Is a directory"),
        (["-o", "/dev/full"], "-o /dev/full: No space left on device"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(root, words, says):
    done = run(root, *words)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_before_the_first_start_it_says_what_to_do(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 1
    assert "start the daemon" in done.stderr


def test_a_reader_that_goes_away_is_no_traceback(root):
    """In the middle of its text, also where Python does not buffer and would not go on with the rest."""
    words, pipes = [*WORDS, "--root", str(root), "report"], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, bufsize=0, env=os.environ | {"PYTHONUNBUFFERED": "1"}, **pipes) as process:
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        assert process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 1


def test_ctrl_c_ends_it_with_130_and_leaves_no_file(root, tmp_path):
    """While it writes into a pipe that nobody reads."""
    os.mkfifo(tmp_path / "x.html")
    held = os.open(tmp_path / "x.html", os.O_RDWR)
    words = [*WORDS, "--root", str(root), "report", "-o", str(tmp_path / "x.html")]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
        assert os.read(held, 10)  # it writes; a pipe takes 64 KiB
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().strip() == b""
        assert process.wait(PATIENCE) == 130
    os.close(held)
    assert [each.name for each in tmp_path.iterdir()] == ["x.html"]


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    """The one that was there stays where the disk is full; a link stays a link."""
    (tmp_path / "x.html").write_text("before")
    (tmp_path / "link.html").symlink_to("x.html")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(command.os, "fsync", full)
        with pytest.raises(NotWritten, match="No space left"):
            write(tmp_path / "x.html", "after")
    assert (tmp_path / "x.html").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2
    write(tmp_path / "link.html", "after")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "x.html").read_text() == "after"


def test_it_reads_while_the_daemon_writes_and_changes_nothing(root, tmp_path):
    before = (root / "state" / "ledger.db").read_bytes()
    ledger = Ledger.open(root / "state" / "ledger.db")
    done = run(root, "--json")
    ledger.close()
    assert done.returncode == 0
    assert (root / "state" / "ledger.db").read_bytes() == before

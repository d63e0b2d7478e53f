"""`sttd demo`: see tests/e2e for what it hears; here is what it does not touch, and what it says where it fails."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil

from tests.cli.conftest import SOUND
from tests.harness import PATIENCE


def test_a_folder_with_recordings_is_left_alone(sttd, root):
    """The demo model is not let loose on somebody's recordings."""
    (root / "inbox").mkdir()
    (root / "inbox" / "mine.mp3").write_bytes(b"sound")
    done = sttd("demo")
    assert done.code == 2
    assert "choose an empty folder" in done.err
    assert [path.name for path in (root / "inbox").iterdir()] == ["mine.mp3"]


def test_a_folder_with_jobs_that_wait_is_left_alone(sttd, ledger, root):
    ledger.add("mine.mp3", SOUND, 1.0)
    assert sttd("demo").code == 2
    assert not (root / "inbox").exists()


def test_a_demo_that_fails_shows_the_end_of_the_log(process):
    """Here for want of a model."""
    done = process("demo", "--set", "model.name=/nowhere")
    assert done.returncode == 1
    assert "/nowhere" in done.stderr
    assert "sttd: the demo failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_the_demo_with_its_code_and_leaves_no_daemon(root):
    """Also where it is sent to the command alone."""
    command = [sys.executable, "-m", "sttd", "--root", str(root), "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout.readline().startswith("2 recordings dropped into")
        started = psutil.Process(demo.pid).children()
        demo.send_signal(signal.SIGINT)
        assert (demo.wait(PATIENCE), demo.stderr.read()) == (130, "")
    assert started
    assert not [each for each in started if each.is_running()]

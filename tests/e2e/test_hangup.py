"""SIGHUP is two things: `reload` for a service, the end of its terminal for a daemon in the foreground."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import time

from sttd.host import restarts
from tests.harness import PATIENCE, wait_for


def test_a_daemon_in_the_foreground_ends_with_its_terminal(make_daemon):
    daemon = make_daemon()
    master, slave = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    process = subprocess.Popen(
        daemon.command("run"), stdin=slave, stdout=slave, stderr=subprocess.PIPE, start_new_session=True, env=environ
    )
    daemon.process = process
    os.close(slave)
    wait_for(lambda: daemon.sttd("status").returncode == 0 and daemon.json("status")["daemon"]["running"], "it runs")
    process.send_signal(signal.SIGHUP)  # what closing the terminal sends
    assert process.wait(PATIENCE) == 0
    os.close(master)


def test_a_daemon_without_a_terminal_reloads_and_goes_on(make_daemon, tmp_path):
    """A file that cannot be used is refused, and the configuration stays what it was."""
    config = tmp_path / "sttd.toml"
    config.touch()
    daemon = make_daemon().start("--config", str(config))
    daemon.wait_log("watches")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("configuration loaded again")
    config.write_text("[pool]\nworkers = " + "[" * 10_000)
    assert daemon.sttd("--config", str(config), "check-config").returncode == 2
    daemon.process.send_signal(signal.SIGHUP)  # the old one is kept
    daemon.wait_log("the configuration is not changed, because the new one is bad")
    assert daemon.stop() == 0


def test_a_reload_that_is_asked_for_while_the_daemon_starts_is_done_once_it_runs(make_daemon, tmp_path, monkeypatch):
    """It waits 2 s before this start, because the one before has failed."""
    (tmp_path / restarts.FILE).write_text(json.dumps([1, time.clock_gettime(time.CLOCK_BOOTTIME)]))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        daemon = make_daemon().start()
        daemon.wait_log("before this start")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_log("configuration loaded again")
        assert daemon.stop() == 0

"""SIGHUP is two things: `reload` for a service, the end of its terminal for a daemon in the foreground."""

from __future__ import annotations

import os
import pty
import signal
import subprocess

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


def test_a_daemon_without_a_terminal_reloads_and_goes_on(make_daemon):
    daemon = make_daemon().start()
    daemon.wait_log("watches")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("configuration loaded again")
    assert daemon.stop() == 0

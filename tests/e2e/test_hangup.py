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

"""sttd as the first process of a container, in a process namespace of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.harness import PATIENCE, wait_for
from tests.machine import no_mounts

_LACKS = no_mounts("--pid", "--fork")
pytestmark = pytest.mark.skipif(_LACKS is not None, reason=_LACKS or "")
# orphans of process 1: a child that ends at once, and one that ends later
ORPHANS = '(sleep 0.3 & sleep 1.5 &); exec "$@"'
# sttd, that is told to reload while it forks; its child goes on when that has come to it
HUNG_UP = """
import os, signal, time
from sttd.cli import main

def fork(fork=os.fork):
    os.kill(1, signal.SIGHUP)
    child = fork()
    while child == 0 and signal.SIGHUP not in signal.sigpending():
        time.sleep(0.01)
    os.fork = fork
    return child

os.fork = fork
main()
"""


def test_as_process_1_it_reaps_orphans_and_takes_signals_and_its_exit_code_is_the_daemons(make_daemon):
    daemon = make_daemon()
    spaces = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"]
    command = [*spaces, "sh", "-c", ORPHANS, "sh", *daemon.command("run")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as outer:
        try:
            assert outer.stderr is not None
            begun = time.monotonic()
            for line in outer.stderr:
                if "watches" in line:
                    break
            (init,) = wait_for(lambda: psutil.Process(outer.pid).children(), "process 1 is there")
            wait_for(lambda: time.monotonic() > begun + 2, "all orphans have ended")
            family = init.children(recursive=True)
            assert [each.name() for each in family if each.status() == psutil.STATUS_ZOMBIE] == []
            assert len([each for each in family if "sttd" in " ".join(each.cmdline())]) == 1
            init.send_signal(signal.SIGTERM)
            rest = outer.stderr.read()
            assert outer.wait(PATIENCE) == 0, rest
        finally:
            outer.kill()


def test_a_reload_that_process_1_is_told_to_do_while_it_forks_is_done(make_daemon):
    daemon = make_daemon()
    spaces = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"]
    words = daemon.command("run")
    words = [sys.executable, "-c", HUNG_UP, *words[words.index("sttd") + 1 :]]
    with subprocess.Popen([*spaces, *words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as outer:
        try:
            assert outer.stderr is not None
            assert any("configuration loaded again" in line for line in outer.stderr), outer.wait(PATIENCE)
        finally:
            outer.kill()

"""Who asks a file system and is killed leaves no process behind that goes on asking."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil

from tests.harness import PATIENCE, wait_for

ASKER = "import time; from sttd.fs.patience import answers; answers({'hangs': lambda: time.sleep(3600)}, 3600)"


def test_a_question_ends_with_the_process_that_asked_it():
    with subprocess.Popen([sys.executable, "-c", ASKER]) as asker:
        (child,) = wait_for(psutil.Process(asker.pid).children, "it asks")
        asker.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs([child], timeout=PATIENCE / 30)
    for each in alive:
        each.kill()
    assert not alive

"""Who asks a file system and is killed leaves no process behind that goes on asking."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from sttd.fs.patience import answers
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


# Ctrl-C in the very moment of the fork, when the locks of logging are given back
INTERRUPTED = """
import os, signal
from sttd.fs.patience import answers
os.register_at_fork(after_in_parent=lambda: [os.kill(os.getpid(), signal.SIGINT), "handled here"][1])
try:
    answers({"a": lambda: 1})
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_while_it_is_asked_is_not_lost():
    """What a callback of a fork raises is: it left loguru locked, and `sttd transcribe` hanging."""
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_ctrl_c_does_not_make_a_file_system_one_that_does_not_answer():
    """The children that ask get it as well."""
    assert answers({"a": lambda: os.kill(os.getpid(), signal.SIGINT) or 1}) == {"a": 1}


# the threads of the process at each fork, as the kernel counts them
COUNTED = """
import os, sys
from sttd.cli.app import main
forks = []
os.register_at_fork(before=lambda: forks.append(len(os.listdir("/proc/self/task"))))
try:
    main(sys.argv[1:])
finally:
    print("threads", *sorted(set(forks)), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [("check-config",), ("run", "--drain")])
def test_who_asks_has_one_thread(tmp_path, words):
    """A fork of several may lock its child up for ever: Python warns of it, here only since pytest's own processes have them."""
    demo = ("--set", "model.name=demo", "--set", "model.fallback=")
    command = [sys.executable, "-c", COUNTED, "--root", str(tmp_path), *demo, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "threads 1"

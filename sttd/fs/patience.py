"""Asks a file system that may never answer: a share whose server is gone blocks every process that touches it.

Each question is asked in a child process. A thread would not do: where the kernel waits for the server of a FUSE mount,
no signal ends the wait, and a process with such a thread does not end either.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

DYING = 1.0  # seconds that a killed child may take to be gone
_PR_SET_PDEATHSIG = 1  # prctl(2): the child ends with the process that asked
_FROM_PEOPLE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 3.0  # seconds: enough for a disk that has to spin up, and short enough for a person


def answers(questions: Mapping[str, Callable[[], Any]], patience: float = PATIENCE) -> dict[str, Any]:
    """The answers that came within `patience` seconds, by the names of their questions. All are asked at once.

    Must be called while the process has no second thread: it forks.

    Args:
        questions: each returns what JSON can hold. One that raises counts as not answered.
        patience: seconds, for all of them together.
    """
    found: dict[str, Any] = {}
    children = {name: _ask(question) for name, question in questions.items()}
    with selectors.DefaultSelector() as waiting:
        for name, (_, pipe) in children.items():
            waiting.register(pipe, selectors.EVENT_READ, name)
        end = time.monotonic() + patience
        while waiting.get_map() and (left := end - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                waiting.unregister(key.fileobj)
                with contextlib.suppress(ValueError), open(key.fd, "rb", closefd=False) as answer:
                    found[key.data] = json.load(answer)
    for pid, handle in children.values():
        os.close(handle)
        os.kill(pid, signal.SIGKILL)  # not reaped yet, so that the number is still its own
        _reap(pid)
    return found


def _reap(pid: int) -> None:
    """Wait for a killed child; one that the kernel does not let die is left behind."""
    end = time.monotonic() + DYING
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < end:
        time.sleep(0.005)


def _ask(question: Callable[[], Any]) -> tuple[int, int]:
    """The child process that answers, and the end of a pipe from which its answer is read."""
    reading, writing = os.pipe()
    asker, library = os.getpid(), ctypes.CDLL(None)
    # Around a fork Python takes and releases locks. An exception of a signal handler in between is lost, and a lock stays
    # taken: Ctrl-C would do nothing, or the process would hang. The child keeps these signals blocked, and answers all the same.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_PEOPLE)
    pid = None
    try:
        pid = os.fork()
    finally:
        if pid != 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if pid:
        os.close(writing)
        return pid, reading
    gc.disable()  # garbage is the parent's: a finaliser may wait for threads, or remove files, that are not the child's
    try:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != asker:  # the parent died before prctl(2), which now will never send its signal
            os._exit(1)
        with open(writing, "w", encoding="ascii") as pipe:
            json.dump(question(), pipe)
    finally:
        os._exit(0)

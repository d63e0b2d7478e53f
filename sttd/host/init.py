"""The first process of a container has the duties of init: it must reap orphans, and no signal that it does not handle ends it.

So the daemon runs as a child of that process. Then only the daemon waits for its own children.
"""

from __future__ import annotations

import os
import signal
import sys

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def stand_aside() -> None:
    """If this is process 1: return only in a child; the parent ends with the child's exit code. Else do nothing.

    To be called before there is a second thread.
    """
    if os.getpid() != 1:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)  # until there is a child to forward them to
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)  # else Ctrl-C would reach the child twice: from the terminal, and from init
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        return
    _hand_terminal_to(child)
    for number in _FORWARDED:
        signal.signal(number, lambda given, _frame: os.kill(child, given))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    os._exit(_outlive(child))


def _hand_terminal_to(child: int) -> None:
    if not (sys.stdin is not None and sys.stdin.isatty()):
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.setpgid(child, child)
        os.tcsetpgrp(sys.stdin.fileno(), child)
    except OSError:  # it is not our controlling terminal, or the child has ended
        pass


def _outlive(child: int) -> int:
    """Reap every process that ends, until `child` does; returns its exit code as a shell shows it (a signal: 128 and more)."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code

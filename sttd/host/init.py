"""The first process of a container has the duties of init: it reaps orphans, and no signal ends it that it does not handle.

So the daemon is not that process but its child, whose own children nobody else waits for.
"""

from __future__ import annotations

import os
import signal
import sys

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def stand_aside() -> None:
    """Where this is process 1: return in a child, and end with its exit code once it has ended. Else nothing happens.

    To be called before there is a second thread.
    """
    if os.getpid() != 1:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)  # until somebody is there to have them
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)  # else a terminal's Ctrl-C would come from the terminal and from init
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
    """Reap whatever ends, until `child` does; returns its exit code, as a shell tells it."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code

"""What ties a worker to its parent and keeps it apart from the terminal: signals, process group, death with the parent."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_OOM_SCORE = 500  # of 1000, see proc(5): the kernel takes a worker long before the daemon


def tie(parent: int) -> None:
    """Settle in as a worker of the process `parent`.

    The parent must have started it in its main thread: the kernel sends PR_SET_PDEATHSIG when that *thread* ends.
    """
    _die_with(parent)
    with contextlib.suppress(PermissionError):  # it leads a session of its own: then it has a group of its own too
        os.setpgid(0, 0)
    _take_signals()
    _be_the_first_victim()


def _die_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call, which therefore will never fire
        os._exit(1)


def _take_signals() -> None:
    """SIGINT is ignored: a Ctrl-C is for the daemon. SIGTERM prints the stacks of all threads, then ends the process.

    The stacks are printed in the signal handler itself, so that they come even where the interpreter is stuck in a
    library; `chain` then calls the previous handler: the default, which ends the process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.stderr is not None:
        faulthandler.enable()
        faulthandler.register(signal.SIGTERM, all_threads=True, chain=True)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the parent blocks SIGINT while it starts us


def _be_the_first_victim() -> None:
    """If memory runs out the kernel is to kill a worker, whose job resumes: without the daemon all jobs would stop."""
    score = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):  # no /proc, or none of Linux's
        score.write_text(str(max(int(score.read_text()), _OOM_SCORE)))

"""How a command is started: it dies with the daemon, and has a session of its own, without a terminal to ask for passwords on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

NOT_FOUND, NOT_RUN = 127, 126  # exit codes, as a shell has them
_NOT_PASSED_ON = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # systemd listens to the daemon alone

# `preexec_fn` is not safe in a process with threads: this little program sets its death signal, and becomes the command
_BECOME = f"""
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what it becomes would too
    signal.signal(number, signal.SIG_DFL)
words = sys.argv[2:]
try:
    os.execvp(words[0], words)
except FileNotFoundError:
    print(f"there is no program {{words[0]!r}} on this machine", file=sys.stderr, flush=True)
    os._exit({NOT_FOUND})
except OSError as error:
    print(f"{{words[0]!r}} cannot be run on this machine: {{error.strerror}}", file=sys.stderr, flush=True)
    os._exit({NOT_RUN})
"""


def launch(
    command: Sequence[str], stdin: int = subprocess.PIPE, environ: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start it, with pipes that do not block. Called in the main thread: PR_SET_PDEATHSIG fires when the starting thread ends.

    Args:
        command: its words.
        stdin: a descriptor that is its standard input.
        environ: its environment; None: our own.

    Raises:
        OSError: there are no more processes or descriptors to be had.
    """
    environ = {name: value for name, value in (environ or os.environ).items() if name not in _NOT_PASSED_ON}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *command],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environ, cwd="/", start_new_session=True, bufsize=0,
    )  # fmt: skip
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
    return process

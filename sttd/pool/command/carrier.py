"""What carries the line to a far worker: a command such as `ssh gpu1 sttd worker`, or Ray (`sttd.pool.ray`)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Protocol

from sttd.pool.command import words
from sttd.pool.command.launch import launch


class Carrier(Protocol):
    """A carrier that was started. Its descriptors do not block; `close` closes them."""

    orders: int  # the far worker's standard input
    messages: int  # its standard output
    errors: int  # its standard error
    life: int  # readable once the carrier has ended, and the far worker with it

    def kill(self) -> None:
        """End it at once; may be called again, until `close`."""

    def wait(self, *, is_silent: bool) -> None:
        """Wait until it has ended; called after `kill`. `is_silent`: nothing is sent any more, so the far worker ends."""

    def close(self) -> int | None:
        """Close the descriptors; called once, after `wait`. Returns the exit code as in `Death`."""

    def words(self, exitcode: int | None, said: str, printed: str, *, was_ready: bool) -> str:
        """Why it has ended; see `sttd.pool.command.words`."""


class Command:
    """See `Carrier`: a process of this machine."""

    def __init__(
        self, command: Sequence[str], stdin: int = subprocess.PIPE, environ: Mapping[str, str] | None = None
    ) -> None:
        """See `launch`. Raises OSError: see there."""
        self._command = command
        self._process = launch(command, stdin, environ)
        self.pid = self._process.pid
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self.orders, self.messages, self.errors = (pipe.fileno() if pipe else -1 for pipe in pipes)
        try:
            self.life = os.pidfd_open(self._process.pid)
        except OSError:
            self.kill()
            self._close_pipes()
            self._process.wait()
            raise

    def kill(self) -> None:
        """Kill the command, and all of its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self, *, is_silent: bool) -> None:  # noqa: ARG002
        """It waits as long as the process hangs in the kernel, even after SIGKILL."""
        os.waitid(os.P_PIDFD, self.life, os.WEXITED | os.WNOWAIT)

    def close(self) -> int:
        os.close(self.life)
        self._close_pipes()
        return self._process.wait()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if pipe:
                    pipe.close()

    def words(self, exitcode: int | None, said: str, printed: str, *, was_ready: bool) -> str:
        return words.ended(self._command, exitcode or 0, said, printed, was_ready=was_ready)

"""Why a command that was to reach a worker has ended, in words for the log and for `sttd status`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from sttd.pool.command.launch import NOT_FOUND, NOT_RUN
from sttd.pool.death import spoken
from sttd.text import printable

_SSH_FAILED = 255  # ssh(1): of ssh itself, and not of what ran over there


def ended(command: Sequence[str], exitcode: int, said: str, printed: str, *, was_ready: bool) -> str:
    """Args:
    command: its words.
    exitcode: as subprocess has it: negative, the signal.
    said: the last line on its standard error.
    printed: the last line on its standard output, where that was no worker's.
    was_ready: a worker was there before.
    """
    program = printable(PurePath(command[0]).name)
    what = f"{program} ended ({_how(program, exitcode)})"
    if not was_ready:
        what += " before a worker answered"
    if said:
        return f"{what}: {said}"
    return f"{what}; it printed: {printed}" if printed and not was_ready else what


def _how(program: str, exitcode: int) -> str:
    if program == "ssh" and exitcode == _SSH_FAILED:
        return "it could not connect, or lost the connection"
    if exitcode == NOT_FOUND:
        return "exit code 127: a program was not found"
    if exitcode == NOT_RUN:
        return "exit code 126: a program could not be run"
    return spoken(exitcode)

"""Delivers by a command, which reads the notice as JSON from standard input. Exit code 0 means delivered. No shell is used.

The command leads a process group of its own. The group is killed when the command ends, so that nothing it started there outlives
it. It runs with the rights of the notifier, nearly all of which the unit takes away.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from sttd.config import Receiver
from sttd.notify.errors import CutOff, NotTold

GRACE = 2.0  # seconds between SIGTERM and SIGKILL
MOST = 2000  # bytes of its output that are kept
_NOT_PASSED_ON = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # systemd listens to the notifier alone


def run(receiver: Receiver, identity: str, event: str, body: bytes, halt: int) -> str:
    """Run the command to its end; returns the beginning of its output.

    Args:
        receiver: whose command it is.
        identity: of the notice.
        event: the kind of the notice.
        body: the JSON.
        halt: a file descriptor that is readable once the notifier is to end.

    Raises:
        NotTold: it cannot be started, takes too long, or does not end with 0.
        CutOff: the notifier ends.
    """
    more = {"STTD_EVENT": event, "STTD_EVENT_ID": identity}
    code, said = ended(receiver.command, more, body, receiver.timeout, halt)
    if code:
        raise NotTold(f"exit code {code}" if code > 0 else f"it was ended by {_name(-code)}", said)
    return said


def ended(words: Sequence[str], more: Mapping[str, str], given: bytes, timeout: float, halt: int) -> tuple[int, str]:
    """Run any program so, with `more` added to its environment. Returns its `Popen.returncode` and the start of its output."""
    environ = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    with _in_memory(given) as handle:
        try:
            process = subprocess.Popen(
                words, stdin=handle, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env={**environ, **more}, cwd="/", process_group=0, bufsize=0,
            )  # fmt: skip
        except OSError as error:
            raise NotTold(f"it cannot be started: {error.strerror}") from None
        except ValueError as error:  # a NUL in its arguments; the configuration is checked for that
            raise NotTold(f"it cannot be started: {error}") from None
    with process:
        life = os.pidfd_open(process.pid)
        try:
            said = _watched(process, life, timeout, halt)
        finally:
            _end(process, life)
            os.close(life)
    return process.returncode, said


@contextlib.contextmanager
def _in_memory(body: bytes) -> Iterator[int]:
    """The JSON as a file: writing to a pipe would block if the command does not read it."""
    handle = os.memfd_create("sttd-notice", os.MFD_CLOEXEC)
    try:
        os.write(handle, body)
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


def _watched(process: subprocess.Popen[bytes], life: int, timeout: float, halt: int) -> str:
    """Read its output until it ends. A process that it started and that keeps the output open is not waited for."""
    assert process.stdout is not None
    output, end = process.stdout.fileno(), time.monotonic() + timeout
    kept, watch = bytearray(), [output, halt, life]
    while True:
        ready, _, _ = select.select(watch, [], [], max(0.0, end - time.monotonic()))
        if halt in ready:
            raise CutOff
        if output in ready:
            data = os.read(output, 65536)
            kept += data[: MOST - len(kept)]
            watch = watch if data else [halt, life]
        if life in ready:
            return _text(kept)
        if time.monotonic() >= end:
            raise NotTold(f"it took more than {timeout:g} s and was ended", _text(kept))


def _name(number: int) -> str:
    known = next((each.name for each in signal.Signals if each == number), None)
    return known or f"signal {number}"  # most real-time signals have no name


def _text(kept: bytearray) -> str:
    return kept.decode("utf-8", "backslashreplace").strip()


def _end(process: subprocess.Popen[bytes], life: int) -> None:
    """End the whole group: SIGTERM if the command itself still runs, then SIGKILL for whatever is left.

    The command is reaped last: until then no other group can get its number.
    """
    if not select.select([life], [], [], 0)[0]:
        _signal(process.pid, signal.SIGTERM)
        select.select([life], [], [], GRACE)
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # nobody is left
        os.killpg(group, number)

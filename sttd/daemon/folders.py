"""The folders at the start: missing ones are made, and the daemon refuses to start only where waiting cannot help.

A folder on a share that is away, or on a disk that is full, is no mistake in the configuration, so it must not lead to
exit code 6, after which systemd does not try again. Without the state folder there is no ledger: the daemon ends with 1,
and is started again. If another folder is away, what belongs there waits, and that is logged. The inbox is made by its
own thread.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
from collections.abc import Callable
from pathlib import Path

from sttd import outbox
from sttd.config import Config
from sttd.daemon.errands import Errands, Finished
from sttd.errors import NotConfigured, SttdError
from sttd.fs.blame import Blame, blame
from sttd.fs.mounts import network_file_system
from sttd.fs.patience import answers
from sttd.host import sandbox
from sttd.host.events import Kind, say
from sttd.outbox.places import MARKED
from sttd.text import printable


def make(config: Config) -> list[str]:
    """Make what is missing of the state folder and those of results and sources.

    Must be called while the process has no second thread (see `fs.patience.answers`).

    Returns:
        Those that do not answer: they must not be touched by the daemon's loop.

    Raises:
        NotConfigured: one cannot be made, is not writable, or is not fit for its purpose.
        SttdError: the state folder cannot be made now.
    """
    _make_state(config.paths.state)
    folders = {name: str(getattr(config.paths, name)) for name in MARKED}
    answered = answers({name: functools.partial(_trouble, folder) for name, folder in folders.items()})
    for name, folder in folders.items():
        number, what = answered.get(name, (None, "does not answer (its file system hangs, or its server is down)"))
        if number == 0:
            continue
        if number is not None and not _passes(OSError(number, what)):
            raise NotConfigured(f"[paths] {name}: {folder} {what}")
        text = f"[paths] {name}: {printable(folder)} {what}; what belongs there waits until it is back"
        say(Kind.RESULT_TROUBLE, text, error=what)
    return [folder for name, folder in folders.items() if name not in answered]


def wait_for(silent: list[str], sink: Callable[[Finished], None]) -> list[Errands]:
    """Look at these folders off the loop: until one answers, `sttd status` shows the look, and the log has its end.

    Each look has a thread of its own: it may never come back, and nothing else may wait behind it.
    """
    looks = []
    for folder in silent:
        look = Errands(sink, threads=1)
        name = f"looks at {printable(folder)}, which did not answer at the start"
        look.post(name, functools.partial(_trouble, folder), _nothing, _nothing)
        looks.append(look)
    return looks


def _nothing(_: object) -> None:
    """Nothing follows: the look only waits for an answer."""


def _make_state(folder: Path) -> None:
    number, what = _trouble(str(folder))
    if number and _passes(OSError(number, what)):
        raise SttdError(
            f"[paths] state: {folder} {what}: without it there is no ledger; start sttd again once that is over"
        )
    if number:
        raise NotConfigured(f"[paths] state: {folder} {what}")
    _close_to_others(folder)
    kind = network_file_system(folder)
    if kind is not None:
        raise NotConfigured(
            f"[paths] state: {folder} lies on a network file system ({kind}), where SQLite cannot keep its "
            f"promises: set paths.state to a folder on a local disk"
        )


def _close_to_others(state: Path) -> None:
    """Let only the daemon's user make and remove files in the state folder; other users leave requests in its spool."""
    mode = stat.S_IMODE(state.stat().st_mode)
    for closed in (mode & ~0o022, mode & 0o755):  # RestrictSUIDSGID= of the unit forbids to set higher bits
        if stat.S_IMODE(state.stat().st_mode) & 0o022:
            with contextlib.suppress(PermissionError):  # root's, say: then root has chosen its mode
                state.chmod(closed)


def _trouble(folder: str) -> tuple[int, str]:
    """Make a folder. Returns what is wrong with it, as an errno (or -1) and in words; 0: nothing is."""
    try:
        outbox.make_folder(folder)
        if os.access(folder, os.W_OK | os.X_OK):
            return 0, ""
        is_read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError as error:
        if closed := sandbox.closed(folder):
            return -1, f"cannot be created or looked at ({error.strerror}): {closed}"
        remedy = "create it, give it to the user that sttd runs as, or set another folder"
        words = f"cannot be created or looked at ({error.strerror})"
        return error.errno or -1, words if _passes(error) else f"{words}: {remedy}"
    if closed := sandbox.closed(folder):
        return -1, f"is not writable: {closed}"
    remedy = "mount it writable" if is_read_only else "chown it to the user that sttd runs as"
    return -1, f"is not writable: {remedy}"


def _passes(error: OSError) -> bool:
    """Whether the error may go away by itself. A read-only file system does not: it, or the unit's sandbox, was set up so."""
    return blame(error) is Blame.MACHINE and error.errno != errno.EROFS

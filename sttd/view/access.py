"""Reading the ledger and leaving a request, for a command or the page; and what to do where that is not allowed."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttd.errors import LedgerError, SttdError
from sttd.fs import pulse
from sttd.fs.lock import is_held
from sttd.ledger.facts import DAEMON
from sttd.ledger.names import LEDGER, LOCK, PULSE, SPOOL
from sttd.view import figures

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Ledger, Request


class NotAllowed(SttdError):
    """The person who typed the command may not read or write a file."""


def is_running(config: Config) -> bool:
    """Whether a running daemon uses the state folder.

    Raises:
        NotAllowed: the folder may not be looked into.
    """
    path = config.paths.state / LOCK
    try:
        if is_held(path):
            return True
    except PermissionError:
        raise refusal(path.parent, os.R_OK) from None
    with contextlib.suppress(NotAllowed, LedgerError), reading(config) as ledger:
        return is_held(path, ledger.fact(DAEMON).get("pid"))
    return False


def has_ledger(config: Config) -> bool:
    """Whether a daemon has ever run here.

    Raises:
        NotAllowed: the folder may not be looked into.
    """
    path = config.paths.state / LEDGER
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        raise refusal(path, os.R_OK) from None
    return True


def trouble(config: Config) -> list[str]:
    """Troubles that the daemon cannot report itself, because there is no room for its ledger."""
    with contextlib.suppress(OSError):
        if os.statvfs(config.paths.state).f_bavail == 0:
            return [f"the file system of {config.paths.state} is full"]
    return []


def status(config: Config) -> dict[str, Any]:
    """What the daemon does, and what is wrong: see `figures.status`.

    Raises:
        NotAllowed: the ledger may not be read.
        LedgerError: it cannot be read.
    """
    if not has_ledger(config):
        return figures.status(None, running=is_running(config))
    with reading(config) as ledger:
        found = figures.status(ledger, is_running(config))
    found["trouble"] += trouble(config)
    if found["daemon"]["running"]:
        found["daemon"]["silent"] = quiet = figures.silence(
            pulse.silent(config.paths.state / PULSE, found["daemon"]["pid"])
        )
        found["trouble"] += [figures.hangs(quiet)] if quiet else []
    return found


@contextlib.contextmanager
def reading(config: Config) -> Iterator[Ledger]:
    """The ledger, to be read.

    Raises:
        NotAllowed: it may not be read.
        LedgerError: there is none, or it cannot be read.
    """
    from sttd.ledger import Ledger

    if not has_ledger(config):
        raise LedgerError(no_ledger(config))
    require_readable(config)
    ledger = Ledger.open_readonly(config.paths.state / LEDGER)
    try:
        yield ledger
    finally:
        ledger.close()


def require_readable(config: Config) -> None:
    """Raises NotAllowed where this user may not read the ledger that is there."""
    path = config.paths.state / LEDGER
    if not os.access(path, os.R_OK):
        raise refusal(path, os.R_OK)


def no_ledger(config: Config) -> str:
    """What to do where no daemon has ever run, or where the wrong folder was named."""
    missing = f"there is no ledger at {config.paths.state / LEDGER}: start the daemon"
    if config.program == "sttd":
        return f"{missing} (systemctl start sttd, or sttd run), or name its folder with --root or --config"
    return f"{missing} ({config.program} run), or name another folder with --root or --config"


def ask(config: Config, request: Request) -> str:
    """Leave a request for the daemon; returns the name by which its answer is found.

    Raises:
        NotAllowed: this user may not ask.
        OSError: it cannot be written.
    """
    from sttd.ledger import spool

    folder = config.paths.state / SPOOL
    try:
        if not folder.exists():  # the daemon of this version has not run yet
            spool.make(folder)
        return spool.leave(folder, request)
    except PermissionError:
        raise refusal(folder, os.W_OK) from None


def refusal(path: Path, mode: int) -> NotAllowed:
    """The error for a file that may not be read (`os.R_OK`), or a folder that may not be written to (`os.W_OK`)."""
    blocking = next((one for one in [*reversed(path.parents), path] if not _may(one, path, mode)), path)
    if not blocking.exists():
        blocking = blocking.parent
    found = blocking.stat()
    needed = {os.R_OK: stat.S_IRGRP, os.W_OK: stat.S_IWGRP | stat.S_IXGRP}[mode] if blocking == path else stat.S_IXGRP
    verb = "written" if mode == os.W_OK else "read"
    owner, group = _user(found.st_uid), _group(found.st_gid)
    if found.st_mode & needed == needed:
        join = f"join the group {group} (sudo usermod -aG {group} {_user(os.getuid())}, then log in again)"
        return NotAllowed(f"{path} may not be {verb} by you: {join}, or use sudo -u {owner}")
    return NotAllowed(f"{path} may not be {verb} by you: use sudo -u {owner} sttd ...")


def _may(one: Path, path: Path, mode: int) -> bool:
    """Whether this user may pass the folder `one` on the way to `path`, or use `path` itself in this mode."""
    if one != path:
        return os.access(one, os.X_OK)
    return os.access(one, mode | os.X_OK if mode == os.W_OK else mode)


def _user(number: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def _group(number: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)

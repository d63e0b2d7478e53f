"""Opening the ledger for a command, and saying what to do where that is not allowed."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sttd.errors import LedgerError, SttdError
from sttd.fs.lock import is_held
from sttd.ledger.names import LEDGER, LOCK

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Ledger


class NotAllowed(SttdError):
    """The person who typed the command may not read or write a file."""


def is_running(config: Config) -> bool:
    """Whether a daemon has the state folder.

    Raises:
        NotAllowed: the folder may not be looked into.
    """
    lock = config.paths.state / LOCK
    try:
        return is_held(lock)
    except PermissionError:
        raise refusal(lock, os.R_OK) from None


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
    """What the daemon could not write into a ledger for which there is no room."""
    with contextlib.suppress(OSError):
        if os.statvfs(config.paths.state).f_bavail == 0:
            return [f"the file system of {config.paths.state} is full"]
    return []


@contextlib.contextmanager
def reading(config: Config) -> Iterator[Ledger]:
    """The ledger, to be read.

    Raises:
        NotAllowed: it may not be read.
        LedgerError: there is none, or it cannot be read.
    """
    yield from _opened(config, write=False)


@contextlib.contextmanager
def asking(config: Config) -> Iterator[Ledger]:
    """The ledger, to leave a request in it.

    Raises:
        NotAllowed: it may not be written.
        LedgerError: there is none, or it cannot be written.
    """
    yield from _opened(config, write=True)


def no_ledger(config: Config) -> str:
    """What to do where no daemon has ever run."""
    return (
        f"there is no ledger at {config.paths.state / LEDGER}: start the daemon (systemctl start sttd, or sttd run), "
        "or name its folder with --root or --config"
    )


def _opened(config: Config, *, write: bool) -> Iterator[Ledger]:
    from sttd.ledger import Ledger

    path = config.paths.state / LEDGER
    if not has_ledger(config):
        raise LedgerError(no_ledger(config))
    if not os.access(path, os.R_OK):
        raise refusal(path, os.R_OK)
    if write and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise refusal(path, os.W_OK)
    ledger = Ledger.open(path, create=False) if write else Ledger.open_readonly(path)
    try:
        yield ledger
    finally:
        ledger.close()


def refusal(path: Path, mode: int) -> NotAllowed:
    """Who may read (`os.R_OK`) or write (`os.W_OK`) `path`, and how to become one of them."""
    folders = [*reversed(path.parents), path]
    blocking = next((one for one in folders if not os.access(one, mode if one == path else os.X_OK)), path)
    found = blocking.stat()
    wanted = {os.R_OK: stat.S_IRGRP, os.W_OK: stat.S_IWGRP}[mode] if blocking == path else stat.S_IXGRP
    group_may = bool(found.st_mode & wanted) and (mode != os.W_OK or bool(path.parent.stat().st_mode & stat.S_IWGRP))
    verb = "written" if mode == os.W_OK else "read"
    owner, group = _user(found.st_uid), _group(found.st_gid)
    if group_may:
        join = f"join the group {group} (sudo usermod -aG {group} {_user(os.getuid())}, then log in again)"
        return NotAllowed(f"{path} may not be {verb} by you: {join}, or use sudo -u {owner}")
    return NotAllowed(f"{path} may not be {verb} by you: use sudo -u {owner} sttd ...")


def _user(number: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def _group(number: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)

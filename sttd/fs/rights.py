"""Why this process may not read a file or write into a folder, and what would let it, in words for whoever owns it."""

from __future__ import annotations

import grp
import os
import pwd
import stat


def why_unreadable(path: str) -> str:
    """To be called after open(2) has refused the file with EACCES or EPERM. Looks only at names, owners and modes."""
    shut = _shut_folder(path)
    if shut is not None:
        return f"{user(os.geteuid())} may not enter the folder {shut}: {_grant(shut, 'rx', 'X')}"
    if os.access(path, os.R_OK) and (unread := _unread_folder(path)) is not None:
        return f"{user(os.geteuid())} may not open the folder {unread}: {_grant(unread, 'rx', 'X')}"
    try:
        seen = os.lstat(path)
    except OSError as error:
        return f"{user(os.geteuid())} may not look at it ({error.strerror})"
    owned = f"it belongs to {user(seen.st_uid)}:{group(seen.st_gid)} with mode {stat.S_IMODE(seen.st_mode):04o}"
    return f"{owned}, and {user(os.geteuid())} may not read it: {_grant(path, 'r', 'r')}"


def why_unchangeable(error: OSError) -> str | None:
    """Which folder may not be changed by us, and the remedy; None: the modes allow it.

    Args:
        error: of rename(2), mkdir(2) and the like, with whole paths.
    """
    me = user(os.geteuid())
    for path in (error.filename, error.filename2):
        folder = os.path.dirname(path) if isinstance(path, str) and os.path.isabs(path) else ""
        if not folder or os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            continue
        shut = _shut_folder(path) or folder
        try:
            seen = os.lstat(shut)
        except OSError:  # it is gone: the next try says why
            continue
        owned = f"which belongs to {user(seen.st_uid)}:{group(seen.st_gid)} with mode {stat.S_IMODE(seen.st_mode):04o}"
        return f"{me} may not write into {shut}, {owned}: {_grant(shut, 'rwx', 'rwx')}"
    return None


def _shut_folder(path: str) -> str | None:
    """The first folder on the way to the file that may not be entered."""
    folder = os.path.dirname(path)
    way = []
    while folder not in ("", "/"):
        way.append(folder)
        folder = os.path.dirname(folder)
    return next((each for each in reversed(way) if not os.access(each, os.X_OK)), None)


def _unread_folder(path: str) -> str | None:
    """The last folder on the way that may not be read: below an inbox each one is opened for reading (see folder.py)."""
    folder = os.path.dirname(path)
    while folder not in ("", "/"):
        if not os.access(folder, os.R_OK):
            return folder
        folder = os.path.dirname(folder)
    return None


def _grant(path: str, bits: str, acl: str) -> str:
    """The command that gives us the right: as the owner, else through a group of ours, else a new group or an ACL."""
    me, ours = os.geteuid(), {os.getegid(), *os.getgroups()}
    try:
        seen = os.lstat(path)
    except OSError:
        return "give it the right"
    if seen.st_uid == me:
        return f"chmod u+{bits}"
    if seen.st_gid in ours:
        return f"chmod g+{bits}"
    return (
        f"chgrp {group(os.getegid())} and chmod g+{bits}, or setfacl -m u:{user(me)}:{'r' + acl if acl == 'X' else acl}"
    )


def user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OSError):
        return str(number)


def group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except (KeyError, OSError):
        return str(number)

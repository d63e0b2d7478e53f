"""Whether a file is absent, or we may only not read it: many libraries do not tell these two apart."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from pathlib import Path


def closed(paths: Iterable[Path]) -> Path | None:
    """The first of `paths` that this user may not read or reach; None: each can be read, or is not there."""
    for path in paths:
        try:
            path.stat()
        except PermissionError:
            return path
        except (OSError, ValueError):  # not there, a dangling link, or no path at all
            continue
        if not os.access(path, os.R_OK):
            return path
    return None


def closed_words(path: Path) -> str:
    """A message with the remedy. The files may be sound: only their modes, or those of a folder above, are wrong."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    return (
        f"user {user} may not read {str(path)!r}: open it and the folders above it to that user"
        f" (as root: chmod -R a+rX FOLDER; namei -l {path} shows which one is closed)"
    )

"""Whether a file is absent, or only closed to us: many libraries take the one for the other."""

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
    """What is the matter with it, and the remedy. The files may be whole: their modes are wrong, or those of a folder above."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    return (
        f"user {user} may not read {str(path)!r}: open it and the folders above it to that user"
        f" (as root: chmod -R a+rX FOLDER; namei -l {path} shows which one is closed)"
    )

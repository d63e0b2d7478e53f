"""What this machine lacks for some of the tests. Each is a reason to skip them; `.ci/run` installs all of it and skips nothing."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

import pytest


@functools.cache
def no_trace() -> str | None:
    """Why strace cannot be used here; None: it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "no process may trace another one here"


@functools.cache
def no_mounts(*flags: str) -> str | None:
    """Why root cannot mount a file system in a mount namespace of its own, made with further `flags` of unshare(1)."""
    if os.geteuid() != 0:
        return "mounts need root"
    if shutil.which("unshare") is None:
        return "unshare (util-linux) is not installed"
    words = ["unshare", "--mount", *flags, "mount", "-t", "tmpfs", "none", "/mnt"]
    tried = subprocess.run(words, capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"nothing can be mounted here: {tried.stderr.strip()}"


def _skip(reason: str | None) -> pytest.MarkDecorator:
    return pytest.mark.skipif(reason is not None, reason=reason or "")


needs_root = _skip(None if os.geteuid() == 0 else "takes on another user's rights, which root alone can")
needs_trace = _skip(no_trace())
needs_mounts = _skip(no_mounts())

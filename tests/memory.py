"""Folders in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.properties.words import MEMORY

ROOM = 256 * 2**20  # bytes. A container has 64 MiB by default, for all of xdist's processes


def place() -> str | None:
    """Where such folders are made; None, the disk, where this system has no memory for them or starts no programs from it."""
    if not os.access(MEMORY, os.W_OK):
        return None
    about = os.statvfs(MEMORY)
    has_room = about.f_bavail * about.f_frsize >= ROOM
    return MEMORY if has_room and not about.f_flag & os.ST_NOEXEC else None


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """pytest's, for tests that prove nothing about a disk: an fsync costs nothing there, and the ledger has two for each change."""
    with tempfile.TemporaryDirectory(prefix="sttd-test-", dir=place()) as folder:
        yield Path(folder).resolve()

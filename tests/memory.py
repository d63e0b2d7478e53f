"""Folders in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.properties.words import MEMORY


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """pytest's, for tests that prove nothing about a disk: an fsync costs nothing there, and the ledger has two for each change."""
    with tempfile.TemporaryDirectory(prefix="sttd-test-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield Path(folder).resolve()

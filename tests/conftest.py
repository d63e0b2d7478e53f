"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import Daemon

# scripts in processes of their own find this checkout, and the tests' own modules
os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Daemons over `tmp_path`, ended with the test."""
    made: list[Daemon] = []

    def make(settings: dict[str, str] | None = None, *flags: str, root: Path = tmp_path) -> Daemon:
        daemon = Daemon(root, settings, *flags)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        daemon.close()

"""Servers over folders that were filled by hand, or in which a daemon runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sttd.ledger import Ledger
from tests.memory import tmp_path
from tests.web.served import Served

__all__ = ["tmp_path"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """`sttd web` over `tmp_path`, or another root; ended with the test."""
    made: list[Served] = []

    def start(
        settings: dict[str, str] | None = None, *, root: Path = tmp_path, module: str = "sttd", **environ: str
    ) -> Served:
        made.append(Served(root, settings, environ, module))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One `sttd web` for all tests of a module that change nothing: a ledger without jobs, and no daemon."""
    root = tmp_path_factory.mktemp("root")
    (root / "state").mkdir()
    Ledger.open(root / "state" / "ledger.db").close()
    served = Served(root)
    yield served
    served.close()

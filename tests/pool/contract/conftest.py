"""Pools of each kind of worker. A test that asks for `make` is run once for each; `needs` leaves kinds out that lack something."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.harness import wait_for
from tests.pool.conftest import Rig, check, worker_processes
from tests.pool.contract.fake import fakes
from tests.pool.contract.kinds import KINDS, Kind


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("needs")
        needed = set(marker.args) if marker else set()
        kinds = [kind for kind in KINDS if not needed & kind.lacks]
        metafunc.parametrize("kind", kinds, ids=[kind.name for kind in kinds])


@pytest.fixture
def make(kind: Kind) -> Iterator[Callable[..., Rig]]:
    """Pools whose slots are all there; they are closed and checked with the test, and no worker may live then."""
    made: list[Rig] = []

    def make(workers: int = 1, **settings) -> Rig:
        made.append(Rig(workers, kind=kind, **settings))
        made[-1].reach(workers)
        return made[-1]

    yield make
    for each in made:
        check(each)
    wait_for(lambda: not worker_processes(), "what is behind a command ends with it")
    assert fakes() == []

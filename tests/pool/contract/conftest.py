"""Pools of each kind of worker. A test that asks for `make` is run once for each; `needs` leaves kinds out that lack something."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.harness import wait_for
from tests.pool.conftest import Rig, check, worker_processes
from tests.pool.contract.fake import fakes
from tests.pool.contract.kinds import KINDS, Kind

# with Ray, where each worker costs seconds of processor time, only these are run always: those that its tunnel could break
OFTEN = {
    "test_a_part_is_driven_to_its_end_and_told_in_order",
    "test_a_kill_right_behind_the_submit_is_the_end",
    "test_a_worker_that_does_not_end_in_its_grace_is_ended_hard",
    "test_one_that_nothing_ends_is_given_up_and_what_it_says_later_is_not_told",
    "test_an_order_of_any_size_reaches_its_worker_and_those_behind_it_too",
    "test_a_worker_that_stops_in_the_middle_of_a_large_order_holds_nobody_up",
    "test_closing_kills_what_does_not_stop_within_the_grace",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("needs")
        needed = set(marker.args) if marker else set()
        kinds = [kind for kind in KINDS if not needed & kind.lacks]
        is_slow = metafunc.function.__name__ not in OFTEN
        marks = {"ray": [pytest.mark.slow]} if is_slow else {}
        metafunc.parametrize(
            "kind", [pytest.param(kind, id=kind.name, marks=marks.get(kind.name, ())) for kind in kinds]
        )


@pytest.fixture
def make(kind: Kind, request: pytest.FixtureRequest) -> Iterator[Callable[..., Rig]]:
    """Pools whose slots are all there; they are closed and checked with the test, and no worker may live then."""
    made: list[Rig] = []
    if kind.name == "ray":
        request.getfixturevalue("ray_cluster")

    def make(workers: int = 1, **settings) -> Rig:
        made.append(Rig(workers, kind=kind, **settings))
        made[-1].reach(workers)
        return made[-1]

    yield make
    for each in made:
        check(each)
    wait_for(lambda: not worker_processes(), "what is behind a command ends with it")
    assert fakes() == []

"""Pools of each kind of worker. A test that asks for `make` is run once for each; `needs` leaves kinds out that lack something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.harness import wait_for
from tests.pool.conftest import Rig, check, worker_processes
from tests.pool.contract.fake import fakes
from tests.pool.contract.kinds import KINDS, Kind

# with Ray, where each worker costs seconds of processor time, only these are run often: those that its tunnel could break
ALWAYS = {
    "test_a_part_is_driven_to_its_end_and_told_in_order",
    "test_a_kill_right_behind_the_submit_is_the_end",
    "test_closing_kills_what_does_not_stop_within_the_grace",
}
OFTEN = {
    "test_a_worker_that_does_not_end_in_its_grace_is_ended_hard",
    "test_one_that_nothing_ends_is_given_up_and_what_it_says_later_is_not_told",
    "test_an_order_of_any_size_reaches_its_worker_and_those_behind_it_too",
    "test_a_worker_that_stops_in_the_middle_of_a_large_order_holds_nobody_up",
}
# ways to go wrong that one worker meets as all do: behind a command the first two of each are run always
WAYS = {
    "test_what_run_part_does_wrong_is_told_and_a_new_worker_takes_the_next",
    "test_a_death_without_orders_is_a_crash_that_says_how_at_once",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("needs")
        needed = set(marker.args) if marker else set()
        kinds = [kind for kind in KINDS if not needed & kind.lacks]
        name = metafunc.function.__name__
        marks = {"ray": [pytest.mark.ci if name in OFTEN else pytest.mark.slow]} if name not in ALWAYS else {}
        metafunc.parametrize(
            "kind", [pytest.param(kind, id=kind.name, marks=marks.get(kind.name, ())) for kind in kinds]
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: Counter[str] = Counter()
    for item in items:
        name = item.name.partition("[")[0]
        if name in WAYS and "[command-" in item.name:
            seen[name] += 1
            if seen[name] > 2:
                item.add_marker(pytest.mark.ci)


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

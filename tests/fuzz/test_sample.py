"""A sample of the fuzz run; the whole of it: python -m tests.fuzz."""

from __future__ import annotations

import pytest

from tests.fuzz.mutate import CONTAINERS, mutants
from tests.fuzz.run import Lane


@pytest.mark.ci
def test_mutants_of_each_container_are_transcribed_or_refused_and_leave_the_worker_as_it_was(tmp_path):
    lane = Lane(tmp_path)
    try:
        rows = {name: lane.run(name, mutants(name, 2, 7)) for name in CONTAINERS}
    finally:
        lane.close()
    assert {name: row for name, row in rows.items() if row.wrong} == {}
    assert max(row.highest for row in rows.values()) < 700 * 2**20
    assert sum(row.transcribed for row in rows.values()) > len(CONTAINERS)  # most harm is survived


def test_the_same_number_makes_the_same_mutants():
    for name in CONTAINERS:
        assert list(mutants(name, 3, 1)) == list(mutants(name, 3, 1)) != list(mutants(name, 3, 2))

"""A few cells of the matrix of errors; `python -m tests.faults` walks through all of it."""

from __future__ import annotations

import pytest

from tests.faults.injected import ERRORS, STEPS, Bench
from tests.machine import needs_trace

QUICK = [("ledger: sync", "EIO"), ("checkpoint: write", "ENOSPC"), ("results: open", "EMFILE")]


pytestmark = needs_trace


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("faults"))
    yield bench
    bench.close()


def test_an_error_at_a_durable_step_is_said_once_costs_no_attempt_and_is_over_by_itself(bench):
    steps = {step.name: step for step in STEPS}
    for name, error in QUICK:
        assert error in ERRORS
        outcome = bench.run(steps[name], error)
        assert outcome.startswith("good"), (name, error, outcome, bench.daemon.log[-20:])

"""What waits for a time, and what is said of the clock."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.daemon import source, sweep
from sttd.job import Identity, State


@pytest.mark.parametrize("settings", [{"polling": True}, {"settle": 600.0}])
def test_a_changed_file_that_settles_for_long_does_not_say_that_the_clock_was_set_back(stations, log, settings):
    """With polling, or a long settling time, and short waits between attempts."""
    context, _ = stations
    config = context.config
    context.config = dataclasses.replace(
        config,
        watch=dataclasses.replace(config.watch, **settings),
        pool=dataclasses.replace(config.pool, retry_waits=(1.0,), machine_wait=1.0),
    )
    (config.paths.inbox / "a.mp3").write_text("1")
    job = context.ledger.add("a.mp3", Identity(5, 5), context.utc())
    changed = source.start_anew(context, context.ledger.update(job, state=State.RUNNING))
    sweep.clamp_waits(context)
    assert context.ledger.get(job.id).not_before == changed.not_before
    assert not [line for line in log if "clock" in line]


def test_a_clock_that_was_set_back_is_said(stations, log):
    context, _ = stations
    context.ledger.add("a.mp3", Identity(5, 5), context.utc() + 3600, not_before=context.utc() + 3660)
    sweep.clamp_waits(context)
    assert [line for line in log if "the clock was set back" in line]

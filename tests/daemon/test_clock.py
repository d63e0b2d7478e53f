"""What waits for a time, and what is said of the clock."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.daemon import source, sweep
from sttd.job import Identity, State


class Inbox:
    """It will tell when the file has settled."""


@pytest.mark.parametrize("settings", [{"polling": True}, {"settle": 600.0}, {"patience": 7200.0}])
@pytest.mark.parametrize("settled", [True, False])
def test_a_changed_file_that_settles_for_long_does_not_say_that_the_clock_was_set_back(
    stations, log, settings, settled
):
    """With polling, or a long settling time, and short waits between attempts: the wait is neither cut short."""
    context, _ = stations
    config = context.config
    context.config = dataclasses.replace(
        config,
        watch=dataclasses.replace(config.watch, **settings),
        pool=dataclasses.replace(config.pool, retry_waits=(1.0,), machine_wait=1.0),
    )
    (config.paths.inbox / "a.mp3").write_text("1")
    job = context.ledger.add("a.mp3", Identity(5, 5), context.utc())
    context.inbox = Inbox()
    changed = source.start_anew(context, context.ledger.update(job, state=State.RUNNING), settled=settled)
    sweep.clamp_waits(context)
    assert context.ledger.get(job.id).not_before == changed.not_before
    assert not [line for line in log if "clock" in line]


def test_a_clock_that_was_set_back_is_said(stations, log):
    context, _ = stations
    context.ledger.add("a.mp3", Identity(5, 5), context.utc() + 3600, not_before=context.utc() + 3660)
    sweep.clamp_waits(context)
    assert [line for line in log if "the clock was set back" in line]

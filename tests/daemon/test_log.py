"""How often the daemon says the same thing."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.daemon import dispatch, results
from sttd.daemon.context import Running
from sttd.job import Identity, Job
from sttd.part import Cause, Lost, ModelSpec, Options, PartSpec


def attempt(stations, cause: Cause | None) -> Running:
    """An attempt whose predecessor ended with `cause`."""
    context, _ = stations
    job: Job = context.ledger.add("a.mp3", Identity(1, 1), 1.0)
    spec = PartSpec("1.0", 2, "a.mp3", 1, 1, ModelSpec("demo"), Options())
    return Running(dataclasses.replace(job, cause=cause), spec, None, None, 0.0)


@pytest.mark.parametrize(
    ("before", "levels"),
    [
        (None, ["INFO", "WARNING"]),
        (Cause.CRASH, ["INFO", "WARNING"]),
        (Cause.MACHINE, ["DEBUG", "DEBUG"]),
        (Cause.UNREADABLE, ["DEBUG", "DEBUG"]),
    ],
)
def test_tries_in_vain_after_a_fault_of_the_machine_have_no_line_each(stations, log, before, levels):
    """A fault has one line when it begins and one when it ends; tried every 30 s, it would else fill the journal."""
    running = attempt(stations, before)
    dispatch._say_started(running)
    results.lost(running, Lost(part_id="1.0", attempt=2, cause=Cause.MACHINE, error="the checkpoint cannot be written"))
    assert [line.split()[0] for line in log] == levels

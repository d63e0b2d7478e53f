"""What the loop does every so often, by a clock of the test's own."""

from __future__ import annotations

import dataclasses
import queue
import signal

import pytest

from sttd.daemon.loop import Loop
from sttd.daemon.signals import Signal
from sttd.host.sd_notify import Notifier

RELOADED, STOPPED = 2.0, 20.0  # seconds on the clock


class Waits(queue.SimpleQueue):
    """Inputs of a loop. Whoever waits in vain lets the clock go on instead; signals come at their times."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.signals = [(RELOADED, signal.SIGHUP), (STOPPED, signal.SIGTERM)]

    def get(self, block: bool = True, timeout: float | None = None):
        if not self.signals:  # the end, which takes real time
            return super().get(block, timeout)
        if not self.empty():
            return super().get()
        self.now += timeout
        if self.now < self.signals[0][0]:
            raise queue.Empty
        return Signal(self.signals.pop(0)[1])


@pytest.mark.parametrize(
    ("section", "name", "done"),
    [
        ("memory", "log_interval", "sttd.daemon.life.Life.log_memory"),
        ("memory", "check_cooldown", "sttd.daemon.life.Life.watch_memory"),
        ("pool", "sweep_interval", "sttd.daemon.sweep.sweep"),
        ("pool", "machine_wait", "sttd.daemon.models.Models.look"),
    ],
)
def test_an_interval_that_a_reload_makes_shorter_is_in_force_at_once(stations, monkeypatch, section, name, done):
    """The end of the long wait is not waited for."""
    context, _ = stations
    inputs, times = Waits(), []
    context.clock = lambda: inputs.now
    monkeypatch.setattr(done, lambda *_: times.append(inputs.now))

    def having(seconds: float):
        changed = dataclasses.replace(getattr(context.config, section), **{name: seconds})
        return dataclasses.replace(context.config, **{section: changed})

    context.config, shorter = having(600.0), having(5.0)
    assert Loop(context, inputs, Notifier({})).run(lambda: shorter, drain=False) == 0
    assert times[0] < RELOADED
    assert [each - times[0] for each in times[:4]] == [0.0, 5.0, 10.0, 15.0]

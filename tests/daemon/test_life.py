"""What the daemon tells of itself (sttd/daemon/life.py)."""

from __future__ import annotations

import pytest

from sttd.daemon.life import Life
from sttd.host.notify import Notifier
from sttd.job import Identity

SECRET = "Kündigung Frau Meier.m4a"


@pytest.fixture
def life(stations):
    context, _ = stations
    return Life(context, Notifier({}))


def test_the_status_line_has_figures_and_no_name_of_a_recording(life, stations):
    """systemd shows it to every local user: no name, no path, no error that may quote one."""
    context, _ = stations
    context.ledger.add(SECRET, Identity(1, 1), 1.0)
    assert life.status() == "0 running, 1 queued, 0 done, 0 failed"
    context.troubles.begin("model", f"model 'x' cannot be loaded for {SECRET}", 60.0)
    context.troubles.begin_for(1, f"/srv/sttd/inbox/{SECRET}", f"job 1: {SECRET}: chmod g+w it")
    assert life.status().endswith("failed; held up (model, files): `sttd status` has the reason")
    assert SECRET in life.figures()["trouble"][1]

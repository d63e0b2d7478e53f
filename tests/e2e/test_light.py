"""The daemon itself stays light, whatever its workers hold."""

from __future__ import annotations

import psutil

from sttd.job import State
from tests import speech
from tests.harness import wait_for, wakings


def test_the_daemon_is_small_and_sleeps_when_there_is_nothing_to_do(make_daemon):
    """After a job: under 60 MB resident, and a few turns of its loop a second."""
    daemon = make_daemon({"memory.check_cooldown": "1h"})
    speech.encode(daemon.inbox / "clip.flac", speech.sample("clip00"))
    daemon.start()
    daemon.wait_state(State.DONE)
    wait_for(lambda: wakings(daemon.process.pid) < 30, "it sleeps")
    assert psutil.Process(daemon.process.pid).memory_info().rss < 60e6
    assert daemon.stop() == 0

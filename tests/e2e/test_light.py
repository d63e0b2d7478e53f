"""The daemon itself stays light, whatever its workers hold."""

from __future__ import annotations

import time

import psutil

from sttd.job import State
from tests import speech


def test_the_daemon_is_small_and_sleeps_when_there_is_nothing_to_do(make_daemon):
    """After a job: under 60 MB resident, and next to no processor time over three seconds, however busy the machine."""
    daemon = make_daemon({"memory.check_cooldown": "1h"})
    speech.encode(daemon.inbox / "clip.flac", speech.sample("clip00"))
    daemon.start()
    daemon.wait_state(State.DONE)
    parent = psutil.Process(daemon.process.pid)
    before = parent.cpu_times()
    time.sleep(3)  # a span to measure over; nothing is waited for
    after = parent.cpu_times()
    assert (after.user + after.system) - (before.user + before.system) < 0.3
    assert parent.memory_info().rss < 60e6
    assert daemon.stop() == 0

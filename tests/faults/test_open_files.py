"""No more files may be opened, for a while: whatever the daemon wanted to open, it lives, says so and goes on."""

from __future__ import annotations

import os
import resource

import psutil
import pytest

from sttd.job import State
from tests import speech
from tests.harness import wait_for

SETTINGS = {
    "pool.machine_wait": "1s",
    "memory.check_cooldown": "1s",
    "watch.rescan_interval": "1s",
    "watch.dedupe": "no",
}


@pytest.mark.ci
@pytest.mark.parametrize(
    "left", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in (1, 2, 3, 4, 5, 6, 8, 10, 12))]
)
def test_too_many_open_files_hold_work_up_and_cost_nothing(make_daemon, left):
    """`left`: how many more may be opened: each of them lets the job get a little further."""
    daemon = make_daemon(SETTINGS)
    daemon.start()
    daemon.wait_log("watches")
    process = psutil.Process(daemon.process.pid)
    highest = max(map(int, os.listdir(f"/proc/{process.pid}/fd")))
    before = process.rlimit(resource.RLIMIT_NOFILE)
    process.rlimit(resource.RLIMIT_NOFILE, (highest + 1 + left, before[1]))
    speech.encode(daemon.root / "a.flac", speech.sample("english")).rename(daemon.inbox / "a.flac")

    def complaints():
        return [line for line in daemon.log if " INFO " not in line and " SUCCESS " not in line]

    wait_for(lambda: complaints() or (daemon.jobs()[-1:] and daemon.job().state is State.DONE), "it is said")
    assert daemon.process.poll() is None, daemon.log[-10:]
    process.rlimit(resource.RLIMIT_NOFILE, before)
    assert not daemon.wait_state(State.DONE).attempts
    assert speech.says(daemon.text("a.flac", "en"), "english")
    wait_for(lambda: not daemon.json("status")["trouble"], "nothing is wrong any more")
    assert not [line for line in daemon.log if "Traceback" in line], daemon.log
    assert len({line.split(" ", 2)[2] for line in complaints()}) == len(complaints()), complaints()
    assert daemon.stop() == 0

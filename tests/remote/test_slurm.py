"""A worker behind `srun` of a real Slurm: its own way with bytes, its queue, and its own ways of ending a worker."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from sttd.part import Done, Started
from sttd.pool.wire import Exit, Hello, Ready
from tests.harness import wait_for
from tests.remote.conftest import SCRIPTED, gone
from tests.remote.net import another_machine, lacking
from tests.remote.slurm import PROGRAMS, Slurm, cluster
from tests.remote.test_far import SILENCE, from_, script, sent

pytestmark = pytest.mark.skipif(bool(lacking(*PROGRAMS)), reason=str(lacking(*PROGRAMS)))

QUICK = [sys.executable, "-c", SCRIPTED]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[Slurm]:
    with another_machine() as net, cluster(net, tmp_path_factory.mktemp("slurm")) as found:
        yield found


def test_every_byte_of_a_recording_comes_through_srun(slurm, head, tmp_path):
    """srun passes on whole lines only: each word ends with one, or the last would not arrive."""
    recording = tmp_path / "talk.wav"
    recording.write_bytes(bytes(range(256)) * 4096)
    far = head(slurm.command(*QUICK))
    far.ready()
    far.answer = from_(recording)
    assert isinstance(far.run(sent(recording, "started done")), Done)
    assert len(far.asked) == 4
    far.send(Exit())
    assert far.process.wait() == 0
    wait_for(lambda: slurm.jobs() == [], "the job is over")


@pytest.mark.parametrize("end", ["scancel", "the srun here is killed", "the task there is killed"])
def test_a_job_that_is_ended_leaves_nothing_on_its_node(slurm, head, end):
    far = head(slurm.command(*QUICK), silence=SILENCE)
    facts = far.ready()
    far.do(script("started chunks"))
    pids = [far.worker().pid, facts["pid"]]
    (job,) = slurm.jobs()
    if end == "scancel":
        slurm.say("scancel", job)
    else:
        os.kill(far.process.pid if "srun" in end else facts["pid"], signal.SIGKILL)
    wait_for(lambda: gone(pids), "nothing of it is left on the node")
    assert far.process.wait() != 0
    slurm.say("scancel", job)  # Slurm notices the death of an srun late
    wait_for(lambda: slurm.jobs() == [], "the job is over")


def test_two_slots_share_a_node_and_a_third_waits_in_the_queue(slurm, head):
    """A line is there when it says Hello, which may be much later than its start."""
    one, other = head(slurm.command(*QUICK)), head(slurm.command(*QUICK))
    for far in (one, other):
        far.ready()
        far.do(script("started hang"))
    assert one.wait(Started)[0].pid != other.wait(Started)[0].pid
    third = head(slurm.command(*QUICK))
    wait_for(lambda: len(slurm.jobs()) == 3, "the third job is in the queue")
    assert third.heard == []
    one.process.stdin.close()
    one.process.wait()
    third.greet()
    assert [type(each) for each in third.wait(Hello) + third.wait(Ready)] == [Hello, Ready]
    for far in (other, third):
        far.process.stdin.close()
        far.process.wait()
    wait_for(lambda: slurm.jobs() == [], "all jobs are over")

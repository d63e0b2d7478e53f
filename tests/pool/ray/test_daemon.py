"""A daemon whose workers are on a Ray cluster, whatever happens to its nodes, its head, its driver and to itself."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sttd.job import State
from tests import seven, speech
from tests.harness import wait_for
from tests.pool.ray.cluster import ADDRESS, Cluster, Machine, lives
from tests.pool.ray.daemon import RayDaemon

SECONDS = 40  # of speech


@pytest.fixture
def make(tmp_path) -> Iterator[Callable[..., RayDaemon]]:
    """Daemons, each over a folder of its own with a recording for each seed."""
    made: list[RayDaemon] = []

    def make(cluster: Cluster, *seeds: int, **settings: str) -> RayDaemon:
        settings = {"pool.ray.num_cpus": str(cluster.cpus), "model.cpu_threads": "1"} | settings
        made.append(RayDaemon(tmp_path / str(len(made)), cluster, **settings))
        for seed in seeds:
            speech.encode(made[-1].inbox / f"{seed}.flac", spoken(seed).audio)
        return made[-1]

    yield make
    for each in made:
        each.close()
        print(*each.log, sep="\n")  # for one that failed


def far_sides(machine: Machine) -> list[psutil.Process]:
    """The sttd worker of each actor on a machine."""
    found = []
    for pid in machine.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            if words(process := psutil.Process(pid)).endswith("-m sttd worker"):
                found.append(process)
    return found


def words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def hold(*machines: Machine) -> list[psutil.Process]:
    """Stop what works on each, as soon as it is there: the recording is not done before something happens to them."""
    found: dict[Machine, psutil.Process] = {}

    def held() -> bool:
        for machine in machines:
            for worker in [] if machine in found else workers(machine):
                worker.suspend()
                found[machine] = worker
        return len(found) == len(machines)

    wait_for(held, "a worker on each")
    return [found[machine] for machine in machines]


def workers(machine: Machine) -> list[psutil.Process]:
    """Those that have a part."""
    found = []
    for far in far_sides(machine):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [each for each in far.children() if "spawn_main" in words(each)]
    return found


def spoken(seed: int) -> speech.Recording:
    return speech.compose(seconds=SECONDS, language="en", seed=seed)


def done(daemon: RayDaemon, *seeds: int) -> None:
    """Transcribed, in the right words, and no attempt was spent on the fault of a machine."""
    assert [daemon.wait_state(State.DONE, number).attempts for number, _ in enumerate(seeds, 1)] == [0] * len(seeds)
    assert daemon.stop() == 0
    for seed in seeds:
        text = daemon.text(f"{seed}.flac", "en")
        assert speech.error_rate(spoken(seed).said("en"), text, "en") < 0.4


@pytest.mark.slow
def test_two_nodes_work_and_one_loses_its_power_and_another_one_joins(make, ray_cluster):
    """Slots follow the nodes; what was on the dead one goes on elsewhere, to the words that were said."""
    ray_cluster.join()
    daemon = make(ray_cluster, 5, 6)
    daemon.start()
    here, _ = hold(ray_cluster.head, ray_cluster.node)
    ray_cluster.node.kill()
    said = daemon.wait_log("is lost: its node 10.78.0.2 has left the cluster, or does not answer")
    assert "ray is away" in said
    wait_for(lambda: "ray: 1 of 1 workers" in daemon.sttd("status").stdout, "there is room for one")
    ray_cluster.join()
    wait_for(lambda: "ray: 2 of 2 workers" in daemon.sttd("status").stdout, "there is room for two")
    here.resume()
    done(daemon, 5, 6)
    ray_cluster.node.kill()


@pytest.mark.slow
def test_seven_parts_over_two_nodes_with_one_killed_are_the_transcript_of_an_undisturbed_run(
    make, ray_cluster, tmp_path
):
    expected = seven.undisturbed(tmp_path / "undisturbed")
    ray_cluster.join()
    daemon = make(ray_cluster, **seven.SETTINGS)
    seven.put(daemon)
    daemon.start()
    seven.wait_for_the_middle(daemon)
    here, _ = hold(ray_cluster.head, ray_cluster.node)
    ray_cluster.node.kill()
    daemon.wait_log("is lost: its node 10.78.0.2 has left the cluster, or does not answer")
    here.resume()
    seven.check(daemon, expected)
    assert daemon.stop() == 0


@pytest.mark.ci
def test_a_killed_daemon_leaves_nothing_behind_and_the_next_one_goes_on(make, ray_cluster):
    daemon = make(ray_cluster, 5)
    daemon.start()
    wait_for(daemon.checkpoint, "it has come somewhere")
    (worker,) = hold(ray_cluster.head)
    (driver,) = [each for each in psutil.Process(daemon.process.pid).children() if "sttd.pool.ray" in words(each)]
    actor = worker.parent().parent()
    assert words(actor).startswith("ray::Runner")
    os.kill(daemon.process.pid, signal.SIGKILL)
    daemon.wait()
    wait_for(lambda: not lives(worker.pid) and not far_sides(ray_cluster.head), "nothing works over there")
    wait_for(lambda: not lives(driver.pid) and not lives(actor.pid), "nor does what is on the way to it")
    daemon.start()
    done(daemon, 5)
    assert daemon.job().resumes >= 1


@pytest.mark.slow
def test_a_head_that_dies_is_told_and_when_it_is_back_the_work_goes_on(make, own_cluster):
    """The head's machine, with the daemon's node: all of Ray there is killed, and started again."""
    daemon = make(own_cluster, 5)
    daemon.start()
    wait_for(daemon.checkpoint, "it has come somewhere")
    for pid in own_cluster.head.processes():
        if psutil.Process(pid).name() in ("gcs_server", "raylet"):
            os.kill(pid, signal.SIGKILL)
    daemon.wait_log("ray is away: ")
    assert daemon.process.poll() is None
    trouble = wait_for(lambda: daemon.json("status")["trouble"], "the status says why")
    assert trouble[0].startswith("no worker can be reached: ray: "), trouble
    wait_for(lambda: any(f"nobody answers at {ADDRESS}" in line for line in daemon.log), "it is looked for again")
    wait_for(lambda: not far_sides(own_cluster.head), "nothing works on alone")
    own_cluster.start_head()
    done(daemon, 5)


@pytest.mark.slow
def test_a_node_that_sleeps_and_wakes_disturbs_nobody(make, own_cluster):
    """It sleeps for longer than the cluster waits for it. Awake, it ends what it had."""
    own_cluster.join()
    daemon = make(own_cluster, 5, 6)
    daemon.start()
    here, _ = hold(own_cluster.head, own_cluster.node)
    sleepers = [each.pid for each in far_sides(own_cluster.node)]
    own_cluster.node.signal(signal.SIGSTOP)
    daemon.wait_log("is lost: ")
    own_cluster.node.signal(signal.SIGCONT)
    wait_for(lambda: not any(map(lives, sleepers)), "none works on alone")
    here.resume()
    done(daemon, 5, 6)


@pytest.mark.slow
def test_two_daemons_work_on_one_cluster_side_by_side(make, own_cluster, tmp_path: Path):
    both = [make(own_cluster, seed, **{"pool.ray.num_cpus": "1", "pool.ray.slots": "1"}) for seed in (5, 6)]
    for each in both:
        each.start()
    wait_for(lambda: len(far_sides(own_cluster.head)) == 2, "one worker of each")
    for seed, each in zip((5, 6), both, strict=True):
        done(each, seed)

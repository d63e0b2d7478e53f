"""The driver's process on a real cluster, without a pool."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import signal
import socket
import sys

import psutil
import pytest

from sttd.pool.command.pipes import Pipes
from sttd.pool.ray import wire
from sttd.pool.ray.link import DRIVER, Link
from sttd.pool.ray.tunnel import Tunnel
from sttd.pool.ray.wire import Cluster as Reached
from tests.harness import wait_for
from tests.pool.ray.cluster import ADDRESS, cluster


@pytest.mark.slow
def test_a_cluster_of_another_version_is_not_used_and_both_versions_are_told(ray_cluster):
    code = (
        "from sttd.pool.ray import reach\n"
        "from sttd.pool.ray.__main__ import main\n"
        "prepare = reach._prepare\n"
        "def older(cluster):\n"
        "    prepare(cluster)\n"
        "    import ray\n"
        "    ray.__version__ = '2.1.0'\n"
        "reach._prepare = older\n"
        "main()"
    )
    older = [*ray_cluster.driver[: -len(DRIVER)], sys.executable, "-c", code]
    link = Link(Reached(ADDRESS, str(ray_cluster.token), 1, "cpu"), older)
    wait_for(lambda: link.is_over, "it has ended")
    here, python = importlib.metadata.version("ray"), platform.python_version()
    assert link.post_mortem() == (
        f"Ray at {ADDRESS} cannot be used: the cluster has Ray {here} on Python {python} and sttd has Ray 2.1.0 on Python {python}:"
        " install the same versions of both on all of its machines"
    )


@pytest.mark.slow
def test_a_head_that_was_started_again_between_two_looks_is_told_and_another_driver_finds_it(own_cluster):
    """Somebody listens there, as before. The driver is stopped meanwhile: else it would find nobody there, twice."""
    about = Reached(ADDRESS, str(own_cluster.token), 1, "cpu")
    link = Link(about, own_cluster.driver, clock=lambda: 0.0)
    wait_for(lambda: link.slots == 2, "the cluster is reached")
    driver = psutil.Process(link._pipes._carrier.pid)
    driver.suspend()
    own_cluster.head.signal(signal.SIGKILL)
    own_cluster.start_head()
    driver.resume()
    wait_for(lambda: link.is_over, "the driver has ended")
    assert link.post_mortem() == "the head of the cluster was started again, and knows nothing of what ran before"
    link = Link(about, own_cluster.driver)
    wait_for(lambda: link.slots == 2, "another one finds it")
    link.close()


@pytest.mark.ci
def test_a_hire_of_which_the_driver_has_not_all_is_refused_and_others_go_on_until_sigterm_ends_it(ray_cluster):
    """Where it has as many files open as it may, the system gives it fewer. Ray's own handler of SIGTERM waits for threads."""
    link = Link(Reached(ADDRESS, str(ray_cluster.token), 1, "cpu", command=("cat",)), ray_cluster.driver)
    driver = psutil.Process(link._pipes._carrier.pid)
    wait_for(lambda: link.slots is not None, "the cluster is reached")
    life, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with life, theirs, open(os.devnull, "wb") as nothing:
        link.hire("ray/2", [theirs.fileno(), nothing.fileno()])
        assert wire.end(life.recv(wire.PACKET)).why.startswith("the driver of Ray has as many open files as it may: ")
    link.released()
    pipes = Pipes(Tunnel(link, "ray/1"))
    pipes.send(b"hello")
    wait_for(lambda: b"hello" in pipes.wait(1.0)[0], "another one works")
    driver.terminate()
    wait_for(lambda: link.is_over, "it has ended")
    assert link.post_mortem() == "the driver of Ray ended (killed by SIGTERM)"
    pipes.reap()


@pytest.mark.slow
def test_each_worker_has_a_gpu_of_its_own_and_nothing_of_rays_environment():
    """No GPU is touched: to Ray they are numbers."""
    with cluster(cpus=2, gpus=2) as made:
        shown = ("sh", "-c", "env; exec cat")
        link = Link(Reached(ADDRESS, str(made.token), 2, "auto", command=shown), made.driver)
        wait_for(lambda: link.slots == 2, "one for each GPU")
        both = [Pipes(Tunnel(link, f"ray/{number}")) for number in (1, 2)]
        environs = [_environ(pipes) for pipes in both]
        assert sorted(each["CUDA_VISIBLE_DEVICES"] for each in environs) == ["0", "1"]
        for each in environs:
            assert not [name for name in each if name.startswith("RAY_") or name == "OMP_NUM_THREADS"]
        for pipes in both:
            pipes.kill()
            assert pipes.reap() == -signal.SIGKILL
        link.close()


def _environ(pipes: Pipes) -> dict[str, str]:
    text = bytearray()
    wait_for(lambda: (text.extend(pipes.wait(1.0)[0]), b"PATH=" in text)[1], "its environment")
    return dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)

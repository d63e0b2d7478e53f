"""The driver's process on a real cluster, without a pool."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

import pytest

from sttd.pool.ray.link import DRIVER, Link
from sttd.pool.ray.wire import Cluster as Reached
from tests.harness import wait_for
from tests.pool.ray.cluster import ADDRESS


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

"""A cluster for a test that does not leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pool.ray.cluster import Cluster, cluster


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    with cluster(cpus=2) as made:
        yield made

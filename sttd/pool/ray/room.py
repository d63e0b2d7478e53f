"""How many workers a cluster has room for, and what each asks of its node: pure, from what Ray says of the nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Node = Mapping[str, Any]  # as `ray.nodes()` has them: Alive, Resources and more


def slots(nodes: Sequence[Node], num_cpus: int, device: str) -> int:
    """How many workers would have room, if the cluster were ours alone."""
    if on_gpus(nodes, device):
        return _gpus(nodes)
    return sum(int(each.get("CPU", 0)) // num_cpus for each in _resources(nodes))


def needs(nodes: Sequence[Node], num_cpus: int, device: str) -> dict[str, int]:
    """One worker's share of a node, as Ray's options."""
    return {"num_gpus": 1, "num_cpus": 0} if on_gpus(nodes, device) else {"num_gpus": 0, "num_cpus": num_cpus}


def on_gpus(nodes: Sequence[Node], device: str) -> bool:
    return device == "cuda" or (device == "auto" and _gpus(nodes) > 0)


def _gpus(nodes: Sequence[Node]) -> int:
    return sum(int(each.get("GPU", 0)) for each in _resources(nodes))


def _resources(nodes: Sequence[Node]) -> list[Mapping[str, float]]:
    return [node["Resources"] for node in nodes if node["Alive"]]

"""What is shipped for a cluster says what sttd and Ray understand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from sttd.configfile import load
from sttd.install import items

PROJECT = Path(__file__).resolve().parents[3]


def manifests() -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="PyYAML, which Ray brings, is not installed")
    return list(yaml.safe_load_all((PROJECT / "etc" / "kuberay.yaml").read_text("utf-8")))


def test_the_daemon_of_the_manifest_is_configured_for_the_cluster_that_it_is_in(monkeypatch):
    """Its keys are read; the token of all is one; as many nodes are asked for as there may be."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True if name == "ray" else found(name))
    cluster = manifests()[0]["spec"]
    ray, daemon = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    (group,) = cluster["workerGroupSpecs"]
    (node,) = group["template"]["spec"]["containers"]
    environ = {each["name"]: each.get("value", "10.1.2.3") for each in daemon["env"]}
    config = load(environ={name: value.replace("$(POD_IP)", "10.1.2.3") for name, value in environ.items()})
    assert (config.pool.backend, config.ray.address) == ("ray", "10.1.2.3:6379")
    assert config.ray.slots == group["maxReplicas"]
    tokens = {each["value"] for container in (ray, node) for each in container["env"] if "TOKEN_PATH" in each["name"]}
    assert tokens == {str(config.ray.token_file)}
    for container in (ray, daemon, node):
        assert "token" in {each["name"] for each in container["volumeMounts"]}


def test_each_container_has_only_volumes_that_its_pod_has():
    cluster = manifests()[0]["spec"]
    for template in (cluster["headGroupSpec"]["template"], cluster["workerGroupSpecs"][0]["template"]):
        names = {each["name"] for each in template["spec"]["volumes"]}
        assert {mount["name"] for each in template["spec"]["containers"] for mount in each["volumeMounts"]} <= names


@pytest.mark.parametrize(
    ("program", "runs"),
    [(["/opt/x/bin/sttd"], "/opt/x/bin/ray start"), (["/py", "-m", "sttd"], "/py -m ray.scripts.scripts start")],
)
def test_the_units_run_the_ray_beside_this_sttd(program, runs):
    for unit in items.RAY:
        assert f"ExecStart={runs} --block" in items.unit_text(unit, program)

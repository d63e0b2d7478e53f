"""What is shipped for a cluster says what sttd and Ray understand."""

from __future__ import annotations

import importlib.util
import os
import shlex
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sttd.configfile import load
from sttd.install import items, share
from tests.systemd.test_unit import settings

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


def test_the_autoscaler_of_the_manifest_has_the_token_of_the_cluster():
    """KubeRay gives its container none by itself: the head refused it, and no node ever came."""
    cluster = manifests()[0]["spec"]
    head = cluster["headGroupSpec"]["template"]["spec"]
    scaler, (ray, _) = cluster["autoscalerOptions"], head["containers"]
    secrets = {each["name"] for each in head["volumes"] if "secret" in each}
    for container in (scaler, ray):
        environ = {each["name"]: each["value"] for each in container["env"]}
        assert environ["RAY_AUTH_MODE"] == "token"
        folders = {each["mountPath"] for each in container["volumeMounts"] if each["name"] in secrets}
        assert folders == {str(Path(environ["RAY_AUTH_TOKEN_PATH"]).parent)}


def test_no_unit_removes_the_folder_that_the_daemon_shares_with_the_node():
    """systemd removes a RuntimeDirectory= when its unit ends, and the daemon's mount of it leads nowhere then."""
    assert share.text("sttd-ray.tmpfiles").splitlines()[-1] == "d /run/sttd-ray 0700 sttd sttd"
    for name in items.RAY:
        unit = settings(name)
        assert "RuntimeDirectory" not in unit
        assert unit["ReadWritePaths"] == ["/run/sttd-ray"]
        assert "--temp-dir=/run/sttd-ray" in share.text(name)
        assert (unit["User"], unit["Group"]) == (["sttd"], ["sttd"])
    assert settings("drop-ins/ray.conf")["ReadWritePaths"] == ["/run/sttd-ray"], "without it the daemon does not start"


@pytest.mark.parametrize(("drop_ins", "ray"), [(["ray"], False), ([], True), (["ray"], True)])
def test_whoever_needs_the_folder_of_the_node_gets_it(drop_ins, ray):
    paths = [item.path for item in items.items(["/opt/sttd/bin/sttd"], drop_ins, None, {}, web=False, ray=ray)]
    assert paths.count(items.TMPFILES / "sttd-ray.conf") == 1


def test_a_node_starts_ray_only_once_its_head_answers():
    """`ray start` with a head that is away hangs, and does not end by itself."""
    (check,) = [line for line in settings("sttd-ray-node.service")["ExecStartPre"] if "RAY_HEAD" in line]
    command = [word.replace("$$", "$").replace("%%", "%") for word in shlex.split(check)]
    with socket.create_server(("127.0.0.1", 0)) as head:
        environ = os.environ | {"RAY_HEAD": f"127.0.0.1:{head.getsockname()[1]}"}
        assert subprocess.run(command, env=environ, check=False).returncode == 0
    assert subprocess.run(command, env=environ, check=False, stderr=subprocess.DEVNULL).returncode == 1

"""What the backend for Ray decides and says, without Ray; and that nobody pays for it who does not use it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sttd
from sttd.pool.ray import wire
from sttd.pool.ray.actor import _process, living
from sttd.pool.ray.room import needs, slots
from sttd.pool.ray.wire import Cluster, End, Slots, Trouble

TOP = Path(sttd.__file__).parent
OF_THE_CLUSTER = {"__main__.py", "actor.py", "driver.py", "flow.py", "hire.py", "reach.py", "room.py"}


def node(cpus: float = 0, gpus: float = 0, *, alive: bool = True) -> dict:
    return {"Alive": alive, "Resources": {"CPU": cpus, **({"GPU": gpus} if gpus else {}), "memory": 1e9}}


@pytest.mark.parametrize(
    ("nodes", "num_cpus", "device", "count", "share"),
    [
        ([node(8), node(5), node(1), node(64, alive=False)], 2, "auto", 6, {"num_gpus": 0, "num_cpus": 2}),
        ([node(8, 1), node(8), node(0, 4)], 2, "auto", 5, {"num_gpus": 1, "num_cpus": 0}),
        ([node(8, 1), node(8)], 4, "cpu", 4, {"num_gpus": 0, "num_cpus": 4}),
        ([node(8)], 2, "cuda", 0, {"num_gpus": 1, "num_cpus": 0}),
        ([node(8, 1, alive=False), node(8)], 8, "auto", 1, {"num_gpus": 0, "num_cpus": 8}),
        ([], 2, "auto", 0, {"num_gpus": 0, "num_cpus": 2}),
    ],
)
def test_workers_have_a_gpu_each_where_there_are_some_else_whole_cores_of_one_node(
    nodes, num_cpus, device, count, share
):
    assert slots(nodes, num_cpus, device) == count
    assert needs(nodes, num_cpus, device) == share


def test_what_is_said_between_daemon_and_driver_comes_over_as_it_was():
    about = Cluster("h:1", "/t", 2, "auto", command=("a", "b"))
    assert wire.cluster(wire.pack(about).decode()) == about
    assert wire.end(wire.pack(End(-9, "its node is gone"))) == End(-9, "its node is gone")
    for message in (Slots(3), Trouble("ไม่มี")):
        assert wire.news(wire.pack(message)) == message


def test_a_process_is_told_from_a_later_one_with_its_number_and_a_zombie_is_gone():
    me = _process(os.getpid())
    assert me is not None
    assert living([me])
    assert not living([(me[0], me[1] - 1)])
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert _process(child.pid) is None
    assert _process(child.pid) is None


def test_only_what_runs_in_the_driver_or_on_a_node_names_ray():
    for path in TOP.rglob("*.py"):
        names = set()
        for each in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(each, ast.Import):
                names |= {alias.name.split(".")[0] for alias in each.names}
            elif isinstance(each, ast.ImportFrom):
                names.add(str(each.module).split(".")[0])
        if "ray" in names:
            assert path.parent == TOP / "pool" / "ray", path
            assert path.name in OF_THE_CLUSTER, path


def test_a_daemon_with_this_backend_imports_neither_ray_nor_what_runs_in_the_driver():
    code = (
        "import dataclasses, sys\n"
        "from sttd.config import Config\n"
        "import sttd.daemon.loop\n"
        "from sttd.pool.build import pool_of\n"
        "config = Config()\n"
        "pool = pool_of(dataclasses.replace(config, pool=dataclasses.replace(config.pool, backend='ray', workers=-1)))\n"
        "assert [each.name for each in pool.sources()] == ['local', 'ray']\n"
        "assert pool.free_slots() == 0 and pool.can_grow()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert not {name for name in modules if name.split(".")[0] == "ray"}
    assert modules & {f"sttd.pool.ray.{name[:-3]}" for name in OF_THE_CLUSTER} == set()

"""What the backend for Ray decides and says, without Ray; and that nobody pays for it who does not use it."""

from __future__ import annotations

import ast
import dataclasses
import importlib.metadata
import importlib.util
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sttd
from sttd.config import Config, Ray
from sttd.config.service import NONE
from sttd.pool.pool import Pool
from sttd.pool.ray import reach, wire
from sttd.pool.ray.actor import _process, living
from sttd.pool.ray.link import Link
from sttd.pool.ray.room import needs, slots
from sttd.pool.ray.source import RaySource
from sttd.pool.ray.wire import Cluster, Coming, DriverFailed, End, Slots
from tests.harness import wait_for
from tests.machine import needs_root
from tests.unprivileged import as_nobody

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
    for message in (Coming(), Slots(3), DriverFailed("ไม่มี")):
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


ABOUT = Cluster("h:1", "", 2, "auto")


@pytest.mark.parametrize("words", ["nonsense", "[1]", '{"slots": 1, "more": 2}'])
def test_a_driver_that_says_nonsense_is_killed_and_no_worker_waits_for_it(words):
    link = Link(ABOUT, ["sh", "-c", f"echo '{words}'; exec sleep 1000"])
    wait_for(lambda: link.is_over, "it is over")
    assert link.post_mortem() == f"the driver of Ray was killed: it said {words.encode()!r}, which no driver says"


def test_the_driver_ends_with_the_last_worker_where_ray_is_used_no_more():
    ray = Config()
    ray = dataclasses.replace(ray, pool=dataclasses.replace(ray.pool, backend="ray"), ray=Ray("h:1", insecure=True))
    source = RaySource(ray, driver=["sh", "-c", "exec cat"])
    worker = source._carry("ray/1")
    link = source._link
    source.configure(dataclasses.replace(ray, pool=dataclasses.replace(ray.pool, workers=2)))
    assert source._link is link
    source.configure(dataclasses.replace(ray, pool=dataclasses.replace(ray.pool, backend="local")))
    assert not link.is_over
    worker.close()
    wait_for(lambda: link.is_over, "the driver is gone")
    source.configure(ray)
    assert source._link is None, "the next worker starts another one"


def test_a_worker_for_which_the_cluster_has_no_room_is_given_up_after_its_time():
    """The driver lives and says so, and never answers the hire."""
    config = dataclasses.replace(Config(), ray=Ray("h:1", insecure=True, start_timeout=0.5))
    config = dataclasses.replace(config, pool=dataclasses.replace(config.pool, backend="ray", workers=NONE))
    pool = Pool(config, lambda made: [RaySource(made, driver=["sh", "-c", "echo '{\"slots\": 1}'; exec sleep 1000"])])
    pool.start(lambda event: None)
    pool.want(1)
    pool.tick(time.monotonic())
    assert [view.state for view in pool.workers()] == ["connecting"]
    wait_for(lambda: (pool.tick(time.monotonic()), pool.sources()[0].away)[1], "it is away")
    assert pool.sources()[0].away == "no worker answered within 0.5 s"
    wait_for(lambda: not pool.workers(), "nobody waits any more")
    pool.close(0.0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="sttd-test-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@needs_root
def test_a_token_of_another_group_is_told_with_what_to_do(public):
    token = public / "token"
    token.write_text("secret")
    token.chmod(0o640)
    done = as_nobody(lambda: reach._prepare(dataclasses.replace(ABOUT, token_file=str(token))))
    assert done.err == (
        f"Unreachable: pool.ray.token_file: {token} may not be read by this user: chgrp and chmod g+r, or chown it\n"
    )


NEEDS_RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'sttd[ray]'"
)


@pytest.mark.ci
@NEEDS_RAY
def test_a_head_that_listens_and_never_answers_is_said_to_be_slow_and_the_token_is_not_blamed():
    """On the way to it the driver says that it lives, before each step that may take long."""
    code = "from sttd.pool.ray import __main__, reach; reach._LIMIT = 1.0; __main__.main()"
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        about = wire.pack(dataclasses.replace(ABOUT, address=address)).decode()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            done = subprocess.run(
                [sys.executable, "-c", code, about], stdin=theirs, stdout=subprocess.PIPE, check=False
            )
    *coming, trouble = map(wire.news, done.stdout.splitlines())
    assert coming == [Coming(), Coming()]
    assert isinstance(trouble, DriverFailed)
    assert trouble.why.startswith(f"{address} answers, but has not let Ray in within 1 s: its head is too busy")


@pytest.mark.ci
@NEEDS_RAY
def test_versions_that_differ_are_both_told_with_what_to_do():
    code = (
        "from ray._private.utils import check_version_info\n"
        "from sttd.pool.ray import reach\n"
        "try: check_version_info({'ray_version': '2.1.0', 'python_version': '3.9.1'}, 'h:1')\n"
        "except RuntimeError as error: print(reach._reason(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = f"Ray {importlib.metadata.version('ray')} on Python {platform.python_version()}"
    assert done.stdout == (
        f"the cluster has Ray 2.1.0 on Python 3.9.1 and sttd has {ours}: install the same versions of both on all of its machines\n"
    )


@pytest.mark.ci
@NEEDS_RAY
def test_an_actor_that_is_not_to_be_reached_is_lost_as_a_dead_one_is_and_killed_to_be_sure():
    """That is what Ray tells first of one whose node has died."""
    code = (
        "import asyncio, ray\n"
        "from ray.exceptions import ActorDiedError, ActorUnavailableError\n"
        "from sttd.pool.ray import hire\n"
        "ray.kill = lambda actor, *, no_restart: print('killed:', actor)\n"
        "async def end(error):\n"
        "    working = asyncio.get_running_loop().create_future()\n"
        "    working.set_exception(error)\n"
        "    one = hire.Hire.__new__(hire.Hire)\n"
        "    one._actor, one._node = 'it', ''\n"
        "    print(await one._outcome(working))\n"
        "for error in ActorDiedError(), ActorUnavailableError('its node sleeps', b'0123456789abcdef'):\n"
        "    asyncio.run(end(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    died, unavailable = [line for line in done.stdout.splitlines() if line != "killed: it"]
    assert done.stdout.count("killed: it") >= 2
    assert died.startswith("End(exitcode=-9, why='its Ray actor is gone: The actor died")
    assert unavailable.startswith("End(exitcode=-9, why='its Ray actor is gone: ")
    assert "its node sleeps" in unavailable


@pytest.mark.ci
@NEEDS_RAY
def test_a_driver_whose_own_node_is_gone_does_not_reach_the_cluster_though_its_head_answers():
    code = (
        "import ray, types\n"
        "from sttd.pool.ray import reach\n"
        "ray.get_runtime_context = lambda: types.SimpleNamespace(get_node_id=lambda: 'mine')\n"
        "for nodes in ({'mine': True}, {'mine': False, 'new': True}, {'new': True}):\n"
        "    ray.nodes = lambda: [{'NodeID': name, 'Alive': alive} for name, alive in nodes.items()]\n"
        "    try: print(len(reach.nodes()))\n"
        "    except reach.Unreachable as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    gone = "the node of Ray on this machine, which the daemon's driver needs, has left the cluster"
    assert done.stdout.splitlines() == ["1", gone, gone]


@pytest.mark.ci
@NEEDS_RAY
def test_a_node_of_which_the_cluster_knows_nothing_is_gone():
    code = (
        "import asyncio\n"
        "from sttd.pool.ray import hire, reach\n"
        "reach.nodes = lambda: [{'NodeID': 'another', 'Alive': True}]\n"
        "one = hire.Hire.__new__(hire.Hire)\n"
        "one._node, one._processes = 28 * 'ab', []\n"
        "print(asyncio.run(one._gone()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "its node is none of the cluster's any more\n"


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

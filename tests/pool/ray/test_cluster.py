"""Workers on a real Ray cluster: what the contract does not say of any kind of worker."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sttd.config import Config
from sttd.part import Cause, Done, Lost, Started
from sttd.pool.command.pipes import Pipes
from sttd.pool.ray.link import Link
from sttd.pool.ray.source import RaySource
from sttd.pool.ray.tunnel import Tunnel
from sttd.pool.ray.wire import Cluster as Reached
from tests.harness import wait_for
from tests.pool.conftest import Rig, check
from tests.pool.contract import rays
from tests.pool.contract.far import FAR
from tests.pool.contract.kinds import KINDS
from tests.pool.ray.cluster import ADDRESS, HEAD, Cluster, lives

(RAY,) = [kind for kind in KINDS if kind.name == "ray"]


@pytest.fixture
def rig(ray_cluster: Cluster) -> Iterator[Callable[..., Rig]]:
    """Pools over the cluster; with the test no actor is left there."""
    made: list[Rig] = []

    def make(workers: int = 1, *, sources=RAY.sources, ray: dict | None = None, **settings) -> Rig:
        """`ray`: what is set in [pool.ray] otherwise than the shared driver has it."""
        sources = own(ray_cluster) if ray else sources

        def configured(config: Config) -> Config:
            config = rays.configured(config)
            return dataclasses.replace(config, ray=dataclasses.replace(config.ray, **(ray or {})))

        kind = dataclasses.replace(RAY, sources=sources, configured=configured)
        made.append(Rig(workers, kind=kind, **settings))
        return made[-1]

    yield make
    for each in made:
        check(each)
    wait_for(lambda: not actors(ray_cluster), "the actors are gone")


def actors(cluster: Cluster) -> list[psutil.Process]:
    found = []
    for pid in cluster.head.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if " ".join(process.cmdline()).startswith("ray::Runner") and lives(pid):
                found.append(process)
    return found


def own(cluster: Cluster) -> Callable[[Config], list[RaySource]]:
    """With a driver of its own."""
    return lambda config: [RaySource(config, driver=cluster.driver, command=FAR)]


@pytest.mark.ci
def test_a_stopped_actor_has_its_seat_until_its_process_is_gone(rig, ray_cluster):
    """Ray tells at once that it is dead, and kills it five seconds later."""
    told = rig(kill_grace=0.2)
    told.submit("1.0", "started hang")
    told.seen("1.0", Started)
    told.wait(lambda: len(actors(ray_cluster)) == 1, "those of the tests before are gone")
    (actor,) = actors(ray_cluster)
    actor.suspend()
    told.pool.kill("1.0", 1, Cause.CANCELLED)
    end = told.end("1.0")
    assert (end.cause, lives(actor.pid)) == (Cause.CANCELLED, False)
    assert isinstance(told.run("2.0", "started done"), Done)


def test_an_actor_that_is_killed_takes_its_worker_with_it_and_the_part_is_lost_at_once(rig, ray_cluster):
    told = rig()
    told.submit("1.0", "started hang")
    pid = told.seen("1.0", Started).pid
    (actor,) = actors(ray_cluster)
    actor.kill()
    end = told.end("1.0")
    assert (type(end), end.cause) == (Lost, Cause.LINE)
    assert end.error.startswith("the worker on ray/1 is lost: its Ray actor is gone: "), end.error
    assert not rays.exists(pid), "it has ended before its part is given to another"
    assert isinstance(told.run("2.0", "started done"), Done)


def test_a_driver_that_dies_loses_its_workers_and_another_one_is_started(rig, ray_cluster):
    told = rig(2, sources=own(ray_cluster))
    told.reach(2)
    for number in (1, 2):
        told.submit(f"{number}.0", "started hang")
    pids = [told.seen(f"{number}.0", Started).pid for number in (1, 2)]
    driver = driver_of(told)
    driver.kill()
    for number in (1, 2):
        end = told.end(f"{number}.0")
        assert (type(end), end.cause) == (Lost, Cause.LINE)
        assert "is lost: the driver of Ray ended (killed by SIGKILL)" in end.error
    told.wait(lambda: not any(map(rays.exists, pids)), "none works on alone")
    assert isinstance(told.run("3.0", "started done"), Done)
    assert driver_of(told).pid != driver.pid


def driver_of(told: Rig) -> psutil.Process:
    """That of a pool with a driver of its own; it is no child of another one."""
    (source,) = [staff.source for staff in told.pool._staffs]
    return psutil.Process(source._link._pipes._carrier.pid)


@pytest.mark.slow
def test_a_driver_that_hangs_is_silent_and_its_parts_go_on_elsewhere(rig, ray_cluster):
    told = rig(sources=own(ray_cluster), remote_timeout=3.0)
    told.submit("1.0", "started hang")
    pid = told.seen("1.0", Started).pid
    driver = driver_of(told)
    driver.suspend()
    try:
        end = told.end("1.0")
        assert end.error == "the worker on ray/1 is lost: nothing was heard of it for 3 s"
        told.wait(lambda: not rays.exists(pid), "it heard nothing either, and has ended by itself")
    finally:
        driver.resume()
    assert isinstance(told.run("2.0", "started done"), Done)


@pytest.mark.slow
def test_two_daemons_share_a_cluster_and_the_end_of_one_is_not_that_of_the_other(rig, ray_cluster):
    one, other = rig(sources=own(ray_cluster)), rig(sources=own(ray_cluster))
    for each in (one, other):
        each.submit("1.0", "started hang")
        each.seen("1.0", Started)
    assert len(actors(ray_cluster)) == 2
    one.pool.close(0.0)
    assert one.of("1.0", Lost)
    wait_for(lambda: len(actors(ray_cluster)) == 1, "the actor of one is gone")
    assert other.states() == ["running"]
    other.pool.kill("1.0", 1, Cause.ASKED)
    assert isinstance(other.run("2.0", "started done"), Done)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"token_file": "wrong"}, f"{ADDRESS} answers, but Ray is not let in: is the token in pool.ray.token_file"),
        ({"token_file": "none"}, "none cannot be looked at (No such file or directory): write the token of the cluster into it"),
        ({"token_file": Path(), "insecure": True}, "does the cluster want a token? Then set pool.ray.token_file"),
        ({"address": f"{HEAD}:6378"}, f"nobody answers at {HEAD}:6378, where pool.ray.address has the head of the cluster"),
    ],
)  # fmt: skip
def test_who_is_not_let_in_is_told_so_within_seconds_and_what_to_do(rig, ray_cluster, changed, said, tmp_path):
    if changed.get("token_file"):
        changed = (
            {"token_file": tmp_path / changed["token_file"]} if isinstance(changed["token_file"], str) else changed
        )
        (tmp_path / "wrong").write_text("another token")
        (tmp_path / "wrong").chmod(0o600)
    told = rig(ray=changed)
    told.pool.want(1)
    told.pool.tick(0.0)
    why = told.wait(lambda: told.pool.sources()[0].away, "it is away")
    assert said in why
    told.wait(lambda: not told.pool.workers(), "nobody waits for it")


@pytest.mark.slow
def test_a_worker_that_finds_no_room_takes_no_part_and_the_pool_closes_without_it(rig):
    """One worker of 5 cores fits into 8; a number of slots is asked for all the same."""
    told = rig(2, ray={"num_cpus": 5})
    told.reach(1)
    told.wait(lambda: (told.pool.want(1), sorted(told.states()) == ["connecting", "idle"])[1], "the second waits")
    assert told.pool.free_slots() == 1
    assert isinstance(told.run("1.0", "started done"), Done)
    assert [view.workers for view in told.pool.sources()] == [1]


def test_slots_are_as_many_as_the_nodes_have_room_for_where_no_number_is_set(rig):
    told = rig(ray={"num_cpus": 4, "slots": 0})
    told.reach(1)
    told.wait(lambda: [view.slots for view in told.pool.sources()] == [2], "two of 4 fit into 8")


@pytest.mark.slow
def test_a_changed_table_counts_for_its_workers_at_once_and_another_number_of_slots_ends_none(rig, ray_cluster):
    told = rig(sources=own(ray_cluster))
    assert isinstance(told.run("1.0", "started done"), Done)
    (actor,), driver = actors(ray_cluster), driver_of(told)
    told.pool.configure(dataclasses.replace(told.config, ray=dataclasses.replace(told.config.ray, slots=2)))
    told.pool.tick(time.monotonic())
    assert told.states() == ["idle"]
    told.pool.configure(dataclasses.replace(told.config, ray=dataclasses.replace(told.config.ray, num_cpus=2)))
    told.wait(lambda: not lives(actor.pid), "it is let go")
    assert isinstance(told.run("2.0", "started done"), Done)
    assert driver_of(told).pid != driver.pid
    told.wait(lambda: not lives(driver.pid), "it ends with its last worker")


@pytest.mark.ci
def test_an_unread_line_is_not_filled_without_end_and_all_comes_through_in_order(ray_cluster):
    """The daemon writes as fast as it can to a far side that echoes, stops, and goes on."""
    link = Link(Reached(ADDRESS, str(ray_cluster.token), 1, "cpu", command=("cat",)), ray_cluster.driver)
    pipes = Pipes(Tunnel(link, "ray/1"))
    block = os.urandom(2**18)
    heard = bytearray()
    wait_for(lambda: link.slots is not None, "the cluster is reached")
    written = 0

    def blocked() -> bool:
        """Whether two seconds went by in which nothing more was taken."""
        nonlocal written
        before, end = written, time.monotonic() + 2.0
        while time.monotonic() < end:
            pipes.send(b"")  # what waits is written, where there is room
            if not pipes.is_blocked:
                pipes.send(block)
                written += len(block)
                assert written < 16 * 2**20, "somebody on the way takes all of it"
            time.sleep(0.002)
        return written == before and len(actors(ray_cluster)) == 1

    # nobody reads what comes back: cat's output fills each pipe on the way, and then its input does
    wait_for(blocked, "no more is taken")
    wait_for(lambda: (heard.extend(pipes.wait(1.0)[0]), len(heard) >= written)[1], "all of it")
    assert bytes(heard) == block * (written // len(block))
    pipes.kill()
    assert pipes.reap() == -signal.SIGKILL
    link.close()

"""What the driver does once it has reached the cluster: it hires workers, and looks at the cluster's nodes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence

from ray.exceptions import RayError

from sttd.pool.ray import reach, room
from sttd.pool.ray.hire import DESCRIPTORS, Hire
from sttd.pool.ray.room import Node
from sttd.pool.ray.wire import PACKET, Cluster, End, Slots, pack, tell

_PATIENCE = 10.0  # seconds that the cluster's head may take to answer


async def drive(cluster: Cluster, way: socket.socket, news: int) -> None:
    """Work until the daemon closes its end of `way`.

    Raises:
        Unreachable: the cluster's head has gone.
    """
    driver = Driver(cluster, way, news, reach.nodes())
    tasks = (asyncio.create_task(driver.hear()), asyncio.create_task(driver.look()), driver.broken)
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each in done:
        each.result()


class Driver:
    """`hear` and `look` run in one task each; `broken` gets the exception of a hire that fails unexpectedly."""

    def __init__(self, cluster: Cluster, way: socket.socket, news: int, nodes: Sequence[Node]) -> None:
        self._cluster = cluster
        self._way = way
        self._news = news
        self._nodes = nodes
        self._hires: set[asyncio.Task[None]] = set()
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        way.setblocking(False)

    async def hear(self) -> None:
        """Hire whom the daemon asks for."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._way, readable.set)
        while True:
            await readable.wait()
            readable.clear()
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._way, PACKET, DESCRIPTORS)
            except BlockingIOError:
                continue
            if not packet:
                return
            readable.set()
            self._hire(descriptors)

    def _hire(self, descriptors: Sequence[int]) -> None:
        """Hire a worker. If that fails the daemon gets the reason, and the other workers go on."""
        if len(descriptors) != DESCRIPTORS:  # the kernel closes descriptors that are over this process's limit
            _refuse(
                descriptors, "the driver of Ray has as many open files as it may: raise LimitNOFILE= of sttd.service"
            )
            return
        needs = room.needs(self._nodes, self._cluster.num_cpus, self._cluster.device)
        try:
            hire = Hire(descriptors, self._cluster.command, needs)
        except RayError as error:
            _refuse(descriptors, f"Ray takes no actor: {reach.one_line(error)}")
            return
        task = asyncio.create_task(hire.run())
        self._hires.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, hire: asyncio.Task[None]) -> None:
        """An unexpected exception of a hire ends the driver: the daemon starts another one."""
        self._hires.discard(hire)
        error = None if hire.cancelled() else hire.exception()
        if error and not self.broken.done():
            self.broken.set_exception(error)

    async def look(self) -> None:
        """Tell the daemon every `cluster.beat` seconds or so how many workers have room.

        Raises:
            Unreachable: the cluster's head has gone.
        """
        cluster, failed = self._cluster, False
        while True:
            tell(self._news, Slots(room.slots(self._nodes, cluster.num_cpus, cluster.device)))
            await asyncio.sleep(cluster.beat)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await asyncio.to_thread(reach.knock, cluster.address)
                    self._nodes = await asyncio.to_thread(reach.nodes)
                failed = False
            except (reach.Unreachable, TimeoutError) as error:
                if failed:  # the first time the head may be restarting
                    why = str(error) or f"the head of the cluster, {cluster.address}, does not answer any more"
                    raise reach.Unreachable(why) from error
                failed = True


def _refuse(descriptors: Sequence[int], why: str) -> None:
    """Write the reason to the worker's `life`, the first one, if it has come. Close them all."""
    for life in descriptors[:1]:
        with contextlib.suppress(OSError):  # the daemon waits for it no longer
            os.write(life, pack(End(int(-signal.SIGKILL), why)))
    for each in descriptors:
        os.close(each)

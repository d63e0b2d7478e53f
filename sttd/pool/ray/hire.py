"""One worker in the driver: its actor, the bytes between its pipes and the actor, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sttd.pool.ray import flow, reach
from sttd.pool.ray.actor import Process, Runner, living
from sttd.pool.ray.wire import End, pack

_PIECE = 65536  # bytes: what is smaller than 100 KiB goes with Ray's call itself, and not through its object store
_PIECES = 16  # with one call
_GENTLY = 1.0  # seconds that an actor may take to end its far side; after them the actor is killed itself
_TOLD = 5.0  # seconds that Ray may take to report the kill of an actor
_AGAIN = 0.5  # seconds between two looks whether a process is gone
_KILLED = int(-signal.SIGKILL)
_ACTOR = ray.remote(Runner)  # made once: the cluster keeps each of these for as long as the driver lives
DESCRIPTORS = 4  # of a hire
_LOOK = ray.remote(living)


class Hire:
    """See `run`."""

    def __init__(self, descriptors: Sequence[int], command: Sequence[str], needs: Mapping[str, int]) -> None:
        """`descriptors`: as in `wire.py`; `needs`: what it takes of its node. Raises RayError: the cluster takes no actor."""
        actor = _ACTOR.options(**needs, max_restarts=0, max_task_retries=0, max_concurrency=4, enable_task_events=False)
        self._actor = actor.remote(command)
        life, self._orders, self._messages, self._errors = descriptors
        self._life = socket.socket(fileno=life)
        self._node = ""  # its id, once the actor is there
        self._processes: list[Process] = []

    async def run(self) -> None:
        """Carry the worker's bytes until its end, and report that."""
        killed, working = asyncio.create_task(self._kill_order()), asyncio.create_task(self._work())
        await asyncio.wait((killed, working), return_when=asyncio.FIRST_COMPLETED)
        killed.cancel()
        if not working.done():
            await self._end(working)
        end = await self._outcome(working)
        for each in (self._orders, self._messages, self._errors):
            os.close(each)
        with contextlib.suppress(OSError):  # the daemon waits for it no longer
            self._life.send(pack(end))
        self._life.close()

    async def _kill_order(self) -> None:
        """Wait until the daemon wants the worker killed, or is gone."""
        await flow.readable(self._life.fileno())

    async def _work(self) -> int:
        """Carry bytes both ways; returns the exit code of the far side."""
        self._node, self._processes = await self._actor.born.remote()
        orders = asyncio.create_task(self._carry_orders())
        try:
            while True:
                messages, errors, exitcode = await self._actor.read.remote()
                await flow.write(self._messages, messages)
                await flow.write(self._errors, errors)
                if exitcode is not None:
                    return int(exitcode)
        finally:
            orders.cancel()

    async def _carry_orders(self) -> None:
        with contextlib.suppress(RayError):  # `_work`, which reads the messages, gets it too
            while data := await flow.read(self._orders, _PIECE * _PIECES):
                pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
                await self._actor.write.remote(*pieces)

    async def _end(self, working: asyncio.Task[int]) -> None:
        """Let the actor kill its far side, and report that. If that does not help, kill the actor."""
        if self._node:
            self._actor.kill.remote()
            await asyncio.wait([working], timeout=_GENTLY)
        if not working.done():
            ray.kill(self._actor, no_restart=True)
            await asyncio.wait([working], timeout=_TOLD)

    async def _outcome(self, working: asyncio.Task[int]) -> End:
        """Returns once nothing of the worker runs any more, and its share of the node is free."""
        if not working.done():
            working.cancel()
            return End(_KILLED, await self._gone() or "Ray does not tell what became of it")
        try:
            return End(working.result())
        except RayError as error:
            ray.kill(self._actor, no_restart=True)  # after ActorUnavailableError it may still be there
            return End(_KILLED, await self._gone() or _reason(error))
        finally:
            ray.kill(self._actor, no_restart=True)

    async def _gone(self) -> str:
        """Wait until none of its processes is there: Ray reports an actor's end too early. Returns what became of its node."""
        if not self._node:
            return ""  # nor does it matter: they have got no order, and sent nothing
        place = NodeAffinitySchedulingStrategy(self._node, soft=False)
        look = _LOOK.options(num_cpus=0, max_retries=0, scheduling_strategy=place)
        while True:
            with contextlib.suppress(RayError, reach.Unreachable):  # the node is just going; the head may come back
                nodes = await asyncio.to_thread(reach.nodes)
                node = next((each for each in nodes if each["NodeID"] == self._node), None)
                if node is None:
                    return "its node is none of the cluster's any more"
                if not node["Alive"]:
                    return f"its node {node['NodeManagerAddress']} has left the cluster, or does not answer"
                if not await look.remote(self._processes):
                    return ""
            await asyncio.sleep(_AGAIN)


def _reason(error: RayError) -> str:
    """The end of a sentence about the worker."""
    why = reach.one_line(error)
    if "No module named 'sttd" in why:
        return f"its node has no sttd beside its Ray ({why}): install sttd[ray] there, into the Python that runs `ray start`"
    return f"its Ray actor is gone: {why}"

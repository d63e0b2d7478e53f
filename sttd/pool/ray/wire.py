"""What the daemon and its driver say to each other.

- The driver's one argument: `Cluster`, as JSON.
- Its standard input is a socket that keeps packets apart. Each packet hires a worker: its name, with four descriptors: the
  worker's own socket, `life`, where the driver reads the orders, and where it writes messages and errors.
- On `life` the daemon says KILL (or closes it); the driver answers with one End when nothing of the worker runs any more. If the
  driver dies, the system closes all of these, and each worker is lost.
- On its standard output the driver writes lines of JSON: Coming until it has reached the cluster, then Slots now and then, which
  also say that it lives, or at last a DriverFailed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any

KILL = b"kill"
PACKET = 65536  # bytes, at most


@dataclass(frozen=True, slots=True)
class Cluster:
    """How the driver reaches the cluster, and what a worker gets there."""

    address: str
    token_file: str  # "": none
    num_cpus: int
    device: str  # auto, cpu or cuda
    beat: float = 5.0  # seconds between two looks at the cluster
    command: tuple[str, ...] = ()  # what an actor runs; (): `sttd worker`, with the Python of its node


@dataclass(frozen=True, slots=True)
class End:
    """The worker is gone."""

    exitcode: int  # of the far side, where it is known; else that of SIGKILL
    why: str = ""  # the end of a sentence about the worker; "": the far side ended by itself


@dataclass(frozen=True, slots=True)
class Coming:
    """The driver lives, and has not reached the cluster yet: to load Ray from a cold disk may take long."""


@dataclass(frozen=True, slots=True)
class Slots:
    """How many workers the nodes that are there have room for, those that work now included."""

    slots: int


@dataclass(frozen=True, slots=True)
class DriverFailed:
    """The driver ends."""

    why: str  # with the remedy


class Nonsense(Exception):
    """It is nothing that a driver says; the message says what it was."""


def pack(message: Cluster | End | Coming | Slots | DriverFailed) -> bytes:
    return json.dumps(dataclasses.asdict(message)).encode()


def cluster(data: str) -> Cluster:
    found = json.loads(data)
    return Cluster(**found | {"command": tuple(found["command"])})


def end(data: bytes) -> End:
    return End(**json.loads(data))


def tell(descriptor: int, message: Coming | Slots | DriverFailed) -> None:
    """A line to the daemon; without effect where it is gone."""
    with contextlib.suppress(OSError):
        os.write(descriptor, pack(message) + b"\n")


def news(line: bytes) -> Coming | Slots | DriverFailed:
    """A line of the driver's standard output.

    Raises:
        Nonsense: it is none.
    """
    try:
        found: dict[str, Any] = json.loads(line)
        return Coming() if found == {} else DriverFailed(**found) if "why" in found else Slots(**found)
    except (ValueError, TypeError):
        raise Nonsense(f"it said {line[:80]!r}, which no driver says") from None

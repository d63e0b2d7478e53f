"""How the driver's process reaches the cluster, and what it asks of it. It imports Ray only when the head has answered."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from sttd.config.ray import host_and_port, token_problem
from sttd.pool.ray.room import Node
from sttd.pool.ray.wire import Cluster

_KNOCK = 5.0  # seconds that a connection may take
_LIMIT = 20.0  # seconds until Ray is let in: a busy head takes some, and Ray itself waits for 80
_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")


class Unreachable(Exception):
    """The cluster cannot be used; the message is a sentence with the remedy."""


def knock(address: str) -> None:
    """Check that somebody listens there.

    Raises:
        Unreachable: nobody does.
    """
    found = host_and_port(address)
    assert found, "the configuration has been checked"
    try:
        socket.create_connection(found, _KNOCK).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise Unreachable(
            f"nobody answers at {address}, where pool.ray.address has the head of the cluster ({why}): is sttd-ray-head.service, or"
            " `ray start --head`, running there?"
        ) from None


def connect(cluster: Cluster, namespace: str, give_up: Callable[[str], NoReturn], live: Callable[[], None]) -> None:
    """Make this process a driver of the cluster. Called in the main thread.

    Args:
        cluster: which one.
        namespace: of this driver alone.
        give_up: ends the process; called in a thread of its own where Ray goes on trying.
        live: called before each step that may take long.

    Raises:
        Unreachable: the cluster cannot be used.
    """
    knock(cluster.address)
    _prepare(cluster)
    live()
    import ray  # noqa: PLC0415 - its environment had to be set before
    from ray.exceptions import RayError  # noqa: PLC0415

    live()
    before = signal.getsignal(signal.SIGTERM)
    limit = threading.Timer(_LIMIT, give_up, [_slow(cluster)])
    limit.daemon = True
    limit.start()
    try:
        _show_token(cluster)
        ray.init(
            address=cluster.address, namespace=namespace, log_to_driver=False, logging_level=logging.ERROR,
            configure_logging=False,
        )  # fmt: skip
    except (RayError, OSError, RuntimeError, ValueError) as error:
        raise Unreachable(f"Ray at {cluster.address} cannot be used: {_reason(error)}") from None
    finally:
        limit.cancel()
        signal.signal(signal.SIGTERM, before)


def _prepare(cluster: Cluster) -> None:
    """Put the token into the environment, the only place where Ray looks for it."""
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        os.environ.pop(name, None)
    os.environ["RAY_AUTH_MODE"] = "token" if cluster.token_file else "disabled"
    if cluster.token_file:
        why = token_problem(Path(cluster.token_file))
        if not why and not os.access(cluster.token_file, os.R_OK):
            why = f"{cluster.token_file} may not be read by this user: chgrp and chmod g+r, or chown it"
        if why:
            raise Unreachable(f"pool.ray.token_file: {why}")
        os.environ["RAY_AUTH_TOKEN_PATH"] = cluster.token_file


def _show_token(cluster: Cluster) -> None:
    """Try the token: the head rejects a wrong one at once. `ray.init` would try it for 20 s, and not say why it fails.

    Raises:
        Unreachable: it is wrong, or missing.
    """
    from ray.exceptions import AuthenticationError  # noqa: PLC0415

    raylet: Any = importlib.import_module("ray._raylet")  # private: without its GcsClient, `_LIMIT` ends the attempt
    try:
        with contextlib.suppress(AttributeError):
            raylet.GcsClient(address=cluster.address)
    except AuthenticationError:
        raise Unreachable(_not_let_in(cluster)) from None


def _not_let_in(cluster: Cluster) -> str:
    if cluster.token_file:
        remedy = (
            f"is the token in pool.ray.token_file ({cluster.token_file}) that of the cluster, which its nodes have in"
            " RAY_AUTH_TOKEN_PATH?"
        )
    else:
        remedy = "does the cluster want a token? Then set pool.ray.token_file, and not pool.ray.insecure"
    return f"{cluster.address} answers, but Ray is not let in: {remedy}"


def _slow(cluster: Cluster) -> str:
    return (
        f"{cluster.address} answers, but has not let Ray in within {_LIMIT:g} s: its head is too busy or hangs, or no node of Ray runs"
        " on this machine (sttd-ray-head.service, sttd-ray-node.service, or `ray start`)"
    )


def _reason(error: BaseException) -> str:
    """Why Ray cannot be used. Where versions differ Ray lists them, those of the cluster first, and names no remedy."""
    if "Version mismatch" not in str(error):
        return one_line(error)
    versions = [f"Ray {ray} on Python {python}" for ray, python in _VERSIONS.findall(str(error))]
    return (
        f"the cluster has {' and sttd has '.join(versions)}: install the same versions of both on all of its machines"
    )


def nodes() -> list[Node]:
    """The nodes of the cluster, also those that have left. It may wait for long if the cluster's head is gone.

    Raises:
        Unreachable: the head is gone, for now; or this machine's own node is lost, and its driver with it.
    """
    import ray  # noqa: PLC0415
    from ray.exceptions import RayError  # noqa: PLC0415

    try:
        found: list[Any] = ray.nodes()
    except (RayError, RuntimeError) as error:
        raise Unreachable(f"the head of the cluster does not answer: {one_line(error)}") from None
    mine = ray.get_runtime_context().get_node_id()
    if not any(each["Alive"] and each["NodeID"] == mine for each in found):
        raise Unreachable("the node of Ray on this machine, which the daemon's driver needs, has left the cluster")
    return found


def one_line(error: BaseException) -> str:
    """The last line of what Ray says at length: it has the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__

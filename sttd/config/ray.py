"""[pool.ray]: workers on the nodes of a Ray cluster, where pool.backend is "ray"."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from sttd.config.key import key

NAME = "ray"  # of its workers: ray/1, ray/2; no [[pool.remote]] table has it
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Ray:
    address: str = key(
        "", "The cluster's head as HOST:PORT, such as 10.0.0.1:6379. This machine is one of its nodes.", "str"
    )
    token_file: Path = key(
        Path(), "The file with the cluster's token, as RAY_AUTH_TOKEN_PATH names it on its nodes. Others must not read it.",
        "path",
    )  # fmt: skip
    insecure: bool = key(
        False, "Go without a token: whoever reaches the cluster then runs anything on its nodes, and hears all.", "bool"
    )
    slots: int = key(
        0,
        "Workers. auto: as many as the nodes that are there have room for. A number: at most so many, and so many are asked for "
        "even where there is no room yet, so that an autoscaler adds nodes.",
        "auto",
        most=1024,
    )
    num_cpus: int = key(2, "Cores of one worker, where it has no GPU.", "int", least=1, most=256)
    device: str = key(
        "auto", "auto (one GPU for each worker, cores where no node has a GPU), cpu or cuda.", "choice",
        choices=("auto", "cpu", "cuda"),
    )  # fmt: skip
    start_timeout: float = key(
        600.0, "How long a worker may wait for room in the cluster.", "duration", least=1.0, endless=True
    )


def host_and_port(address: str) -> tuple[str, int] | None:
    """The parts of an address; None: it is none."""
    found = _ADDRESS.fullmatch(address)
    if not found or not 0 < int(found[2]) < 65536:
        return None
    return found[1].strip("[]"), int(found[2])


def token_problem(path: Path) -> str:
    """Why the token cannot be used, in words that begin with the file and end with the remedy; "": it can be."""
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
    except OSError as error:
        return f"{path} cannot be looked at ({error.strerror}): write the token of the cluster into it, and let this user read it"
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        return f"{path} may be read or written by everybody (mode {stat.S_IMODE(mode):04o}): chmod o= {path}"
    if not size:
        return f"{path} is empty: write the token of the cluster into it"
    return ""

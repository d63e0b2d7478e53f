"""A worker of another machine: one [[pool.remote]] table."""

from __future__ import annotations

from dataclasses import dataclass

from sttd.config.key import key


@dataclass(frozen=True, slots=True)
class Remote:
    """One table."""

    name: str  # in the log and in `sttd status`: its workers are NAME/1, NAME/2, ...
    command: tuple[
        str, ...
    ]  # runs `sttd worker` on the other machine, with its standard input and output as they are here
    slots: int = key(1, "Workers there: the command is started once for each.", "int", least=1, most=256)
    cpu_threads: int = key(
        0,
        "Threads of one worker. auto: the cores there shared out, or as many as Slurm or Kubernetes gives.",
        "auto",
        most=256,
    )
    start_timeout: float = key(
        600.0, "How long the command may take until the worker there answers (a cluster may let it queue).", "duration",
        least=1.0, endless=True,
    )  # fmt: skip
    device: str = key("auto", "auto, cpu or cuda, there.", "choice", choices=("auto", "cpu", "cuda"))

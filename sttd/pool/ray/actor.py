"""What runs on a node of the cluster: an actor that starts the far side, and hands its bytes on.

Ray finds this module on the node by its name, so that sttd must be installed beside the node's Ray.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from sttd.pool.command.carrier import Command
from sttd.pool.command.pipes import Pipes

_LONG = 3600.0  # seconds that a read waits for bytes; the far side's beats come sooner
_CLOSING = 1.0  # seconds that what the far side has started may hold its streams open

Process = tuple[int, float]  # its id on that node, and when it was started, in clock ticks since the boot


class Runner:
    """An actor. `read` is called again and again, the other methods meanwhile; no method runs twice at once."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        """Ray calls this in the main thread of its process: the far side dies when that thread ends (PR_SET_PDEATHSIG)."""
        command = command or (sys.executable, "-m", "sttd", "worker")
        self._carrier = Command(command, environ=_environ())
        self._pipes = Pipes(self._carrier)

    def born(self) -> tuple[str, list[Process]]:
        """The id of its node, and its processes: the actor's own, and the far side."""
        import ray  # noqa: PLC0415 - it is there where Ray runs this

        node = str(ray.get_runtime_context().get_node_id())
        return node, [process for pid in (os.getpid(), self._carrier.pid) if (process := _process(pid))]

    def write(self, *pieces: bytes) -> bool:
        """Write to the far side's standard input; returns once little is left to be written. False: it is gone."""
        for each in pieces:
            self._pipes.send(each)
        return self._pipes.wait_for_room()

    def read(self) -> tuple[bytes, bytes, int | None]:
        """What has come on standard output and on standard error, once something has; and the exit code, at the end."""
        pipes = self._pipes
        messages, errors = pipes.wait(_CLOSING if pipes.exited else _LONG)
        is_closed = pipes.messages_closed and pipes.errors_closed
        is_over = pipes.exited and (is_closed or not (messages or errors))
        return messages, errors, pipes.reap() if is_over else None

    def kill(self) -> None:
        """End the far side."""
        self._pipes.kill()


def living(processes: Sequence[Process]) -> bool:
    """Whether one of them is still there. Run by Ray on the node that they are on."""
    return any(_process(pid) == (pid, since) for pid, since in processes)


def _process(pid: int) -> Process | None:
    """None: it is gone, or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            words = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if words[0] in (b"Z", b"X") else (pid, float(words[19]))  # proc(5): starttime


def _environ() -> dict[str, str]:
    """The environment without what Ray sets for its own workers: the cluster's token, and the threads of OpenMP."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("RAY_") and name != "OMP_NUM_THREADS"
    }

"""Why a worker is gone, concluded from what was ordered, its exit code, and the kernel's count of OOM kills."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TypeGuard

from sttd.part import Cause, Event, Failed, Lost

# after these the state of a process (its memory, the GPU's, a thread that is stuck) is not to be trusted any more
_SPOILT = frozenset({Cause.GPU_MEMORY, Cause.OOM, Cause.NO_MODEL, Cause.MACHINE, Cause.ERROR})


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker ended."""

    exitcode: int | None  # negative: the signal; None: it is still there, and does not even die of SIGKILL
    problem: str = ""  # what made us end it: foreign bytes in its pipe, say
    unborn: str = ""  # why there never was a worker, in words, where it had not begun with its part
    line: str = ""  # why the way to it is broken, in words; what became of the worker itself is not known


def spoils(end: Failed) -> bool:
    """Whether a worker that ends a part like this is to have no further one."""
    return end.spoilt or end.cause in _SPOILT


def is_fault_of_node(event: Event | None, ordered: Cause | None) -> TypeGuard[Failed | Lost]:
    """Whether another machine may do better. Not where we killed the worker because this machine can store nothing.

    A missing model, or one that cannot do what is asked of it, may be the job's own fault: the daemon judges that, and
    calls `bench`.
    """
    return isinstance(event, Failed | Lost) and event.cause is Cause.MACHINE and ordered is not Cause.MACHINE


def spoken(exitcode: int | None) -> str:
    """The exit code in words: `exit code 1`, `killed by SIGKILL`."""
    if exitcode is None:
        return "it hangs in the kernel and cannot be killed"
    if exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        return f"killed by {signal.Signals(-exitcode).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {-exitcode}"


def cause_of(
    death: Death, *, ordered: Cause | None, sent: bool = False, took: bool, loaded: bool, oom: bool
) -> tuple[Cause, str]:
    """The cause, and a sentence for the log.

    Args:
        death: how the process ended.
        ordered: the cause of our own kill, if there was one.
        sent: the recording was on its way to it.
        took: it had begun with the part.
        loaded: a model was in its memory.
        oom: the kernel has killed for lack of memory since the part began.
    """
    how = spoken(death.exitcode)
    if ordered is not None:
        return ordered, f"the worker was killed ({ordered}): {how}"
    if death.line and sent and not took:  # a recording that is too much for the other machine's disk or memory, perhaps
        return Cause.LINE, f"{death.line}, while the recording was sent there"
    if death.line:
        return (Cause.LINE if took and loaded else Cause.MACHINE), death.line
    if death.problem:
        return Cause.CRASH, f"the worker was killed because it sent {death.problem}"
    if death.exitcode == -signal.SIGKILL and oom:
        how = "killed by the kernel's OOM killer (SIGKILL)"
    if not took and death.unborn:
        return Cause.MACHINE, death.unborn
    if not took:
        # a broken installation, no memory to start in, or a death while it was idle: not the recording's fault
        return Cause.MACHINE, f"the worker died before it could begin: {how}; see its messages above in the log"
    if not loaded:
        return Cause.NO_MODEL, f"the worker died while it loaded the model: {how}"
    if death.exitcode == -signal.SIGKILL and oom:
        return Cause.OOM, f"the worker was {how}"
    return Cause.CRASH, f"the worker died: {how}"

"""What follows from each way that an attempt can end: one table, and the function that reads it.

Spent attempts are counted over the whole life of a job: progress between two crashes does not give them back, so that
a job that crashes its worker now and then for ever ends too. A person's `retry` starts counting anew.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sttd.job import State
from sttd.part import Cause

JITTER = 0.25  # a stored wait is up to this much longer than the configured one, so that not all come back at once


class Wait(enum.Enum):
    """How long a queued job waits for its next turn."""

    NONE = enum.auto()  # it may be next
    BACKOFF = enum.auto()  # `pool.retry_waits`, growing with the attempts spent
    MACHINE = enum.auto()  # `pool.machine_wait`: somebody must put the machine right


@dataclass(frozen=True, slots=True)
class Rule:
    """What one cause means. The fields are looked at from top to bottom; the first that applies decides."""

    forgiven: bool = False  # if the attempt brought chunks, the job is queued again unchanged, at once
    chance: bool = False  # the same for the first attempt in a row that ends this way
    halve: bool = False  # try a smaller batch first, at once, without spending an attempt
    to_cpu: bool = False  # with a batch of one on a GPU, try the CPU next, without spending an attempt
    spend: bool = False  # an attempt is spent; with the last one the job fails
    wait: Wait = Wait.NONE
    state: State = State.QUEUED


_AGAIN = Rule()
_FAULT = Rule(spend=True, wait=Wait.BACKOFF)
_MACHINE = Rule(wait=Wait.MACHINE)

RULES: dict[Cause, Rule] = {
    Cause.SLICE: _AGAIN,
    Cause.ASKED: _AGAIN,
    Cause.MEMORY: _AGAIN,
    Cause.SHUTDOWN: _AGAIN,
    Cause.CHANGED: _AGAIN,
    Cause.TIMEOUT: Rule(forgiven=True, halve=True, spend=True, wait=Wait.BACKOFF),
    Cause.OOM: Rule(halve=True, spend=True, wait=Wait.BACKOFF),
    Cause.GPU_MEMORY: Rule(halve=True, to_cpu=True, spend=True, wait=Wait.BACKOFF),
    Cause.CRASH: _FAULT,
    # A cable that is cut, or a recording that takes the whole machine with it? After the first break nobody knows, and the job
    # goes on elsewhere. Further breaks without a chunk between them cost as much as a worker that is killed on this machine.
    Cause.LINE: Rule(forgiven=True, chance=True, halve=True, spend=True, wait=Wait.BACKOFF),
    Cause.ERROR: _FAULT,
    Cause.NO_MODEL: _MACHINE,
    Cause.CONFIGURATION: _MACHINE,  # somebody must put the configuration right
    Cause.MACHINE: _MACHINE,
    Cause.UNREADABLE: _MACHINE,
    Cause.GONE: Rule(wait=Wait.MACHINE),  # it waits until the inbox has looked twice and reports the file gone
    Cause.BAD_FILE: Rule(spend=True, state=State.FAILED),
    Cause.CANCELLED: Rule(state=State.CANCELLED),
    Cause.EXISTING: Rule(state=State.COMMITTING),  # there is nothing to write, and it is done: see daemon/library.py
}
# causes for which the machine or its configuration is at fault, not the job
AT_FAULT = frozenset({Cause.NO_MODEL, Cause.CONFIGURATION, Cause.MACHINE, Cause.UNREADABLE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger is to store."""

    state: State
    spend_attempt: bool
    not_before: float  # UTC seconds since the epoch
    batch_size: int | None  # the job's from now on; None: the configured one
    device: str | None  # the job's from now on; None: the configured one
    machine: bool  # the machine is at fault: `--drain` ends with 1


class Tried(Protocol):
    """What an attempt worked on: a job, or one part of it."""

    @property
    def attempts(self) -> int: ...
    @property
    def batch_size(self) -> int | None: ...
    @property
    def device(self) -> str | None: ...


def verdict(
    job: Tried,
    cause: Cause,
    *,
    progressed: bool,
    retriable: bool = True,
    repeated: bool = False,
    now: float,
    random: Callable[[], float],
    waits: Sequence[float],
    attempts_allowed: int,
    machine_wait: float,
    batch: int,
) -> Verdict:
    """What becomes of a job, or of a part of one, whose attempt ended.

    Args:
        job: or the part, as it was during the attempt.
        cause: why it ended.
        progressed: whether the attempt brought a chunk.
        retriable: whether another attempt may end differently; if not, the job fails as soon as an attempt is spent.
        repeated: whether an attempt before it ended in the same way, and none brought a chunk since.
        now: UTC seconds since the epoch.
        random: gives numbers in [0, 1), for the jitter.
        waits: seconds before the second, third, ... attempt; the last one repeats.
        attempts_allowed: spent attempts that make a job fail.
        machine_wait: seconds before the next try where the machine is at fault.
        batch: the batch size that the attempt ran with, in windows.
    """
    rule = RULES[cause]
    size, device, spend, wait, state = job.batch_size, job.device, rule.spend, rule.wait, rule.state
    if (rule.forgiven and progressed) or (rule.chance and not repeated):
        spend, wait = False, Wait.NONE
    elif (smaller := _smaller(rule, device, batch)) is not None:
        (size, device), spend, wait = smaller, False, Wait.NONE
    elif spend and (not retriable or job.attempts + 1 >= attempts_allowed):
        state, wait = State.FAILED, Wait.NONE
    until = now + _seconds(wait, job, waits, machine_wait, random)
    return Verdict(state, spend, until, size, device, cause in AT_FAULT)


def _smaller(rule: Rule, device: str | None, batch: int) -> tuple[int | None, str | None] | None:
    """A batch size and a device that may do better than those of the attempt; None: there are none."""
    if rule.halve and batch > 1:
        return batch // 2, device
    return (None, "cpu") if rule.to_cpu and device != "cpu" else None


def _seconds(wait: Wait, job: Tried, waits: Sequence[float], machine_wait: float, random: Callable[[], float]) -> float:
    if wait is Wait.MACHINE:
        return machine_wait
    if wait is Wait.BACKOFF and waits:
        return waits[min(job.attempts, len(waits) - 1)] * (1 + JITTER * random())
    return 0.0

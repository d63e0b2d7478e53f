"""What a job is, the states that it goes through, and which steps between them exist."""

from __future__ import annotations

import dataclasses
import enum
import os
from dataclasses import dataclass, field
from typing import Any


class State(enum.StrEnum):
    """Where a job stands. The ledger refuses every step that `TRANSITIONS` does not name."""

    QUEUED = "queued"  # waits for a worker, or for its `not_before`
    RUNNING = "running"  # a worker has it
    COMMITTING = "committing"  # the transcript is whole; its files are being written and put in place, as `plan` says
    DONE = "done"  # the files are in place and the source is filed away
    FAILED = "failed"  # given up; `error` says why
    CANCELLED = "cancelled"  # a person cancelled it
    VANISHED = "vanished"  # the source is gone from the inbox


TRANSITIONS: dict[State, frozenset[State]] = {
    # committing straight from queued: a copy of an equal job's result
    State.QUEUED: frozenset({State.RUNNING, State.COMMITTING, State.FAILED, State.CANCELLED, State.VANISHED}),
    State.RUNNING: frozenset({State.QUEUED, State.COMMITTING, State.FAILED, State.CANCELLED, State.VANISHED}),
    # back to queued: the source changed before it could be filed away, or what was staged is gone
    State.COMMITTING: frozenset({State.DONE, State.QUEUED, State.FAILED, State.CANCELLED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
    State.VANISHED: frozenset({State.QUEUED}),
}
ENDED = frozenset({State.DONE, State.FAILED, State.CANCELLED, State.VANISHED})
UNDER_WAY = (State.RUNNING, State.COMMITTING)  # to a person a job runs until its files are in place
RETRIABLE = (State.FAILED, State.CANCELLED, State.VANISHED)  # ended, and a person may have it queued again


def can_step(before: State, after: State) -> bool:
    """Whether a job may go from `before` to `after`; staying is always allowed."""
    return before == after or after in TRANSITIONS[before]


@dataclass(frozen=True, slots=True)
class Identity:
    """The size and time by which versions of a file are compared; never device or inode, which change on NFS and btrfs.

    The owner (a user id; -1: not known) is carried along, and not compared.
    """

    size: int  # bytes
    mtime_ns: int
    owner: int = field(default=-1, compare=False)

    @classmethod
    def of(cls, seen: os.stat_result) -> Identity:
        return cls(seen.st_size, seen.st_mtime_ns, seen.st_uid)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a person asked of one job alone (`sttd redo --model M --language L`); None leaves the configuration's."""

    model: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """What the `.sttd.toml` of the folders above a recording set for it; configfile/folder_options.py has the keys."""

    files: tuple[str, ...] = ()  # named as sources are, the nearest one last
    values: dict[str, Any] = field(default_factory=dict)  # by section.key, as JSON holds them

    def __bool__(self) -> bool:
        return bool(self.values)


@dataclass(frozen=True, slots=True)
class Shared:
    """How a long recording is shared out; see sharing.py. It stays so until its job starts anew, whatever is configured."""

    parts: int
    after: float  # seconds of audio
    length: float  # seconds of audio


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a job whose recording is shared out; see rules/parts.py. Like a `Job` it is immutable."""

    job: int
    number: int  # from 0
    state: State = State.QUEUED  # queued, running, done or failed
    attempt: int = 0  # number of its latest submission: those of all parts of a job are counted together
    attempts: int = 0  # spent ones
    resumes: int = 0
    service: float = 0.0  # seconds that workers spent on it
    batch_size: int | None = None
    device: str | None = None
    chunks: int = 0
    begins: float | None = None  # seconds of the recording, where its first chunk starts
    ends: float | None = None  # seconds of the recording; None: it is not done
    progress: float = 0.0  # seconds of its audio that are done
    not_before: float = 0.0
    cause: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One recording on its way. It is immutable: `evolve` makes a changed copy, which the ledger stores.

    Times are UTC seconds since the epoch. Paths are `os.fsdecode`d: they may hold surrogates.
    """

    id: int
    source: str  # relative to its inbox, and names the results: see inboxes.py. A bare name for `sttd transcribe`
    size: int  # bytes
    mtime_ns: int
    owner: int = -1  # user id of the source's owner; the workers' time is shared among owners; -1: not known
    state: State = State.QUEUED
    created_at: float = 0.0
    queued_at: float = 0.0  # since when it waits
    not_before: float = 0.0  # no attempt before this time
    started_at: float | None = None  # of the latest attempt
    finished_at: float | None = None
    location: str | None = None  # where the bytes lie if not in the inbox: archived, failed, or a redo's source
    attempts: int = 0  # spent ones: those that were the job's own fault
    attempt: int = 0  # number of the latest submission; messages with an older number are dropped
    resumes: int = 0  # submissions that went on from a checkpoint
    service: float = 0.0  # seconds that workers spent on it
    batch_size: int | None = None  # lowered by kills without progress; None: the configured one
    device: str | None = None  # "cpu" after the GPU's memory was not enough
    chunks: int = 0
    progress: float = 0.0  # seconds of audio done
    audio_seconds: float | None = None  # of the whole recording
    language: str | None = None
    language_probability: float | None = None
    model: str | None = None  # the one that was used
    requested_model: str | None = None
    fallback_reason: str | None = None
    error: str | None = None
    cause: str | None = None
    sha256: str | None = None
    # of the options and the model that its checkpoint and result belong to; None: its folder's options are read at its turn
    options_key: str | None = None
    overrides: Overrides = field(default_factory=Overrides)
    folder_options: FolderOptions = field(default_factory=FolderOptions)
    # None: the job is its own only part, and its row says all of it. Else the figures here are sums over its parts
    shared: Shared | None = None
    redo_of: int | None = None
    # the job about the version of the file that lay at its path in the inbox until this one took its place
    successor_of: int | None = None
    copy_of: int | None = None  # the finished job whose result this one shares, or the twin that it waits for
    no_copy: bool = False  # copying the result of an equal job has failed: this one is transcribed
    outputs: tuple[str, ...] = ()  # absolute paths
    hashes: tuple[str, ...] = ()  # SHA-256 of each of `outputs` as sttd wrote it; none: an older version did
    warnings: tuple[str, ...] = ()  # what a person should know of its result, one sentence each
    plan: dict[str, Any] | None = None  # what is to be done with its files next; see daemon/filing.py

    @property
    def identity(self) -> Identity:
        return Identity(self.size, self.mtime_ns, self.owner)

    @property
    def waits_for_folder(self) -> bool:
        """Whether the options of its folder are bad (Cause.CONFIGURATION before its first attempt; see ledger/holds.py)."""
        return self.state is State.QUEUED and self.cause == "configuration" and self.options_key is None

    def evolve(self, **changes: Any) -> Job:
        """A copy with `changes`.

        Raises:
            ValueError: the change of state does not exist in `TRANSITIONS`.
        """
        after = changes.get("state", self.state)
        if not can_step(self.state, after):
            raise ValueError(f"job {self.id} cannot go from {self.state} to {after}")
        return dataclasses.replace(self, **changes)

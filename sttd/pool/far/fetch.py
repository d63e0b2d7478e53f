"""The recording of one part on the far side: a file of this machine, one that was sent before, or all blocks from the head."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import queue
import time
from collections.abc import Callable

from sttd.fs.folder import open_regular_below
from sttd.part import SAMPLE_RATE, Cause, PartSpec, Progress
from sttd.pool.blocks import AHEAD, BLOCK, ends_of_handle
from sttd.pool.far.shelf import Entry, Key, NoRoom, Shelf, is_full
from sttd.pool.wire import Ask, Block, NoBlock

_PROGRESS = 1.0  # seconds between two signs of life of the part


class NotFetched(Exception):
    """The recording cannot be had, which ends the attempt."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class Stopped(Exception):
    """The part is not wanted any more."""


class Fetch:
    """Gets the recording of one part. `recording` runs in a thread of its own; `put` gives it what the head answers."""

    def __init__(self, part: PartSpec, shelf: Shelf, send: Callable[[object], None]) -> None:
        self.part = part
        self._shelf = shelf
        self._send = send
        self._came: queue.SimpleQueue[Block | NoBlock | None] = queue.SimpleQueue()
        self.cause: Cause | None = None  # of a stop

    def put(self, answer: Block | NoBlock) -> None:
        self._came.put(answer)

    def stop(self, cause: Cause | None = None) -> None:
        """Make `recording` raise Stopped, if it waits for blocks."""
        self.cause = cause
        self._came.put(None)

    def recording(self) -> PartSpec:
        """The part with what a worker of this machine needs to open its recording.

        Raises:
            NotFetched: it cannot be had.
            Stopped: `stop` was called.
        """
        part = self.part
        if part.ends is None or _is_here(part):
            return part
        key = (part.source, part.size, part.mtime_ns, part.ends)
        entry = self._shelf.find(key)
        if entry is None:
            entry = self._sent(key)
        # as this file system stores the time, which may be coarser
        return dataclasses.replace(part, handle=entry.reader, mtime_ns=os.fstat(entry.reader).st_mtime_ns)

    def _sent(self, key: Key) -> Entry:
        """Get the recording from the head, and check that it is whole."""
        try:
            with self._shelf.entry(key, self.part.size) as entry:
                self._receive(entry)
                if ends_of_handle(entry.reader, self.part.size) != self.part.ends:
                    raise NotFetched(Cause.CHANGED, "the file has changed since it was queued")
                os.utime(entry.writer, ns=(self.part.mtime_ns, self.part.mtime_ns))
                return entry
        except NoRoom as error:
            raise NotFetched(Cause.MACHINE, str(error)) from error
        except OSError as error:
            text = "has no room left" if is_full(error) else f"fails: {error.strerror or error}"
            raise NotFetched(Cause.MACHINE, f"the folder for recordings that are sent {text}") from error

    def _receive(self, entry: Entry) -> None:
        part = self.part
        asked = done = 0
        told = time.monotonic()
        while done < part.size:
            while asked < min(part.size, done + AHEAD * BLOCK):
                length = min(BLOCK, part.size - asked)
                self._send(Ask(part.part_id, part.attempt, asked, length))
                asked += length
            done += _written(entry, self._next(done), min(BLOCK, part.size - done))
            if time.monotonic() - told >= _PROGRESS:
                told = time.monotonic()
                so_far = part.resume_from / SAMPLE_RATE
                self._send(Progress(part_id=part.part_id, attempt=part.attempt, done=so_far, total=None))

    def _next(self, offset: int) -> Block:
        """The block at `offset`."""
        answer = self._came.get()
        if answer is None:
            raise Stopped
        if isinstance(answer, NoBlock):
            raise NotFetched(answer.cause, answer.error)
        if answer.offset != offset or hashlib.sha256(answer.data).digest() != answer.sha256:
            raise NotFetched(Cause.MACHINE, "the recording was damaged on its way to this worker")
        return answer


def _written(entry: Entry, block: Block, length: int) -> int:
    """Write a block; returns its length."""
    rest = memoryview(block.data)
    if len(rest) != length:
        raise NotFetched(Cause.MACHINE, "the recording was damaged on its way to this worker")
    at = block.offset
    while rest:
        count = os.pwrite(entry.writer, rest, at)
        rest, at = rest[count:], at + count
    return length


def _is_here(part: PartSpec) -> bool:
    """Whether this machine has the same file by the same path (a share that both have mounted)."""
    try:
        handle = open_regular_below(part.source, part.below)
    except OSError:
        return False
    try:
        seen = os.fstat(handle)
        if (seen.st_size, seen.st_mtime_ns) != (part.size, part.mtime_ns):
            return False
        return ends_of_handle(handle, part.size) == part.ends
    except OSError:
        return False
    finally:
        os.close(handle)

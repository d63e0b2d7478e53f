"""The worker on this side of the line: started at the first part, given each part with its recording, and ended with the line."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from typing import Any

from sttd.host.capacity import capacity
from sttd.part import ENDS, Cause, Done, Event, Failed, Loaded, Message, PartSpec
from sttd.pool.death import Death, spoils
from sttd.pool.far.facts import threads
from sttd.pool.far.fetch import Fetch, NotFetched, Stopped
from sttd.pool.far.line import Line
from sttd.pool.far.shelf import Shelf
from sttd.pool.local import child
from sttd.pool.local.gpus import gpu_for
from sttd.pool.local.oom import oom_counter, oom_kills
from sttd.pool.local.process import WorkerProcess
from sttd.pool.wire import Block, Clean, Die, Do, Exit, FarOrder, Forget, Gone, NoBlock, Setup, Stop, Took, WireError
from sttd.pool.worker import Ears

_STACKS = 5.0  # seconds for the stacks of a worker that is to die
_LAST = 2.0  # seconds that the end of a worker is waited for
# a share that is gone or stale on this machine alone can cause these: the head gets Cause.MACHINE, and may try elsewhere
_OF_A_SHARE = frozenset({Cause.UNREADABLE, Cause.GONE})


class Side:
    """`take` is called in the main thread alone: workers die with the thread that starts them."""

    def __init__(self, line: Line, setup: Setup, shelf: Shelf, worker: str) -> None:
        self._line = line
        self._setup = setup
        self._shelf = shelf
        self._worker = worker
        self._threads = threads(setup)
        self._ooms = oom_counter()
        self._changed = threading.Condition()  # guards what follows; never held while the line is used
        self._process: WorkerProcess | None = None
        self._leaving: WorkerProcess | None = None  # the one before, which was told to exit
        self._part: PartSpec | None = None  # the latest one, as the head sent it
        self._has_ended = True  # whether that part has ended
        self._fetch: Fetch | None = None  # until the part has its recording
        self._is_own = False  # its recording is this machine's own file, of the same path
        self._killed = 0  # OOM kills when the part began
        self._ends = 0  # parts that the process has ended
        self._is_stuck = False  # a load hangs in it
        self._exiting = False

    @property
    def is_over(self) -> bool:
        """Whether the head has sent Exit, and the worker is gone."""
        with self._changed:
            return self._exiting and self._process is None

    def take(self, order: FarOrder) -> None:
        match order:
            case Do(part):
                self._begin(part)
            case Block() | NoBlock():
                self._answered(order)
            case Stop():
                self._stop(order)
            case Die():
                self._die()
            case Forget(source):
                self._forget(source)
            case Exit():
                self._exit(order)
            case Clean():
                self._order(order)
            case _:
                raise WireError(f"a {type(order).__name__}, which no head says now")

    def kill(self) -> None:
        """Kill the worker, and wait a moment until it is gone and its GPU is free."""
        with self._changed:
            process, fetch = self._process, self._fetch
        if fetch is not None:
            fetch.stop()
        if process is not None:
            process.end(hard=True)
            with self._changed:
                self._changed.wait_for(lambda: self._process is not process, _LAST)

    def _begin(self, part: PartSpec) -> None:
        """Start the worker if there is none, and look for the part's recording meanwhile."""
        fetch = Fetch(part, self._shelf, self._line.send)
        with self._changed:
            self._part, self._has_ended = part, False
            self._fetch, self._killed = fetch, oom_kills(self._ooms)
            has_process = self._process is not None
        try:
            if not has_process:
                self._start()
            threading.Thread(target=self._give, args=(fetch,), name="recording", daemon=True).start()
        except (OSError, RuntimeError) as error:  # no more processes, descriptors or threads
            text = f"no worker can be started: {error}"
            self._end(fetch, Failed(**_key(part), cause=Cause.MACHINE, error=text, retriable=True))

    def _start(self) -> None:
        """Raises OSError: see `WorkerProcess.start`."""
        self._await_the_last()
        ears = Ears(lambda message: self._heard(process, message), lambda death: self._ended(process, death))
        process = WorkerProcess("far", ears, self._settings())
        with self._changed:
            self._process, self._ends, self._is_stuck = process, 0, False
        try:
            process.start()
        except OSError:
            with self._changed:
                self._process = None
            raise

    def _await_the_last(self) -> None:
        """End the previous process, and wait for that: a model may have no room beside another."""
        with self._changed:
            leaving = self._leaving
        if leaving is not None:
            leaving.end(hard=True)
            with self._changed:
                self._changed.wait_for(lambda: self._leaving is None, _LAST)

    def _settings(self) -> child.Settings:
        return child.Settings(
            parent=os.getpid(),
            cleanup_every_chunks=self._setup.cleanup_every_chunks,
            cleanup_cooldown=self._setup.cleanup_cooldown,
            gpu=gpu_for(self._setup.number, capacity().gpus),
            cuda=self._setup.device != "cpu",
            worker=self._worker,
            handles=self._shelf.inherited(),
        )

    def _give(self, fetch: Fetch) -> None:
        """Get the recording, and give the part to the worker. In a thread of its own: a share may hang, or the head be slow."""
        part = fetch.part
        end: Event | None = None
        try:
            found = fetch.recording()
        except Stopped:
            if fetch.cause is None:  # the worker is being killed: the head gets Gone, and no Done
                return
            end = Done(**_key(part), resume_at=part.resume_from, cause=fetch.cause)
        except NotFetched as error:
            retriable = error.cause is not Cause.GONE
            end = Failed(**_key(part), cause=error.cause, error=str(error), retriable=retriable)
        if end is not None:
            self._end(fetch, end)
            return
        usual = self._setup.usual_device in ("", part.model.device)
        device = self._setup.device if usual else part.model.device  # CPU for a job that a GPU had no memory for
        model = dataclasses.replace(part.model, device=device, cpu_threads=self._threads)
        with self._changed:  # a stop must not come between
            if self._fetch is fetch and self._process is not None:
                self._fetch, self._is_own = None, found.ends is not None and found.handle is None
                self._process.send(Do(dataclasses.replace(found, model=model)))

    def _end(self, fetch: Fetch, end: Event) -> None:
        """End a part that no worker has got, unless it has ended already."""
        with self._changed:
            is_open = self._fetch is fetch
            if is_open:
                self._fetch, self._has_ended = None, True
        if is_open:
            self._line.send(end)

    def _answered(self, answer: Block | NoBlock) -> None:
        with self._changed:
            fetch = self._fetch
        if fetch is not None and (answer.part_id, answer.attempt) == (fetch.part.part_id, fetch.part.attempt):
            fetch.put(answer)

    def _stop(self, order: Stop) -> None:
        with self._changed:
            fetch, process = self._fetch, self._process
        if fetch is None:
            if process is not None:
                process.send(order)
        elif (order.part_id, order.attempt) == (fetch.part.part_id, fetch.part.attempt):
            fetch.stop(order.cause)

    def _order(self, order: Clean | Exit) -> bool:
        with self._changed:
            process = self._process
        return process is not None and process.send(order)

    def _forget(self, source: str) -> None:
        """Drop a recording, unless the worker reads it for another job: a Forget follows that one too."""
        with self._changed:
            is_read = self._part is not None and not self._has_ended and self._part.source == source
        if not is_read:
            self._shelf.forget(source)

    def _exit(self, order: Exit) -> None:
        with self._changed:
            self._exiting = True
        if not self._order(order):
            self.kill()

    def _die(self) -> None:
        """Stacks first, then SIGKILL; without a process there is nothing to wait for."""
        with self._changed:
            process, fetch = self._process, self._fetch
            self._fetch = None
        if fetch is not None:
            fetch.stop()
        if process is None:
            self._line.send(self._gone(Death(-signal.SIGKILL)))
            return
        process.end(hard=False)
        timer = threading.Timer(_STACKS, process.end, kwargs={"hard": True})
        timer.daemon = True
        timer.start()

    def _heard(self, process: WorkerProcess, message: Any) -> None:
        """One message of the worker, in its reader's thread. Raises WireError: it is nothing that a worker says."""
        if not isinstance(message, Took | Loaded | Message):
            raise WireError(f"a {type(message).__name__}, which no worker says")
        with self._changed:
            if self._process is not process:  # it was told to exit
                return
            if isinstance(message, Loaded):
                self._is_stuck = message.stuck
                if self._part is not None:  # the head expects the model that it asked for
                    message = dataclasses.replace(message, spec=self._part.model)
            if self._is_own and isinstance(message, Failed) and message.cause in _OF_A_SHARE:
                text = f"its own copy of the recording cannot be read: {message.error}"
                message = dataclasses.replace(message, cause=Cause.MACHINE, error=text, retriable=True)
            self._has_ended |= isinstance(message, ENDS)
            is_worn = isinstance(message, ENDS) and self._is_worn(message)
            if is_worn:
                self._process, self._leaving = None, process
        self._line.send(message)
        if is_worn:
            self._line.send(Gone("", 0, 0, "", oom=False))
            process.send(Exit())

    def _is_worn(self, end: Event) -> bool:
        """Whether the process is to get no further part; `roster.worn` is the same rule for workers of the head's machine."""
        self._ends += 1
        spoilt = isinstance(end, Failed) and spoils(end)
        return spoilt or self._is_stuck or self._ends >= self._setup.jobs_per_worker

    def _ended(self, process: WorkerProcess, death: Death) -> None:
        """The worker's process is gone, in its reader's thread."""
        with self._changed:
            if self._process is not process:
                self._leaving = None
                self._changed.notify_all()
                return
            fetch, self._fetch = self._fetch, None
            self._process = None
            self._changed.notify_all()
            exiting = self._exiting
        if fetch is not None:
            fetch.stop()
        if not exiting:
            self._line.send(self._gone(death))
        self._line.wake()

    def _gone(self, death: Death) -> Gone:
        """The message for the head, with the part that it ends, if one has no end yet."""
        with self._changed:
            part = None if self._has_ended else self._part
            self._has_ended = True
            oom = oom_kills(self._ooms) > self._killed
        key = ("", 0) if part is None else (part.part_id, part.attempt)
        return Gone(*key, death.exitcode, death.problem, oom=oom, unborn=death.unborn)


def _key(part: PartSpec) -> dict[str, Any]:
    return {"part_id": part.part_id, "attempt": part.attempt}

"""What runs in a worker process: it takes orders, drives `run_part`, and sends each message. The parent has the deadlines.

The main thread works; a second one listens to the orders, so that a worker hears `stop` while a batch is in the
model, and ends when its parent's end of the pipe is closed. Only this module and what it imports by name at run time
know `sttd.worker`: the parent imports this one without any of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from sttd.part import ENDS, Cause, Chunks, Done, Event, Failed, Loaded, Notice, PartSpec, Progress, Started, serves
from sttd.pool.local.ties import tie
from sttd.pool.sense import LONGEST, nonsense
from sttd.pool.sequence import Sequence
from sttd.pool.wire import AT_ONCE, MOST, Clean, Decoder, Do, Exit, Order, Stop, Took, WireError, encode

WORKER = "sttd.worker"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told once, when it is started."""

    parent: int  # process id
    cleanup_every_chunks: int
    cleanup_cooldown: float  # seconds
    gpu: str | None = None  # the one GPU that it may see, as CUDA_VISIBLE_DEVICES names it; None: as the parent
    cuda: bool = False  # a GPU may be used
    more_threads: int = 0  # on top of a model's `cpu_threads`, where the cores cannot be shared out evenly
    worker: str = WORKER  # the module with confine, load, run_part, Cleaner and NoModel
    handles: tuple[Any, ...] = ()  # open files that the process inherits (`far.shelf.Inherited`), for `PartSpec.handle`


def main(orders: Connection, messages: Connection, settings: Settings) -> None:
    """The process, from its first line to its last; it never returns."""
    code = 1
    try:
        tie(settings.parent)
        if settings.gpu is not None:  # before anything that looks for GPUs is imported
            os.environ["CUDA_VISIBLE_DEVICES"] = settings.gpu
        Child(messages.fileno(), settings).work(orders.fileno())
        code = 0
    except BaseException:  # noqa: BLE001 - the last line of the process: whatever it was goes to the log
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):  # nobody reads our stderr any more
            sys.stderr.flush()
        os._exit(code)  # a load that is stuck in its thread holds up any other way out


class Child:
    """A warm model, and the parts that it is used for one after the other."""

    def __init__(self, messages: int, settings: Settings) -> None:
        self._messages = messages  # file descriptor
        self._writing = threading.Lock()  # notices come from the thread that loads, too
        self._worker: Any = importlib.import_module(settings.worker)
        self._cuda, self._more_threads = settings.cuda, settings.more_threads
        self._cleaner = self._worker.Cleaner(settings.cleanup_every_chunks, settings.cleanup_cooldown)
        self._model: Any = None
        self._orders: queue.SimpleQueue[Do | Exit] = queue.SimpleQueue()
        self._current: tuple[str, int] | None = None  # the latest attempt that was ordered
        self._stop: Cause | None = None  # why it is to stop at the end of its batch

    def work(self, orders: int) -> None:
        """Do parts until told to exit."""
        confined: str | None = self._worker.confine(cuda=self._cuda)  # before there is a second thread
        threading.Thread(target=self._listen, args=(orders,), name="orders", daemon=True).start()
        while isinstance(order := self._orders.get(), Do):
            self._send(Took(order.part.part_id, order.part.attempt))
            if confined is not None:
                part_id, attempt = order.part.part_id, order.part.attempt
                self._send(Notice(level="DEBUG", text=confined, event="confined", part_id=part_id, attempt=attempt))
                confined = None
            self._send(self._attempt(order.part))

    def _listen(self, orders: int) -> None:
        try:
            for order in _received(orders):
                self._take(order)
        except Exception:  # noqa: BLE001 - a worker that hears no orders must not live on, and why goes to the log
            traceback.print_exc()
        finally:
            os._exit(1)  # the parent is gone; the main thread may be deep in a model

    def _take(self, order: Order) -> None:
        match order:
            case Do(part):
                self._current, self._stop = (part.part_id, part.attempt), None
                self._orders.put(order)
            case Stop(part_id, attempt, cause) if (part_id, attempt) == self._current:
                self._stop = cause
            case Clean():
                self._cleaner.hurry()
            case Exit():
                self._orders.put(order)

    def _attempt(self, part: PartSpec) -> Event:
        """Do one part; returns its end."""
        key: dict[str, Any] = {"part_id": part.part_id, "attempt": part.attempt}
        try:
            return self._drive(part, self._model_for(part, key), key)
        except self._worker.NoModel as error:
            cause = Cause.GPU_MEMORY if error.gpu_memory else Cause.NO_MODEL
            return Failed(cause=cause, error=str(error), retriable=True, **key)
        except MemoryError:  # a limit on the process, not the kernel's killer; a smaller batch is the answer to both
            return Failed(cause=Cause.OOM, error="the worker has no memory left", retriable=True, **key)
        except Exception as error:  # noqa: BLE001 - whatever a part raises ends this part, and is told
            traceback.print_exc()
            text = "".join(traceback.format_exception_only(error)).strip()[:LONGEST]
            return Failed(cause=Cause.ERROR, error=text, retriable=True, **key)

    def _model_for(self, part: PartSpec, key: dict[str, Any]) -> Any:
        wanted = dataclasses.replace(part.model, cpu_threads=part.model.cpu_threads + self._more_threads)
        if self._model is None or not serves(self._model.loaded, wanted):
            self._model = None  # free its memory before the next load

            def notify(level: str, text: str, event: str) -> None:
                self._send(Notice(level=level, text=text, event=event, **key))

            self._model = self._worker.load(wanted, notify)
            # the parent expects the model that it asked for: the threads that this worker adds are its own affair
            self._send(dataclasses.replace(self._model.loaded, spec=part.model))
        return self._model

    def _drive(self, part: PartSpec, model: Any, key: dict[str, Any]) -> Event:
        """Send what `run_part` yields until it ends, or until a stop is due where no work is lost."""
        chunks, done = Sequence(part), part.resume_from
        started: float | None = None
        with contextlib.closing(self._worker.run_part(part, model)) as events:
            for event in events:
                if isinstance(event, ENDS):
                    return event
                if isinstance(event, Chunks):
                    chunks.check(event)
                    self._send_some(event, done)
                    done = event.done
                else:
                    self._send(event)
                if isinstance(event, Started):
                    started = time.monotonic()
                if isinstance(event, Chunks):
                    self._clean(len(event.chunks), key)
                elif not isinstance(event, Started) and not (isinstance(event, Progress) and started is None):
                    continue  # a batch is under way
                cause = self._stop
                if cause is None and isinstance(event, Chunks) and _used_up(started, part.budget):
                    cause = Cause.SLICE
                if cause is not None:
                    return Done(resume_at=done, cause=cause, **key)
        raise RuntimeError("the part ended without saying how")

    def _send_some(self, event: Chunks, done: int) -> None:
        """Send a batch, a few chunks at a time. `done`: the sample up to which nothing was missing before this batch."""
        made = event.chunks
        for last in range(AT_ONCE, len(made) + AT_ONCE, AT_ONCE):
            is_all = last >= len(made)
            self._send(
                dataclasses.replace(event, chunks=made[last - AT_ONCE : last], done=event.done if is_all else done)
            )

    def _clean(self, chunks: int, key: dict[str, Any]) -> None:
        freed = self._cleaner.after(chunks, time.monotonic())
        if freed is not None:
            text = f"clean-up: {freed / 2**20:.1f} MiB given back"
            self._send(Notice(level="DEBUG", text=text, event="cleanup", **key))

    def _send(self, message: Event | Took | Loaded) -> None:
        """Raises WireError: the pool would reject the message as nonsense, for an infinite figure say."""
        if wrong := nonsense(message):
            raise WireError(f"a {type(message).__name__} with {wrong}")
        rest = memoryview(encode(message))
        with self._writing:
            while rest:
                rest = rest[os.write(self._messages, rest) :]


def _used_up(started: float | None, budget: float) -> bool:
    return started is not None and time.monotonic() - started >= budget


def _received(orders: int) -> Iterator[Order]:
    """The orders as they come, until the parent's end of the pipe is closed."""
    decoder = Decoder(MOST)
    while data := os.read(orders, 65536):
        yield from decoder.feed(data)

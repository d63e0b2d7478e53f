"""One worker process, its two pipes and the thread that reads it. It knows frames and signals, but no parts.

No call here waits: an order goes into the pipe as far as there is room, and the reader's thread writes the rest. That thread
also passes on all that comes back, the death last.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import select
import signal
import threading
from multiprocessing import resource_tracker, spawn
from multiprocessing.connection import Connection
from pathlib import Path

from sttd.pool.death import Death
from sttd.pool.local import child
from sttd.pool.wire import Decoder, Forget, Order, WireError, encode
from sttd.pool.worker import Ears

_CONTEXT = multiprocessing.get_context("spawn")  # fork fails with CUDA and with watchdog's threads
_HELPER = 1.0  # seconds that the resource tracker may take to end
_NO_PROGRAM = 255  # exit code of a child that was forked and could not become Python; it prints nothing itself
_CLOSING = 1000  # milliseconds that a process may live on after its pipe is closed: dying takes a moment
# multiprocessing reaps a child when we ask for it, and all dead ones at each start: not both at once
_REAPING = threading.Lock()
_numbers = itertools.count(1)


class WorkerProcess:
    """See `Worker`. Started in the main thread: PR_SET_PDEATHSIG fires when the thread that started the child ends."""

    def __init__(self, name: str, ears: Ears, settings: child.Settings) -> None:
        self.name = name
        self._ears = ears
        self._settings = settings
        self._lock = threading.Lock()  # held for moments only: the pipe, and whether the process may be signalled
        self._process: multiprocessing.process.BaseProcess | None = None
        self._orders: Connection | None = None
        self._messages: Connection | None = None
        self._rest = bytearray()  # bytes of orders that are not in the pipe yet
        self._wake = -1  # an eventfd: there is a rest for the reader to write
        self._problem = ""
        self.pid: int | None = None

    def start(self) -> None:
        """Start the process and its reader.

        Raises:
            OSError: there are no more processes, descriptors or threads to be had.
        """
        with contextlib.ExitStack() as stack:
            theirs, orders = _pipe(stack)
            messages, mine = _pipe(stack)
            os.set_blocking(orders.fileno(), False)
            os.set_blocking(messages.fileno(), False)
            process = _CONTEXT.Process(
                target=child.main,
                args=(theirs, mine, self._settings),
                name=f"sttd-worker-{next(_numbers)}",
                daemon=True,
            )
            wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            stack.callback(os.close, wake)
            _spawn(process)
            stack.pop_all()
        theirs.close()
        mine.close()
        self._orders, self._messages, self._wake = orders, messages, wake
        self._process, self.pid = process, process.pid
        thread = threading.Thread(target=self._run, args=(process,), name=f"{process.name}-reader", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            self.end(hard=True)
            self._reap(process)
            raise OSError(f"no thread for a worker: {error}") from error

    def send(self, order: Order | Forget) -> bool:
        """Send an order. False: the process is gone, or has not read for so long that the pipe is full.

        What does not fit into the pipe at once (64 KiB) is written by the reader's thread, as the process reads.

        Raises:
            WireError: see `encode`.
        """
        data = encode(order)
        with self._lock:
            if self._orders is None:
                return False
            if self._rest:  # behind it, and not between its bytes
                self._rest += data
                return True
            written = self._write(data)
            if written <= 0:
                return False
            self._rest += data[written:]
            if self._rest:
                os.eventfd_write(self._wake, 1)
        return True

    def _write(self, data: bytes | bytearray) -> int:
        """Write what fits into the pipe, with the lock held; returns the bytes written. 0: no room; -1: nobody reads any more."""
        assert self._orders is not None
        try:
            return os.write(self._orders.fileno(), data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return -1

    def end(self, *, hard: bool) -> None:
        """Hard: SIGKILL. Else SIGTERM, on which it prints the stacks of its threads; SIGCONT wakes one that was stopped."""
        for number in (signal.SIGKILL,) if hard else (signal.SIGTERM, signal.SIGCONT):
            self._signal(number)

    def _signal(self, number: int) -> None:
        """Send a signal to the process and to what it may have started. Without effect once it is gone."""
        with self._lock:
            if self._orders is None or self.pid is None:
                return
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:  # so young that it has no group yet
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)

    def abandon(self) -> None:
        """The process hangs in the kernel, whatever signal it gets: keep Python from waiting for it when we end."""
        multiprocessing.process._children.discard(self._process)  # type: ignore[attr-defined]  # noqa: SLF001

    def rss(self) -> int:
        """Bytes resident; 0 where the process is gone. See proc_pid_statm(5)."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _run(self, process: multiprocessing.process.BaseProcess) -> None:
        try:
            self._read(process.sentinel)
        except WireError as error:
            self._problem = str(error)
        finally:
            self.end(hard=True)  # the process where it lives on, and what is left of its group
            exitcode = self._reap(process)
            self._ears.ended(Death(exitcode, self._problem, _unborn() if exitcode == _NO_PROGRAM else ""))

    def _read(self, sentinel: int) -> None:
        """Hear all messages until the process is dead, or its pipe is broken; write what is left of orders meanwhile."""
        assert self._messages is not None
        assert self._orders is not None
        pipe, orders = self._messages.fileno(), self._orders.fileno()
        poller = select.poll()
        for each in (pipe, sentinel, self._wake):
            poller.register(each, select.POLLIN)
        decoder = Decoder()
        while True:
            ready = {each for each, _ in poller.poll()}
            if self._wake in ready:
                os.eventfd_read(self._wake)
                poller.register(orders, select.POLLOUT)
            if orders in ready and self._write_rest():
                poller.unregister(orders)
            # what a dead process had written is in the pipe by now
            closed = self._drain(pipe, decoder)
            if sentinel in ready:
                return
            if closed:
                self._await_death(sentinel)
                return

    def _await_death(self, sentinel: int) -> None:
        poller = select.poll()
        poller.register(sentinel, select.POLLIN)
        if not poller.poll(_CLOSING):
            raise WireError("no more messages: it closed its pipe")

    def _write_rest(self) -> bool:
        """Write what fits of the rest; returns whether nothing is left."""
        with self._lock:
            written = self._write(self._rest)
            del self._rest[: len(self._rest) if written < 0 else written]
            return not self._rest

    def _drain(self, pipe: int, decoder: Decoder) -> bool:
        """Hear what is in the pipe; returns whether its other end is closed."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(pipe, 65536):
                for message in decoder.feed(data):
                    self._ears.heard(message)
            return True
        return False

    def _reap(self, process: multiprocessing.process.BaseProcess) -> int | None:
        """Reap the process, and close all that belongs to it; returns its exit code."""
        assert self._orders is not None
        assert self._messages is not None
        # wait outside the lock of reaping: one that hangs in the kernel holds up only its own thread
        with contextlib.suppress(ChildProcessError):  # the start of another worker has reaped it
            os.waitid(os.P_PID, self.pid or 0, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._orders.close()
            self._orders = None
            os.close(self._wake)
        self._messages.close()
        with _REAPING:
            process.join()
            exitcode = process.exitcode
            process.close()
        return exitcode


def _unborn() -> str:
    python = os.fsdecode(spawn.get_executable())
    return (
        f"no worker can be started: {python} cannot be run (look whether it is there and executable); where sttd was"
        " updated or moved, start it again"
    )


def _pipe(stack: contextlib.ExitStack) -> tuple[Connection, Connection]:
    reader, writer = _CONTEXT.Pipe(duplex=False)
    stack.callback(reader.close)
    stack.callback(writer.close)
    return reader, writer


def stop_helper() -> None:
    """End multiprocessing's resource tracker. It would outlive us by a moment, and systemd would log that it had to kill it.

    It ends only after the last worker, and one that hangs in the kernel never ends: so we wait only a moment.
    """
    stop = resource_tracker._resource_tracker._stop  # type: ignore[attr-defined]  # noqa: SLF001 - it has no public end
    thread = threading.Thread(target=stop, name="tracker", daemon=True)
    thread.start()
    thread.join(_HELPER)


def _spawn(process: multiprocessing.process.BaseProcess) -> None:
    """Start it with SIGINT blocked: a Ctrl-C must not reach it before it ignores SIGINT."""
    resource_tracker.ensure_running()  # spawn starts it otherwise, and unblocks SIGINT afterwards
    with _REAPING:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

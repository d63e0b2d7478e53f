"""The pool of this machine: processes that stay warm from part to part, and are ended without waiting for them."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from typing import Any

from sttd.config import Config
from sttd.host.capacity import capacity
from sttd.host.events import Kind, say
from sttd.part import ENDS, Cause, Event, Lost, PartSpec
from sttd.pool import roster
from sttd.pool.local import child, death
from sttd.pool.local.gpus import gpu_for
from sttd.pool.local.process import Ears, WorkerProcess
from sttd.pool.protocol import PoolFull, Sink, WorkerView
from sttd.pool.seat import Seat
from sttd.pool.wire import Clean, Do, Exit, Stop

# where it hung is worth knowing: a worker that dies of these has `kill_grace` to print it
_STACKS = frozenset({Cause.TIMEOUT})
_LAST = 10.0  # seconds that SIGKILL may take; a process that hangs in the kernel (a dead disk) is given up after it
_EXIT = 1.0  # seconds that an idle worker may take to exit while the pool closes


class LocalPool:
    """See `WorkerPool`. One lock guards the seats; it is never held while a pipe, a process or the sink is used."""

    def __init__(
        self,
        config: Config,
        *,
        worker: str = child.WORKER,
        clock: Callable[[], float] = time.monotonic,
        oom_kills: Callable[[], int] | None = None,
    ) -> None:
        self._worker = worker
        self._clock = clock
        self._oom_kills = oom_kills or functools.partial(death.oom_kills, death.oom_counter())
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # a worker is gone
        self._seats: list[Seat] = []
        self._closed = False
        self._sink: Sink | None = None
        self.configure(config)

    def start(self, sink: Sink) -> None:
        self._sink = sink

    def free_slots(self) -> int:
        with self._lock:
            return 0 if self._closed else roster.free(self._seats, self._limit)

    def submit(self, part: PartSpec) -> None:
        kills = self._oom_kills()
        with self._lock:
            if self._closed or roster.free(self._seats, self._limit) == 0:
                raise PoolFull(f"no slot is free for part {part.part_id}: submit it again later")
            seat = roster.warm(self._seats, part.model)
            # a new worker takes the place of an idle one that has another model
            replaced = [] if seat else roster.surplus(self._seats, self._limit - 1)
            for each in replaced:
                self._leave(each)
            seat = seat or self._hire()
            seat.take(part, kills)
        for each in replaced:
            each.process.send(Exit())
        if seat.process.pid is None and not self._launch(seat):
            return
        if not seat.process.send(Do(part)) and seat.jobs and self._dismiss(seat):
            self.submit(part)  # the other died, or hangs, unseen in its idleness: not the part's fault

    def kill(self, part_id: str, attempt: int, cause: Cause) -> None:
        seat = self._find(part_id, attempt)
        if seat is not None:
            self._kill(seat, cause, stacks=cause in _STACKS)

    def stop(self, part_id: str, attempt: int, cause: Cause) -> None:
        seat = self._find(part_id, attempt)
        if seat is not None:
            seat.process.send(Stop(part_id, attempt, cause))

    def close(self, grace: float) -> None:
        with self._lock:
            self._closed = True
            seats = list(self._seats)
        for seat in seats:
            self._wind_up(seat)
        self._wait(grace)
        now = self._clock()
        with self._lock:
            for seat in self._seats:
                seat.ordered = seat.ordered or Cause.SHUTDOWN
                seat.kill_at = min(seat.kill_at, now)
        self._wait(2 * _LAST)
        # multiprocessing's helper process would outlive us by a moment, and systemd would log that it had to kill it; it ends
        # when the last worker has, and one that hangs in the kernel never does
        stop = resource_tracker._resource_tracker._stop  # type: ignore[attr-defined]  # noqa: SLF001 - it has no public end
        thread = threading.Thread(target=stop, name="tracker", daemon=True)
        thread.start()
        thread.join(_EXIT)

    def workers(self) -> list[WorkerView]:
        with self._lock:
            seen = [(each.process, each.state, each.part, each.loaded) for each in self._seats]
        return [
            WorkerView(
                pid=process.pid,
                state=state,
                part_id=part.part_id if part else None,
                model=loaded.model if loaded else None,
                rss=process.rss(),
            )
            for process, state, part, loaded in seen
        ]

    def limit(self, workers: int) -> None:
        with self._lock:
            self._limit = max(1, workers)

    def configure(self, config: Config) -> None:
        gpus = () if config.model.device == "cpu" else capacity().gpus
        with self._lock:
            self._config, self._gpus, self._limit = config, gpus, config.worker_count()

    def clean_up(self) -> None:
        with self._lock:
            seats = [seat for seat in self._seats if seat.part is not None]
        for seat in seats:
            seat.process.send(Clean())

    def release_idle(self) -> None:
        self._release(list)

    def tick(self, now: float) -> None:
        self._escalate(now)
        self._release(lambda seats: roster.expired(seats, now, self._config.pool.idle_ttl))
        self._release(lambda seats: roster.surplus(seats, self._limit))

    # `_hire` and `_leave` are called with the lock held; what follows them takes it itself.

    def _hire(self) -> Seat:
        process = WorkerProcess(Ears(lambda message: self._hear(seat, message), lambda end: self._lose(seat, end)))
        seat = Seat(roster.next_number(self._seats), process)
        self._seats.append(seat)
        return seat

    def _leave(self, seat: Seat) -> None:
        """It is to exit; whoever calls this sends the order once the lock is free."""
        seat.leaving = True
        seat.kill_at = self._clock() + (_EXIT if self._closed else self._config.pool.kill_grace)

    def _dismiss(self, seat: Seat) -> bool:
        """Take the part back from a worker that does not even take orders, and kill that; False: the part has ended."""
        now = self._clock()
        with self._lock:
            part, seat.part, seat.leaving, seat.kill_at = seat.part, None, True, now
        self._escalate(now)
        return part is not None

    def _launch(self, seat: Seat) -> bool:
        """Start the worker's process; where that fails the attempt ends here."""
        memory = self._config.memory
        gpu = gpu_for(seat.number, self._gpus)
        settings = child.Settings(
            parent=os.getpid(),
            cleanup_every_chunks=memory.cleanup_every_chunks,
            cleanup_cooldown=memory.cleanup_cooldown,
            gpu=gpu,
            cuda=self._config.model.device != "cpu",
            more_threads=0 if self._config.model.cpu_threads else self._cores_over(seat.number),
            worker=self._worker,
        )
        try:
            seat.process.start(settings)
        except OSError as error:
            self._give_up(seat, Cause.MACHINE, f"no worker process can be started: {error}")
            return False
        with self._lock:
            doomed = seat.ordered is not None  # `close` or `kill` came before there was a process to signal
        if doomed:
            seat.process.signal(signal.SIGKILL)
        return True

    def _cores_over(self, number: int) -> int:
        return capacity().cores_over(number, self._config.worker_count())

    def _hear(self, seat: Seat, message: Any) -> None:
        """One message of a worker, in its reader's thread."""
        with self._lock:
            event = seat.hear(message, self._clock())
            leaves = isinstance(event, ENDS) and (
                self._closed or roster.worn(seat, self._seats, self._limit, self._config.pool.jobs_per_worker)
            )
            if leaves:
                self._leave(seat)
        if event is not None:
            self._tell(event)
        if leaves:
            seat.process.send(Exit())

    def _lose(self, seat: Seat, end: death.Death) -> None:
        """A worker is gone; in its reader's thread."""
        kills = self._oom_kills()
        with self._lock:
            expected = seat.leaving or seat.ordered is not None
            lost = seat.lose(end, kills)
        if lost is not None:
            self._tell(lost)
        elif not expected:
            text = f"worker {seat.process.pid} ended while it was idle: {death.spoken(end.exitcode)}"
            say(Kind.WORKER_DIED, text, worker=seat.process.pid, exit_code=end.exitcode)
        self._remove(seat)

    def _give_up(self, seat: Seat, cause: Cause, error: str) -> None:
        """End the attempt of a worker that has no process, or one that hangs in the kernel."""
        with self._lock:
            part, seat.part, seat.leaving = seat.part, None, True
        if part is not None:
            self._tell(Lost(part_id=part.part_id, attempt=part.attempt, cause=cause, error=error))
        self._remove(seat)

    def _remove(self, seat: Seat) -> None:
        with self._changed:
            if seat in self._seats:  # else it was given up before it died after all
                self._seats.remove(seat)
            self._changed.notify_all()

    def _tell(self, event: Event) -> None:
        assert self._sink is not None, "start() comes before submit()"
        self._sink(event)

    def _find(self, part_id: str, attempt: int) -> Seat | None:
        with self._lock:
            return next((seat for seat in self._seats if seat.has(part_id, attempt)), None)

    def _release(self, choose: Callable[[list[Seat]], list[Seat]]) -> None:
        """Let those go that are idle among the chosen."""
        with self._lock:
            released = [seat for seat in choose(self._seats) if seat.idle]
            for seat in released:
                self._leave(seat)
        for seat in released:
            seat.process.send(Exit())

    def _kill(self, seat: Seat, cause: Cause, *, stacks: bool) -> None:
        """SIGTERM first where the stacks are wanted; `_escalate` follows it up."""
        now = self._clock()
        with self._lock:
            if seat.part is None or seat.ordered is not None:
                return
            seat.ordered = cause
            seat.kill_at = now + self._config.pool.kill_grace if stacks else now
        if stacks:
            seat.process.signal(signal.SIGTERM)
            seat.process.signal(signal.SIGCONT)  # one that was stopped prints its stacks too
        else:
            self._escalate(now)

    def _escalate(self, now: float) -> None:
        """SIGKILL where it is due, and an end without a death where even that does not help."""
        with self._lock:
            due = [seat for seat in self._seats if seat.kill_at <= now]
            hopeless = [seat for seat in self._seats if seat.give_up_at <= now]
            for seat in due:
                seat.kill_at, seat.give_up_at = float("inf"), now + _LAST
        for seat in due:
            seat.process.signal(signal.SIGKILL)
        for seat in hopeless:
            pid = seat.process.pid
            say(Kind.WORKER_STUCK, f"worker {pid}: {death.spoken(None)}", worker=pid)
            seat.process.abandon()
            self._give_up(seat, seat.ordered or Cause.CRASH, f"the worker was given up: {death.spoken(None)}")

    def _wind_up(self, seat: Seat) -> None:
        """The pool closes: what is idle exits, what has no result yet is killed, what works is asked to stop."""
        with self._lock:
            part, started = seat.part, seat.started
        if part is None:
            self._release(lambda _seats: [seat])
        elif started:
            seat.process.send(Stop(part.part_id, part.attempt, Cause.ASKED))
        else:
            self._kill(seat, Cause.SHUTDOWN, stacks=False)

    def _wait(self, seconds: float) -> None:
        """Until no worker is left, but not longer."""
        end = self._clock() + seconds
        while (now := self._clock()) < end:
            self._escalate(now)
            with self._changed:
                if not self._seats:
                    return
                self._changed.wait(min(0.1, end - now))

"""The workers of a pool, and how each of them ends: no caller waits for a dead one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sttd.config import Config
from sttd.host.events import Kind, say
from sttd.part import Cause, Event, Lost
from sttd.pool import death, roster
from sttd.pool.protocol import Sink
from sttd.pool.seat import Seat
from sttd.pool.staff import Staff
from sttd.pool.wire import Exit, Stop

# a worker that is killed for one of these gets `kill_grace` to print where it hangs; one on another machine always gets it, so
# that its process ends there and the line to it stays
_STACKS = frozenset({Cause.TIMEOUT})
_LAST = 10.0  # seconds that a hard end may take; a process that hangs in the kernel (a dead disk) is given up after it
_LAST_ELSEWHERE = 45.0  # the same for a worker on another machine, where somebody has to check that it is gone
_EXIT = 1.0  # seconds that an idle worker may take to exit while the pool closes


class Crew:
    """One lock guards the seats; it is never held during a call to a worker or the sink."""

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # a worker is gone
        self._staffs: list[Staff] = []
        self._closed = False
        self._sink: Sink | None = None

    def close(self, grace: float) -> None:
        with self._lock:
            self._closed = True
            seats = self._seats()
        for seat in seats:
            self._wind_up(seat)
        self._wait(grace)
        now = self._clock()
        with self._lock:
            for seat in self._seats():
                seat.ordered = seat.ordered or Cause.SHUTDOWN
                seat.kill_at = min(seat.kill_at, now)
        self._wait(2 * _LAST)
        for staff in self._staffs:
            staff.source.close()

    # `_seats`, `_staff_of` and `_leave` are called with the lock held; the methods below them take it themselves.

    def _seats(self) -> list[Seat]:
        return [seat for staff in self._staffs for seat in staff.seats]

    def _staff_of(self, seat: Seat) -> Staff:
        return next(staff for staff in self._staffs if staff.source is seat.source)

    def _leave(self, seat: Seat) -> None:
        """Mark a worker as leaving. The caller sends it Exit once the lock is free."""
        seat.leaving = True
        seat.kill_at = self._clock() + (_EXIT if self._closed else self._config.pool.kill_grace)

    def _give_up(self, seat: Seat, cause: Cause, error: str) -> None:
        """End the attempt of a worker that could not be started, or that not even SIGKILL ends."""
        with self._lock:
            part, seat.part, seat.leaving = seat.part, None, True
        if part is not None:
            self._tell(Lost(part_id=part.part_id, attempt=part.attempt, cause=cause, error=error))
        self._remove(seat)

    def _remove(self, seat: Seat) -> None:
        with self._changed:
            seats = self._staff_of(seat).seats
            if seat in seats:  # else it was given up before it died after all
                seats.remove(seat)
            self._changed.notify_all()

    def _tell(self, event: Event) -> None:
        assert self._sink is not None, "start() comes before submit()"
        self._sink(event)

    def _find(self, part_id: str, attempt: int) -> Seat | None:
        with self._lock:
            return next((seat for seat in self._seats() if seat.has(part_id, attempt)), None)

    def _release(self, choose: Callable[[Staff], list[Seat]]) -> None:
        """Tell the idle workers among the chosen ones to exit."""
        with self._lock:
            released = [seat for staff in self._staffs for seat in choose(staff) if seat.idle]
            for seat in released:
                self._leave(seat)
        for seat in released:
            seat.worker.send(Exit())

    def _withdraw(self, now: float, wanted: int) -> None:
        """Give up the workers that have not answered and are not wanted, and with them their place in a cluster's queue."""
        with self._lock:
            for seat in roster.pending(self._seats())[:wanted]:
                seat.wanted_at = now
            unwanted = [seat for staff in self._staffs for seat in roster.unwanted(staff.seats, staff.limit, now)]
            for seat in unwanted:
                seat.leaving, seat.kill_at = True, now

    def _kill(self, seat: Seat, cause: Cause) -> None:
        """Kill a worker, gently first where it may print its stacks. `_escalate` kills it hard later."""
        now, gently = self._clock(), cause in _STACKS or (seat.source.ahead and not self._closed)
        with self._lock:
            if seat.part is None or seat.ordered is not None:
                return
            seat.ordered = cause
            seat.kill_at = now + self._config.pool.kill_grace if gently else now
        if gently:
            seat.worker.end(hard=False)
        else:
            self._escalate(now)

    def _escalate(self, now: float) -> None:
        """Kill hard the workers whose time is up, and give up those that live on even so."""
        with self._lock:
            due = [seat for seat in self._seats() if seat.kill_at <= now]
            hopeless = [seat for seat in self._seats() if seat.give_up_at <= now]
            for seat in due:
                last = _LAST if seat.source.here or self._closed else _LAST_ELSEWHERE  # `close` waits no longer
                seat.kill_at, seat.give_up_at = float("inf"), now + last
        for seat in due:
            seat.worker.end(hard=True)
        for seat in hopeless:
            how = death.spoken(None) if seat.source.here else "nothing tells that it is gone"
            say(Kind.WORKER_STUCK, f"worker {seat.label}: {how}", worker=seat.worker.pid)
            seat.worker.abandon()
            self._give_up(seat, seat.ordered or Cause.CRASH, f"the worker was given up: {how}")

    def _wind_up(self, seat: Seat) -> None:
        """The pool closes: an idle worker exits, one at work is asked to stop, one that has not started its part is killed."""
        with self._lock:
            part, started = seat.part, seat.started
        if part is None and not seat.ready:
            with self._lock:
                seat.leaving, seat.kill_at = True, self._clock()
        elif part is None:
            self._release(lambda staff: [seat] if staff.source is seat.source else [])
        elif started:
            self._ask_to_stop(seat, Stop(part.part_id, part.attempt, Cause.ASKED))
        else:
            self._kill(seat, Cause.SHUTDOWN)

    def _ask_to_stop(self, seat: Seat | None, stop: Stop) -> None:
        if seat is None:
            return
        with self._lock:
            seat.asked.add(stop.cause)
        seat.worker.send(stop)

    def _wait(self, seconds: float) -> None:
        """Wait until no worker is left, at most so many seconds."""
        end = self._clock() + seconds
        while (now := self._clock()) < end:
            self._escalate(now)
            with self._changed:
                if not self._seats():
                    return
                self._changed.wait(min(0.1, end - now))

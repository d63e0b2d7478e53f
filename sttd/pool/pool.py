"""One pool over all sources of workers. Workers stay warm between parts; ending one never waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sttd.config import Config
from sttd.host.events import Kind, say
from sttd.part import ENDS, Cause, Chunks, Done, PartSpec, Started
from sttd.pool import death, roster, terms
from sttd.pool.crew import Crew
from sttd.pool.protocol import NO_HOLDS, Placed, PoolFull, Sink, SourceView, WorkerView
from sttd.pool.seat import Seat
from sttd.pool.source import Source
from sttd.pool.staff import Staff
from sttd.pool.wire import Clean, Do, Exit, Forget, Stop, WireError
from sttd.pool.worker import Ears, never_sent
from sttd.text import printable


class Pool(Crew):
    """See `WorkerPool`."""

    def __init__(
        self,
        config: Config,
        sources: Callable[[Config], Sequence[Source]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sources`: makes the sources that a configuration asks for, in the order in which their slots are filled."""
        super().__init__(config, clock)
        self._sources = sources
        self._wanted = 0  # parts for which there is no slot
        self._most: int | None = None  # limit on parts at once on this machine while its memory is short
        self.configure(config)

    def start(self, sink: Sink) -> None:
        self._sink = sink

    def free_slots(self) -> int:
        now = self._clock()
        with self._lock:
            return 0 if self._closed else sum(staff.free(now) for staff in self._staffs)

    def most_slots(self) -> int:
        with self._lock:
            sources = [staff.source for staff in self._staffs]
        return max(
            sum(source.most_slots(alone=alone) for source in sources if source.here or not alone)
            for alone in (False, True)
        )

    def can_grow(self) -> bool:
        now = self._clock()
        with self._lock:
            return not self._closed and any(staff.room(now) or roster.pending(staff.seats) for staff in self._staffs)

    def want(self, parts: int) -> None:
        self._wanted = parts

    def submit(self, part: PartSpec, holds: Mapping[str, str] = NO_HOLDS) -> Placed:
        kills = {staff.name: staff.source.oom_kills() for staff in self._staffs}
        with self._lock:
            staff, seat = self._choose(part)
            # a new worker takes the place of an idle one that has another model
            replaced = [] if seat else roster.surplus(staff.seats, staff.limit - 1)
            for each in replaced:
                self._leave(each)
            is_new = seat is None
            seat = seat or self._hire(staff)
            given = staff.given(part, holds)
            seat.take(given, kills[staff.name])
        for each in replaced:
            each.worker.send(Exit())
        is_there = not is_new or self._launch(seat)
        if is_there and not self._order(seat, given) and seat.jobs and self._dismiss(seat):
            return self.submit(part, holds)  # the idle worker had died or hung unnoticed: not the part's fault
        return Placed(seat.worker.name, staff.name, seat.worker.pid, given)

    def kill(self, part_id: str, attempt: int, cause: Cause) -> None:
        seat = self._find(part_id, attempt)
        if seat is not None:
            self._kill(seat, cause)

    def stop(self, part_id: str, attempt: int, cause: Cause) -> None:
        self._ask_to_stop(self._find(part_id, attempt), Stop(part_id, attempt, cause))

    def workers(self) -> list[WorkerView]:
        with self._lock:
            seen = [(each.source.name, each.worker, each.state, each.part, each.loaded) for each in self._seats()]
        return [
            WorkerView(
                name=worker.name,
                node=node,
                pid=worker.pid,
                state=state,
                part_id=part.part_id if part else None,
                model=loaded.model if loaded else None,
                rss=worker.rss(),
            )
            for node, worker, state, part, loaded in seen
        ]

    def sources(self) -> list[SourceView]:
        now = self._clock()
        with self._lock:
            return [staff.view(now) for staff in self._staffs if staff.limit or staff.seats or not staff.source.ahead]

    def limit(self, workers: int | None) -> None:
        with self._lock:
            self._most = workers
            self._set_limits()

    def configure(self, config: Config) -> None:
        known = {staff.name for staff in self._staffs}
        new = [Staff(source) for source in self._sources(config) if source.name not in known]
        for staff in self._staffs:
            staff.source.configure(config)
        changed = terms.changed(self._config, config)
        with self._lock:
            self._config = config
            self._staffs += new
            for seat in self._seats():
                seat.outdated |= seat.source.name in changed
            for staff in self._staffs:  # a person may have put it right: try it at once
                staff.failures, staff.away, staff.refusals, staff.hire_at = 0, "", 0, 0.0
            self._set_limits()

    def bench(self, node: str, why: str) -> None:
        with self._lock:
            staff = next((staff for staff in self._staffs if staff.name == node), None)
            if staff is None or (len(self._staffs) == 1 and not staff.source.ahead):
                return
            before, wait = staff.away or staff.told, staff.failed(why, self._clock())
            is_news, staff.told = why != before, why
        if wait and not self._closed:
            text = f"{node} is away: {printable(why)}; it is tried again in {wait:.0f} s"
            say(Kind.REMOTE_AWAY, text, level=None if is_news else "DEBUG", error=why, wait=wait)

    def forget(self, source: str) -> None:
        with self._lock:
            seats = [seat for seat in self._seats() if seat.source.ahead and seat.ready]
        for seat in seats:
            seat.worker.send(Forget(source))

    def clean_up(self) -> None:
        with self._lock:
            seats = [seat for seat in self._seats() if seat.source.here and seat.part is not None]
        for seat in seats:
            seat.worker.send(Clean())

    def release_idle(self) -> None:
        self._release(lambda staff: staff.seats if staff.source.here else [])

    def tick(self, now: float) -> None:
        self._withdraw(now, self._wanted)
        self._escalate(now)
        self._release(lambda staff: roster.expired(staff.seats, now, self._config.pool.idle_ttl))
        self._release(lambda staff: roster.surplus(staff.seats, staff.limit))
        self._release(lambda staff: [seat for seat in staff.seats if seat.outdated])
        with self._lock:
            self._set_limits()
        self._reach(now)

    def _reach(self, now: float) -> None:
        """Hire workers on other machines for the parts that have no slot."""
        hired: list[Seat] = []
        with self._lock:
            wanted, self._wanted = self._wanted - len(roster.pending(self._seats())), 0
            for staff in [] if self._closed else self._staffs:
                hired += [self._hire(staff) for _ in range(min(staff.room(now), wanted - len(hired)))]
        for seat in hired:
            self._launch(seat)

    # `_set_limits`, `_choose` and `_hire` are called with the lock held; the methods below them take it themselves.

    def _set_limits(self) -> None:
        """A source that is no longer configured has no slot."""
        elsewhere = [staff for staff in self._staffs if staff.source.ahead and staff.limit]
        alone = bool(elsewhere) and all(staff.is_cut_off for staff in elsewhere)
        for staff in self._staffs:
            staff.limit = staff.source.slots(alone=alone)
            if staff.source.here and self._most is not None:
                staff.limit = min(staff.limit, max(1, self._most))

    def _choose(self, part: PartSpec) -> tuple[Staff, Seat | None]:
        """Source and worker for a part: the idle worker with its model that worked last, else the first source. None: hire."""
        now = self._clock()
        able = [staff for staff in self._staffs if staff.free(now) > 0]
        if self._closed or not able:
            raise PoolFull(f"no slot is free for part {part.part_id}: submit it again later")
        warm = [(staff, seat) for staff in able if (seat := staff.warm(part)) is not None]
        if warm:
            return max(warm, key=lambda each: each[1].idle_since)
        return able[0], able[0].coldest()

    def _hire(self, staff: Staff) -> Seat:
        seat = staff.seat(self._clock())
        ears = Ears(
            heard=lambda message: self._hear(seat, message),
            ended=lambda end: self._lose(seat, end),
            ready=lambda: self._greet(seat),
        )
        seat.worker = staff.source.hire(seat.number, ears)
        return seat

    def _order(self, seat: Seat, part: PartSpec) -> bool:
        """See `Worker.send`. A part that cannot be encoded as an order (hotwords of megabytes) ends here."""
        try:
            return seat.worker.send(Do(part))
        except WireError as error:
            self._hear(seat, never_sent(part, error))
            return True

    def _dismiss(self, seat: Seat) -> bool:
        """Take the part back from a worker that accepts no orders, and kill the worker. False: the part has ended."""
        now = self._clock()
        with self._lock:
            part, seat.part, seat.leaving, seat.kill_at = seat.part, None, True, now
        self._escalate(now)
        return part is not None

    def _launch(self, seat: Seat) -> bool:
        """Start the worker; where that fails the attempt ends here."""
        try:
            seat.worker.start()
        except OSError as error:
            why = f"no worker process can be started: {error}"
            if seat.source.ahead:
                self.bench(seat.source.name, why)
            self._give_up(seat, Cause.MACHINE, why)
            return False
        with self._lock:
            doomed = seat.ordered is not None  # `close` or `kill` came before there was a worker to end
        if doomed:
            seat.worker.end(hard=True)
        return True

    def _greet(self, seat: Seat) -> None:
        """A worker on another machine is ready for parts. Called in the worker's own thread."""
        with self._lock:
            seat.ready, seat.idle_since = True, self._clock()
            was = self._staff_of(seat).answered()
        level = None if was or seat.number == 0 else "DEBUG"
        say(Kind.REMOTE_READY, f"{seat.worker.name} takes parts", level=level, worker=seat.worker.name)

    def _hear(self, seat: Seat, message: Any) -> None:
        """Handle one message of a worker. Called in the worker's own thread."""
        with self._lock:
            ordered, staff = seat.ordered, self._staff_of(seat)
            event = seat.hear(message, self._clock())
            if isinstance(event, Started):
                staff.away = ""
            elif isinstance(event, Chunks | Done):  # not at Started: one that breaks after each waits longer each time
                staff.failures, staff.told = 0, ""
            leaves = isinstance(event, ENDS) and (
                self._closed or roster.worn(seat, staff.seats, staff.limit, self._config.pool.jobs_per_worker)
            )
            if leaves:
                self._leave(seat)
        if death.is_fault_of_node(event, ordered):
            self.bench(seat.source.name, event.error)
        if event is not None:
            self._tell(event)
        if leaves:
            seat.worker.send(Exit())

    def _lose(self, seat: Seat, end: death.Death) -> None:
        """A worker is gone. Called in the worker's own thread."""
        kills = seat.source.oom_kills()
        with self._lock:
            ordered = seat.ordered
            expected = seat.leaving or ordered is not None
            lost = seat.lose(end, kills)
            alone = not self._staff_of(seat).is_used()
        if seat.source.ahead and not expected and end.unborn and not alone:
            self._do_without(seat, end.unborn)
        elif seat.source.ahead and not expected:
            self.bench(seat.source.name, end.unborn or end.line or death.spoken(end.exitcode))
        elif death.is_fault_of_node(lost, ordered):
            self.bench(seat.source.name, lost.error)
        if lost is not None:
            self._tell(lost)
        elif not (expected or seat.source.ahead):
            text = f"worker {seat.label} ended while it was idle: {death.spoken(end.exitcode)}"
            say(Kind.WORKER_DIED, text, worker=seat.worker.pid, exit_code=end.exitcode)
        self._remove(seat)

    def _do_without(self, seat: Seat, why: str) -> None:
        """A worker did not start while others of its source work: the others go on, and the next is hired after a wait."""
        with self._lock:
            staff = self._staff_of(seat)
            is_news, wait = staff.refusals == 0, staff.refused(self._clock())
        if wait and not self._closed:
            text = f"{seat.worker.name} is missing: {printable(why)}; the others go on, and it is asked for again in {wait:.0f} s"
            say(Kind.REMOTE_AWAY, text, level=None if is_news else "DEBUG", error=why, wait=wait)

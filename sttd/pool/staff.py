"""The workers of one source: values and choices, without effects. The pool calls these with its lock held."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sttd.part import PartSpec
from sttd.pool import roster
from sttd.pool.protocol import SourceView
from sttd.pool.seat import Seat
from sttd.pool.source import Source

WAITS = (2.0, 10.0, 30.0, 120.0, 300.0)  # seconds before a source that failed is used again; the last one repeats
_SEVERAL = 2  # failures in a row
_JITTER = 0.25  # of a wait, added at most: many daemons must not come back to one machine at the same moment


@dataclass(slots=True, eq=False)
class Staff:
    """The hired workers of a source, and how many parts may run there at once. Times are monotonic seconds."""

    source: Source
    seats: list[Seat] = field(default_factory=list)
    limit: int = 0
    away: str = ""  # why it is not used now, in words
    failures: int = 0  # in a row
    unanswered: int = 0  # failures since a worker there was last ready
    told: str = ""  # why it was away, as last logged; "" again once a part has chunks there
    retry_at: float = 0.0
    refusals: int = 0  # in a row: workers that did not start while others of the source work
    hire_at: float = 0.0  # when the next one may be hired after that
    random: Callable[[], float] = random.random

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def is_cut_off(self) -> bool:
        """No worker answers there, or those that do fail again and again (no model, a full disk); and none has a part."""
        is_there = any(seat.ready for seat in self.seats) and self.failures < _SEVERAL
        return bool(self.away) and not is_there and not any(seat.part for seat in self.seats)

    def free(self, now: float) -> int:
        """How many parts it would take now."""
        if self.away and now < self.retry_at:
            return 0
        room = roster.free(self.seats, self.limit)
        return min(room, sum(seat.idle for seat in self.seats)) if self.source.ahead else room

    def room(self, now: float) -> int:
        """How many more workers may be hired now, before they get parts; 0 for a source that does not hire ahead."""
        if not self.source.ahead or now < self.hire_at or (self.away and now < self.retry_at):
            return 0
        present = roster.present(self.seats)
        room = max(0, self.limit - len(present))
        if self.away:  # one worker tries for all, also where others of it work on
            return min(room, int(all(seat.ready for seat in present)))
        return room

    def warm(self, part: PartSpec) -> Seat | None:
        """The idle worker that has the part's model in the form that this source uses; see `Source.fitted`."""
        return roster.warm(self.seats, self.source.fitted(part).model)

    def given(self, part: PartSpec, holds: Mapping[str, str]) -> PartSpec:
        """The part as a worker there gets it."""
        fitted = self.source.fitted(part)
        hold = holds.get(self.name, part.model.hold)
        return dataclasses.replace(fitted, model=dataclasses.replace(fitted.model, hold=hold))

    def coldest(self) -> Seat | None:
        """The worker for a part whose model no idle worker has: the one idle longest. None: hire one."""
        if not self.source.ahead:
            return None
        return min((seat for seat in self.seats if seat.idle), key=lambda seat: seat.idle_since)

    def seat(self, now: float) -> Seat:
        """A new seat, for a worker that the caller hires at once."""
        seat = Seat(roster.next_number(self.seats), self.source, ready=not self.source.ahead, wanted_at=now)
        self.seats.append(seat)
        return seat

    def is_used(self) -> bool:
        """Whether a worker there takes parts."""
        return any(seat.ready for seat in roster.present(self.seats))

    def answered(self) -> str:
        """A worker there is ready; returns why the source was away until now, if it was."""
        was, self.away = self.away, ""
        self.unanswered = self.refusals = 0
        return was

    def failed(self, why: str, now: float) -> float:
        """Do not use the source for a while, longer each time. Returns the seconds; 0: it was away already."""
        if self.away and now < self.retry_at:  # another of its workers has just failed
            return 0.0
        wait = self._wait(self.failures)
        self.away, self.failures, self.retry_at = why, self.failures + 1, now + wait
        self.unanswered += 1
        return wait

    def refused(self, now: float) -> float:
        """Hire no further worker for a while, though others work: a cluster may be full. Returns as `failed` does."""
        if now < self.hire_at:
            return 0.0
        wait = self._wait(self.refusals)
        self.refusals, self.hire_at = self.refusals + 1, now + wait
        return wait

    def _wait(self, failures: int) -> float:
        return WAITS[min(failures, len(WAITS) - 1)] * (1 + _JITTER * self.random())

    def view(self, now: float) -> SourceView:
        """While some of its workers are ready, a lost one makes it `away` only until the wait is over."""
        ready = sum(seat.ready for seat in roster.present(self.seats))
        away = "" if ready and now >= self.retry_at else self.away
        retry_at = self.retry_at if away else None
        tries, is_remote = self.unanswered, self.source.ahead
        known = {"is_remote": is_remote, "is_cut_off": self.is_cut_off}
        return SourceView(self.name, self.limit, ready, away, retry_at, tries, **known)

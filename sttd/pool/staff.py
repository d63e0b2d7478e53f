"""The workers of one source: values and choices, without effects. The pool calls these with its lock held."""

from __future__ import annotations

from dataclasses import dataclass, field

from sttd.part import PartSpec
from sttd.pool import roster
from sttd.pool.protocol import SourceView
from sttd.pool.seat import Seat
from sttd.pool.source import Source


@dataclass(slots=True, eq=False)
class Staff:
    """Those that are hired, and how many parts may run at once."""

    source: Source
    seats: list[Seat] = field(default_factory=list)
    limit: int = 0

    @property
    def name(self) -> str:
        return self.source.name

    def free(self) -> int:
        """How many parts it would take now."""
        room = roster.free(self.seats, self.limit)
        return min(room, sum(seat.idle for seat in self.seats)) if self.source.ahead else room

    def warm(self, part: PartSpec) -> Seat | None:
        """The idle worker that has the part's model, as it is wanted there."""
        return roster.warm(self.seats, self.source.fitted(part).model)

    def coldest(self) -> Seat | None:
        """Who takes a part where no worker has the model; None: one is hired for it."""
        if not self.source.ahead:
            return None
        return min((seat for seat in self.seats if seat.idle), key=lambda seat: seat.idle_since)

    def seat(self) -> Seat:
        """A new one, for a worker that is hired at once."""
        seat = Seat(roster.next_number(self.seats), self.source, ready=not self.source.ahead)
        self.seats.append(seat)
        return seat

    def view(self) -> SourceView:
        ready = sum(seat.ready for seat in roster.present(self.seats))
        return SourceView(self.name, self.limit, ready)

"""Which recordings were looked at before their turn; see library.py."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Looked:
    """Owned by the loop. A restart may lose it without harm: the recordings are looked at once more."""

    under_way: set[int] = field(default_factory=set)
    over: set[tuple[int, int, int]] = field(default_factory=set)  # number, size and time of change of a job

"""Which recordings were looked at before their turn; see library.py."""

from __future__ import annotations

from dataclasses import dataclass, field

Key = tuple[int, int, int]  # number, size and time of change of a job
Subtitles = tuple[tuple[str, str], ...]  # names and languages of the files beside a recording


@dataclass(slots=True)
class Looked:
    """Owned by the loop. A restart may lose it without harm: the recordings are looked at once more."""

    under_way: set[int] = field(default_factory=set)
    over: dict[Key, Subtitles] = field(default_factory=dict)
    beside: dict[int, Subtitles] = field(default_factory=dict)  # of the jobs that start now

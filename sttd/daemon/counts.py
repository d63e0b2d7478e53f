"""What the loop counts in memory. Numbers that must survive a restart are in the ledger's rows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Happened:
    """Events that no job's row has, counted since the last sample (see sampling.py)."""

    load_timeouts: int = 0  # loads of a model that took too long
    resumes: int = 0  # attempts that went on from a checkpoint


@dataclass(slots=True)
class Counts:
    failed_now: int = 0  # jobs that this run gave up
    happened: Happened = field(default_factory=Happened)

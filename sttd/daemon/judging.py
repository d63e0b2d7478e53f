"""What is needed to judge the end of an attempt, besides its job's row; see ending.py. A restart may lose it without harm."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sttd.daemon.faults import Faults
from sttd.job import Job
from sttd.rules.claims import Claims
from sttd.rules.lines import Lines
from sttd.rules.streaks import Streaks


@dataclass(slots=True)
class Trial:
    """The transcription of sttd's own sample: see trial.py."""

    sample: Path | None = None  # None: there is none
    job: Job | None = None  # the latest one that met the error
    under_way: bool = False
    attempt: int = 0  # its number, so that messages of an old one are ignored
    rounds: int = 0  # `Streaks.rounds` when the latest trial began
    since: float = 0.0  # monotonic seconds of that
    is_told: bool = False  # the log has that it failed


@dataclass(slots=True)
class Judging:
    lines: Lines = field(default_factory=Lines)
    claims: Claims = field(default_factory=Claims)
    streaks: Streaks = field(default_factory=Streaks)
    faults: Faults = field(default_factory=Faults)
    trial: Trial = field(default_factory=Trial)
    configured: float = 0.0  # monotonic seconds of the latest reload; attempts before it had another configuration
    random: Callable[[], float] = random.random

"""What the loop remembers of where the inboxes are. All of it is found out anew by the next look."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Known:
    """Of one inbox."""

    reason: str | None = None  # why it is away, as the log has it; None: it is not
    since: float = math.inf  # monotonic seconds: when that began
    advice: str = ""  # which jobs wait for files that a strange folder does not have, and what to do
    undecided: bool = False  # it has another path than before: the same folder, or another one? A look will tell


@dataclass(slots=True)
class Whereabouts:
    of: defaultdict[str, Known] = field(default_factory=lambda: defaultdict(Known))  # by name of the inbox
    former: list[str] | None = None  # folders that were an inbox; None: not read from the ledger yet
    said: set[str] = field(default_factory=set)  # former inboxes whose waiting jobs the log has named
    returning: set[str] = field(default_factory=set)  # sources under private names that are given their own back now
    stranded: set[str] = field(default_factory=set)  # those for which that failed

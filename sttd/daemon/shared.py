"""What the loop knows of shared-out jobs and of who listens to one, beside the rows of their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sttd.daemon.listener import Listener, Nobody
from sttd.job import Identity
from sttd.sharing import Decided


@dataclass(slots=True)
class Shared:
    listener: Listener = field(default_factory=Nobody)
    told: dict[int, int] = field(default_factory=dict)  # the part of a shared-out job that the listener hears, by job
    # by shared-out job: version of the file, options (see `spread.languages`), and the languages by channel
    decided: dict[int, tuple[tuple[Identity, str], Mapping[int, Decided]]] = field(default_factory=dict)

    def drop(self, job: int) -> None:
        """Forget a job whose checkpoint is removed: it begins anew, or has ended."""
        self.decided.pop(job, None)
        self.told.pop(job, None)

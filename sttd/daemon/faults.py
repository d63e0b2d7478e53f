"""A fault in sttd itself that is met while it deals with one job ends that job, not the daemon.

Three in a row for different jobs, without one that ends well between them, are a fault of the daemon: then it ends, and
systemd starts it anew.
"""

from __future__ import annotations

MOST = 3


class Faults:
    """The jobs that met one, since the last job that ended well."""

    def __init__(self) -> None:
        self._jobs: dict[int, int] = {}  # how often

    def met(self, job: int) -> bool:
        """Returns whether they are too many."""
        self._jobs[job] = self.times(job) + 1
        return len(self._jobs) >= MOST

    def times(self, job: int) -> int:
        """How often a job has met one."""
        return self._jobs.get(job, 0)

    def ended_well(self) -> None:
        self._jobs.clear()

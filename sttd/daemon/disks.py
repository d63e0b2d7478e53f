"""Which disks of a library are full, failing or away, and whose files wait for them. A restart may lose it without harm."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from sttd.outbox import DiskFolder

Destination = tuple[str, str]  # where results go: the name of an inbox, and the path of the recording below it


@dataclass(slots=True)
class Ill:
    """One disk. While it is ill, no job starts whose results go there; of those that have results, one at a time is tried."""

    error: str
    until: float  # monotonic seconds: none is tried before
    folders: list[DiskFolder] = field(default_factory=list)  # the folders of inboxes that lie on it
    jobs: dict[int, None] = field(default_factory=dict)  # whose files wait, in the order in which they are tried
    tried: int | None = None  # the one that is tried now, or was last


class Disks:
    """By device. The loop's thread alone changes it; other threads may ask whether a step is worth starting.

    Args:
        under_way: the jobs with a step that is under way.
    """

    def __init__(self, under_way: Container[int]) -> None:
        self._under_way = under_way
        self._ill: dict[str, Ill] = {}

    def begin(self, job: int, where: DiskFolder, error: str, until: float) -> bool:
        """A step of a job has failed on a disk, and has ended. Returns whether the disk is newly ill."""
        is_news = where.device not in self._ill
        ill = self._ill.setdefault(where.device, Ill(error, until))
        if ill.tried not in self._under_way:
            ill.error, ill.until, ill.tried = error, until, None
        if where not in ill.folders:
            ill.folders.append(where)
        ill.jobs.pop(job, None)
        ill.jobs[job] = None  # behind the others
        return is_news

    def holding(self, to: Destination | None) -> tuple[str, DiskFolder] | None:
        """The error of the disk that results go to, and their folder on it; None: nothing is known to be wrong."""
        for ill in self._ill.copy().values() if to is not None else ():
            folder = None if to is None else _folder(ill, to)
            if folder is not None:
                return ill.error, folder
        return None

    def may_try(self, job: int, to: Destination, now: float, wait: float) -> bool:
        """Whether a job's files may be moved now. If they may though the disk is ill, all others wait for `wait` seconds."""
        ill = self._find(to)
        if ill is None:
            return True
        ill.jobs.setdefault(job)
        if ill.tried != job:
            if self._is_to_wait(ill, now):
                return False
            ill.until, ill.tried = now + wait, job
        return True

    def is_tried(self, job: int, to: Destination | None) -> bool:
        """Whether a step is worth starting: it may have waited for a thread since before the disk was ill."""
        ill = self._find(to)
        return ill is None or ill.tried == job

    def has(self, job: int) -> bool:
        """Whether a job's files wait for a disk, or are tried there."""
        return any(job in ill.jobs for ill in self._ill.values())

    def waits(self, job: int, now: float) -> bool:
        """Whether a job's files wait for a disk, and are not to be tried now."""
        return any(job in ill.jobs and ill.tried != job and self._is_to_wait(ill, now) for ill in self._ill.values())

    def due(self, now: float) -> list[int]:
        """For each disk that may be tried again, the job whose turn it is."""
        return [next(iter(ill.jobs)) for ill in self._ill.values() if not self._is_to_wait(ill, now)]

    def end(self, to: Destination) -> str | None:
        """A step has succeeded there. Returns the device, if it was ill."""
        found = next((device for device, ill in self._ill.items() if _folder(ill, to) is not None), None)
        if found is not None:
            del self._ill[found]
        return found

    def drop(self, job: int) -> list[str]:
        """A job does not wait for a disk any more. Returns the devices that no job waits for: whether they are ill is unknown."""
        unknown = []
        for device, ill in list(self._ill.items()):
            ill.jobs.pop(job, None)
            if not ill.jobs:
                del self._ill[device]
                unknown.append(device)
        return unknown

    def hurry(self) -> None:
        """Each may be tried again at once."""
        for ill in self._ill.values():
            ill.until = -float("inf")

    def _is_to_wait(self, ill: Ill, now: float) -> bool:
        return ill.until > now or ill.tried in self._under_way

    def _find(self, to: Destination | None) -> Ill | None:
        every = self._ill.copy().values() if to is not None else ()
        return next((ill for ill in every if to is not None and _folder(ill, to) is not None), None)


def _folder(ill: Ill, to: Destination) -> DiskFolder | None:
    return next((each for each in ill.folders.copy() if each.holds(*to)), None)

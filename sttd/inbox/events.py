"""What the inbox tells the daemon."""

from __future__ import annotations

from dataclasses import dataclass

from sttd.inbox.lock import FolderIdentity
from sttd.job import Identity


@dataclass(frozen=True, slots=True)
class Found:
    """Files that have settled, at most `BATCH` of them: paths relative to the inbox (`os.fsdecode`d), as they are."""

    files: tuple[tuple[str, Identity], ...]
    looked: float = float("inf")  # monotonic seconds: when the first of them was looked at


@dataclass(frozen=True, slots=True)
class Gone:
    """Files that were found or expected and are no longer there: looked for twice, in the inbox that held them."""

    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """The inbox's folder has been taken hold of, for the first time, or another one in its place: by what it is known."""

    folder: FolderIdentity
    inbox: str = ""  # its name


@dataclass(frozen=True, slots=True)
class Strange:
    """A whole walk through a folder that is not the one it was: is it the inbox now? See `Inbox.adopt`."""

    mark: str  # of the strange folder
    missing: tuple[str, ...]  # known files that are not in it
    used: bool  # there are files in it, or the folder that it was is deleted: somebody takes it for the inbox
    inbox: str = ""  # its name


@dataclass(frozen=True, slots=True)
class Away:
    """The inbox cannot be looked at or is not the one it was, and why; None: it is back."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Own:
    """Sources under the names that sttd gives them on their way out, as a walk met them; some may be stranded."""

    files: tuple[str, ...]


InboxEvent = Held | Found | Gone | Strange | Away | Own
BATCH = 1000  # files in one Found or Gone: one transaction of the ledger

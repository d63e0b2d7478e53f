"""What the inbox tells the daemon."""

from __future__ import annotations

from dataclasses import dataclass

from sttd.inbox.lock import FolderIdentity
from sttd.job import Identity


@dataclass(frozen=True, slots=True)
class Found:
    """Files that have settled, at most `BATCH` of them: paths relative to the inbox (`os.fsdecode`d), and identities."""

    files: tuple[tuple[str, Identity], ...]
    looked: float = float("inf")  # monotonic seconds: when the first of them was looked at


@dataclass(frozen=True, slots=True)
class Gone:
    """Files that were found or expected and are no longer there: looked for twice, in the inbox that held them."""

    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """The inbox holds (locks) a folder, the first one or another in its place. `folder`: how it is recognised later."""

    folder: FolderIdentity
    inbox: str = ""  # its name


@dataclass(frozen=True, slots=True)
class Strange:
    """A complete walk through a folder that is not the known one. The daemon decides whether it is the inbox: `Inbox.adopt`."""

    mark: str  # of the strange folder
    missing: tuple[str, ...]  # known files that are not in it
    used: bool  # there are files in it, or the known folder is deleted: people use it as the inbox
    inbox: str = ""  # its name


@dataclass(frozen=True, slots=True)
class Away:
    """Why the inbox cannot be looked at, or is not the known folder; None: it is back."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Own:
    """Sources that a walk found under the names that sttd gives them while it files them away; some may be stranded."""

    files: tuple[str, ...]


InboxEvent = Held | Found | Gone | Strange | Away | Own
BATCH = 1000  # files in one Found or Gone: one transaction of the ledger

"""What the loop remembers of the options of folders. A restart may lose it: it is found out anew."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from sttd import inboxes
from sttd.job import FolderOptions

MOST = 64  # looks under way in one inbox
FRESH = 1.0  # seconds after which a look that a turn has used is made again
PAUSE = 0.25  # seconds between two looks at a file that may still be written to
_KNOWN = 1000  # folders that are remembered


@dataclass(slots=True)
class FolderLook:
    """What the latest look at a folder found."""

    options: FolderOptions | None = None  # without regard to the configuration; None: the folder is not there
    mistakes: str = ""  # of the files
    content: int = 0  # a hash of what the files hold
    refused: str = ""  # why the recordings wait
    young: bool = False  # they have just changed: a further look tells whether that was all
    at: float = 0.0  # monotonic seconds
    used: bool = False  # a recording had its turn with it


@dataclass(slots=True)
class FolderLooks:
    """By folder, as `by_folder.folder_of` names them."""

    known: dict[str, FolderLook] = field(default_factory=dict)
    looking: set[str] = field(default_factory=set)  # looks under way
    again: set[str] = field(default_factory=set)  # looks under way that may be out of date
    releasing: set[str] = field(default_factory=set)  # folders whose held recordings may go on
    blamed: dict[str, tuple[FolderOptions, str]] = field(default_factory=dict)  # options that a worker could not use
    said: dict[str, str] = field(default_factory=dict)  # why recordings wait, as log and status have it
    failed_at: dict[str, float] = field(default_factory=dict)  # monotonic seconds: when an inbox could not be looked at

    def at_turn(self, folder: str, now: float) -> FolderLook | None:
        """What counts for a recording whose turn is now; None: a look is needed first."""
        found = self.known.get(folder)
        if found is None or found.young or folder in self.looking:
            return None
        if not found.refused and found.used and now - found.at >= FRESH:
            return None
        found.used = True
        return found

    def may_look(self, folder: str, now: float) -> bool:
        """Whether a look may begin now."""
        found = self.known.get(folder)
        inbox = inboxes.split(folder)[0]
        under_way = sum(inboxes.split(each)[0] == inbox for each in self.looking)
        if folder in self.looking or under_way >= MOST or now - self.failed_at.get(inbox, -math.inf) < FRESH:
            return False
        return found is None or not found.young or now - found.at >= PAUSE

    def note(self, folder: str, found: FolderLook) -> None:
        """Store the outcome of a look. If there are too many, forget the oldest that the log has not named."""
        self.known.pop(folder, None)
        self.known[folder] = found
        if len(self.known) > _KNOWN:
            del self.known[next(each for each in self.known if each not in self.said)]

    def blame(self, folder: str, options: FolderOptions, why: str) -> None:
        """A worker could not use these options: the folder's recordings wait until they change."""
        self.blamed[folder] = options, why
        if len(self.blamed) > _KNOWN:
            del self.blamed[next(iter(self.blamed))]
        self.doubt([folder])

    def doubt(self, folders: Iterable[str]) -> None:
        """Something has changed in these folders: they are to be looked at before the next turn."""
        for folder in folders:
            if folder in self.looking:
                self.again.add(folder)
            elif (found := self.known.get(folder)) is not None:
                found.used, found.at = True, -math.inf

    def release(self) -> None:
        """A person has changed something, or wants another try: forget what was wrong, and find it out anew."""
        self.blamed.clear()
        for found in self.known.values():
            found.content = 0
        self.doubt(self.known)

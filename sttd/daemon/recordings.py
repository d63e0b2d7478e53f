"""What the loop remembers of the inboxes and of the files in them. A restart may lose it: it is found out anew."""

from __future__ import annotations

from dataclasses import dataclass, field

from sttd.daemon.folder_looks import FolderLooks
from sttd.daemon.looked import Looked
from sttd.daemon.taken import Taken
from sttd.daemon.unreadable import UnreadableFiles
from sttd.daemon.where import Whereabouts


@dataclass(slots=True)
class Recordings:
    whereabouts: Whereabouts = field(default_factory=Whereabouts)
    folders: FolderLooks = field(default_factory=FolderLooks)
    looked: Looked = field(default_factory=Looked)
    taken: Taken = field(default_factory=Taken)
    unreadable: UnreadableFiles = field(default_factory=UnreadableFiles)

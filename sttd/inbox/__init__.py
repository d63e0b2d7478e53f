"""The first station: which files in the watched folder are jobs."""

from sttd.inbox.events import Away, Found, Gone, Held, Own, Strange
from sttd.inbox.inbox import Inbox
from sttd.inbox.lock import Folder

__all__ = ["Away", "Folder", "Found", "Gone", "Held", "Inbox", "Own", "Strange"]

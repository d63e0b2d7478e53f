"""The first station: which files in the watched folders are jobs."""

from sttd.inbox.events import Away, Found, Gone, Held, Own, Strange
from sttd.inbox.inbox import Inbox
from sttd.inbox.inboxes import Inboxes
from sttd.inbox.lock import Folder

__all__ = ["Away", "Folder", "Found", "Gone", "Held", "Inbox", "Inboxes", "Own", "Strange"]

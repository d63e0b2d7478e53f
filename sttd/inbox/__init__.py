"""The first station: which files in the watched folder are jobs."""

from sttd.inbox.events import Away, Found, Gone, Own
from sttd.inbox.inbox import Inbox

__all__ = ["Away", "Found", "Gone", "Inbox", "Own"]

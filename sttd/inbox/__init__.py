"""The first station: which files in the watched folders are jobs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sttd.inbox.events import Away, Found, Gone, Held, Own, Strange
    from sttd.inbox.inbox import Inbox
    from sttd.inbox.inboxes import Inboxes
    from sttd.inbox.lock import FolderIdentity

__all__ = ["Away", "FolderIdentity", "Found", "Gone", "Held", "Inbox", "Inboxes", "Own", "Strange"]

_HOMES = {"FolderIdentity": "lock", "Inbox": "inbox", "Inboxes": "inboxes"}  # all others: events


def __getattr__(name: str) -> Any:
    """Names are imported on first use (PEP 562): `sttd status` needs only the rules, and starts 0.15 s sooner."""
    if name in __all__:
        return getattr(importlib.import_module(f"sttd.inbox.{_HOMES.get(name, 'events')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

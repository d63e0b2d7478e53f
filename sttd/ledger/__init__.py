"""The ledger: every job, on disk. The daemon is its one writer; commands read it, and leave requests beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sttd.ledger.names import LEDGER, LOCK, SPOOL, WORK
from sttd.ledger.request import Answer, Ask, Request
from sttd.ledger.store import Ledger

if TYPE_CHECKING:
    from sttd.ledger.checkpoint import Checkpoint, Resume

__all__ = ["LEDGER", "LOCK", "SPOOL", "WORK", "Answer", "Ask", "Checkpoint", "Ledger", "Request", "Resume"]


def __getattr__(name: str) -> Any:
    """Checkpoints are imported on first use (PEP 562): `sttd status` needs none, and starts 40 ms sooner."""
    if name in ("Checkpoint", "Resume"):
        from sttd.ledger import checkpoint  # noqa: PLC0415

        return getattr(checkpoint, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

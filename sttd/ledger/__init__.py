"""The ledger: every job, on disk. The daemon is its one writer; commands read it and leave requests."""

from sttd.ledger.checkpoint import Checkpoint, Resume
from sttd.ledger.store import Ledger, Request

__all__ = ["Checkpoint", "Ledger", "Request", "Resume"]

"""What lies in the state folder."""

from __future__ import annotations

import re
from pathlib import Path

LEDGER = "ledger.db"
LOCK = "lock"  # held by the daemon
PULSE = "pulse"  # its sign of life: see fs/pulse.py
MANIFEST = "manifest.jsonl"
WORK = "work"  # a folder of checkpoints, one folder a job
SPOOL = "requests"  # a folder of what people ask for, one file a request
REFUSED = "refused"  # a folder of copies of files in `SPOOL` that were no requests


def is_checkpoint(path: Path) -> bool:
    """Whether a file of a job's folder in `WORK` is the checkpoint of a part, by its name."""
    return re.fullmatch(r"\d+\.jsonl", path.name) is not None

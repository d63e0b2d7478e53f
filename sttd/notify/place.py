"""Where the notifier has its own file, and how a job is named there."""

from __future__ import annotations

from pathlib import Path

NAME = "notify.db"


def word(number: int, created_at: float) -> str:
    """What the words of a job's notices begin with. Its number alone is not enough: a ledger that is lost without its log begins
    to count anew.
    """
    return f"job-{number}-{round(created_at * 1000)}"


def folder(state: Path) -> Path:
    """Beside the daemon's state folder (StateDirectory=sttd-notify in the unit)."""
    return state.with_name(f"{state.name}-notify")

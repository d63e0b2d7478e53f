"""Where the notifier's own file lies, and how a job is named in it."""

from __future__ import annotations

from pathlib import Path

NAME = "notify.db"


def word(number: int, created_at: float) -> str:
    """The beginning of `word` in each notice about a job. Its number alone is not enough: if ledger and log are both lost, job
    numbers start again at 1.
    """
    return f"job-{number}-{round(created_at * 1000)}"


def folder(state: Path) -> Path:
    """Beside the daemon's state folder (StateDirectory=sttd-notify in the unit)."""
    return state.with_name(f"{state.name}-notify")

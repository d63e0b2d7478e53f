"""Where the notifier has its own file."""

from __future__ import annotations

from pathlib import Path

NAME = "notify.db"


def folder(state: Path) -> Path:
    """Beside the daemon's state folder (StateDirectory=sttd-notify in the unit)."""
    return state.with_name(f"{state.name}-notify")

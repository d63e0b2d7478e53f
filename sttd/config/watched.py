"""A further inbox: what its [[watch]] table sets for the recordings in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Watched:
    """One table."""

    name: str
    inbox: Path
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by section and key

"""Whether a person looks. It decides between bars and plain lines, before rich is imported."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether `stream`, standard output by default, is a screen that can do more than print lines."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"

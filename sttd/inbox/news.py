"""What the kernel's events say of a file."""

from __future__ import annotations

import enum


class News(enum.Enum):
    """The latest event about a file; earlier ones no longer count."""

    NEW = "it appeared"
    WRITTEN = "its content changes"
    FINAL = "its writer closed it, or renamed it in"
    LEFT = "it was deleted or moved away"

"""Why a try was in vain."""

from __future__ import annotations


class NotTold(Exception):
    """A try was in vain; the message is why. It holds no address, no secret and no name: it is stored, and logged.

    Args:
        why: the reason.
        said: what a command printed, for the log alone.
    """

    def __init__(self, why: str, said: str = "") -> None:
        super().__init__(why)
        self.said = said


class CutOff(Exception):
    """The notifier ends, and has ended the try."""

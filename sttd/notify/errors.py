"""Why a try to deliver a notice did not succeed."""

from __future__ import annotations


class NotTold(Exception):
    """A try failed; the message says why. It holds no address, no secret and no name, because it is stored and logged.

    Args:
        why: the reason.
        said: what a command printed, for the log alone.
    """

    def __init__(self, why: str, said: str = "") -> None:
        super().__init__(why)
        self.said = said


class CutOff(Exception):
    """The notifier is to end, and has ended the try."""

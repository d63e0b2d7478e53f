"""Is the inbox there, and is it the folder it was? Asked before every look."""

from __future__ import annotations

import enum
from pathlib import Path

from loguru import logger

from sttd.errors import AlreadyRunning, NotConfigured
from sttd.inbox.lock import Claim


class Standing(enum.Enum):
    HOME = "the folder that it was"
    STRANGE = "another folder: its files are found, but what is missing in it is not gone"
    AWAY = "it cannot be looked at"


class Place:
    """Follows the folder at `root` through unmounting, mounting and replacing.

    Args:
        root: the inbox.
        mark: of the inbox as it is remembered from an earlier run; None: whatever is there is right.
    """

    def __init__(self, root: Path, mark: str | None) -> None:
        self.root = root
        self.mark = mark  # of the folder that the known files are in
        self.reason: str | None = None  # why it is not at home, in words
        self.renewed = False  # the folder was taken hold of anew at the latest `look`
        self._claim: Claim | None = None
        self._replaced_for_good = False  # the folder that it was is deleted

    def claim(self) -> None:
        """Take hold of the folder.

        Raises:
            AlreadyRunning: another sttd holds it.
            NotConfigured: it cannot be used; the message says what to do.
        """
        self._claim = Claim(self.root)
        if self.mark is None:
            self.mark = self._claim.mark

    def look(self) -> Standing:
        """How it stands now."""
        self.renewed = False
        try:
            if self._claim is None or not self._claim.is_intact():
                self._renew()
        except (AlreadyRunning, NotConfigured) as error:
            self.reason = str(error)
            return Standing.AWAY
        except OSError as error:
            self.reason = f"{self.root} cannot be looked at: {error.strerror}"
            return Standing.AWAY
        if self._claim is not None and self._claim.mark == self.mark:
            self.reason = None
            return Standing.HOME
        self.reason = (
            f"{self.root} is not the folder that it was (unmounted, replaced, or its .sttd.lock is gone): mount it "
            "again, or cancel the jobs that wait for its files"
        )
        return Standing.STRANGE

    def is_home(self) -> bool:
        """Whether it is there, unchanged since `look`, and the folder that it was."""
        try:
            return self._claim is not None and self._claim.mark == self.mark and self._claim.is_intact()
        except OSError:
            return False

    def adopt(self, *, used: bool, missing: bool) -> None:
        """After a whole walk through a strange folder: take it for the inbox where nothing can be lost by that.

        Args:
            used: there are files in it, so somebody takes it for the inbox.
            missing: known files are not in it.
        """
        if self._claim is not None and not missing and (used or self._replaced_for_good):
            logger.warning(
                "the inbox {} was replaced; no known file is missing in it, so it is the inbox now", self.root
            )
            self.mark = self._claim.mark

    def release(self) -> None:
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def _renew(self) -> None:
        if self._claim is not None:
            if self._claim.mark == self.mark:
                self._replaced_for_good = self._claim.is_deleted()
            self.release()
        self.claim()
        self.renewed = True

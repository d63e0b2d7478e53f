"""Is the inbox there, and is it the folder it was? Asked before every look."""

from __future__ import annotations

import enum
from pathlib import Path

from loguru import logger

from sttd.errors import AlreadyRunning, NotConfigured, SttdError
from sttd.fs import moves
from sttd.host import sandbox
from sttd.inbox.lock import Claim, ClaimState, FolderIdentity, passes
from sttd.own import LOCK


class Standing(enum.Enum):
    HOME = "the folder that it was"
    STRANGE = "another folder: its files are found, but what is missing in it is not gone"
    AWAY = "it cannot be looked at"


class Place:
    """Follows the folder at `root` through unmounting, mounting and replacing.

    Args:
        root: the inbox.
        before: the inbox of an earlier run. Where that had another path, whatever is at `root` now is the inbox.
        waiting: jobs wait for files of the earlier run's inbox; if none does, any folder is accepted.
        setting: the setting that names the folder, for messages.
        makes: make the folder if it is missing at the first start.
    """

    def __init__(
        self,
        root: Path,
        before: FolderIdentity | None = None,
        *,
        waiting: bool = False,
        setting: str = "paths.inbox",
        makes: bool = True,
    ) -> None:
        self.root = root
        self.mark: str | None = None  # of the folder that the known files are in
        self.reason: str | None = None  # why it is not at home, in words
        self.renewed = False  # the folder was taken hold of anew at the latest `look`
        self._before = before
        self._waiting = waiting
        self._setting = setting
        self._makes = makes
        self._claim: Claim | None = None
        self._replaced_for_good = False  # the folder that it was is deleted
        self._marked_again = False

    @property
    def folder(self) -> FolderIdentity | None:
        """What it is known by in a later run; None before it was ever held."""
        return None if self._claim is None else self._claim.folder

    def take(self) -> SttdError | None:
        """Take hold of the folder at the start.

        Returns:
            The error, if waiting does not help; None: the folder is held, or `look` tries again.
        """
        try:
            if self._makes:
                moves.make_folder(str(self.root))
            elif self._is_known:
                self.root.stat()
            self._hold()
        except (AlreadyRunning, NotConfigured) as error:
            return error
        except OSError as error:
            self.reason = _not_looked_at(self.root, error)
            if not self._is_known and not passes(error):
                remedy = "create it, give it to the user that sttd runs as, or set another folder"
                closed = sandbox.closed(str(self.root))
                where = "[paths] inbox" if self._setting == "paths.inbox" else self._setting
                return NotConfigured(f"{where}: {self.root} cannot be created ({error.strerror}): {closed or remedy}")
        return None

    def look(self) -> Standing:
        """How it stands now."""
        self.renewed = False
        try:
            state = ClaimState.OTHER if self._claim is None else self._claim.state()
            if state is ClaimState.OTHER:
                self._renew()
            elif state is ClaimState.UNMARKED and self._claim is not None:
                self._claim.mark_again()
                self._say_marked()
        except (AlreadyRunning, NotConfigured) as error:
            self.reason = str(error)
            return Standing.AWAY
        except OSError as error:
            self.reason = _not_looked_at(self.root, error)
            return Standing.AWAY
        if self._claim is not None and self._claim.mark == self.mark:
            self.reason = None
            return Standing.HOME
        self.reason = f"{self.root} is not the folder that it was (unmounted, or replaced)"
        return Standing.STRANGE

    def is_home(self) -> bool:
        """Whether it is there, unchanged since `look`, and the folder that it was."""
        try:
            return (
                self._claim is not None
                and self._claim.mark == self.mark
                and self._claim.state() is not ClaimState.OTHER
            )
        except OSError:
            return False

    @property
    def is_replaced(self) -> bool:
        """Whether the folder that it was can never come back."""
        return self._replaced_for_good

    def adopt(self) -> None:
        """Accept the folder that is held as the inbox, though it is a strange one."""
        if self._claim is not None:
            logger.warning("the inbox {} was replaced; no job waits for a file that is missing in it", self.root)
            self.mark = self._claim.mark

    def release(self) -> None:
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    @property
    def _is_known(self) -> bool:
        """Whether this path was the inbox of an earlier run: if it is missing now, it is away, and not mistyped."""
        return self._before is not None and self._before.path == str(self.root)

    def _hold(self) -> None:
        """Raises AlreadyRunning, NotConfigured, OSError: see `Claim`."""
        self._claim = Claim(self.root, self._before if self._is_known else None, self._setting)
        if self.mark is None:
            is_bound = self._before is not None and self._is_known and self._waiting
            self.mark = self._before.mark if self._before is not None and is_bound else self._claim.mark

    def _renew(self) -> None:
        if self._claim is not None:
            if self._claim.mark == self.mark:
                self._replaced_for_good = self._claim.is_deleted()
            self.release()
        self._hold()
        self.renewed = True

    def _say_marked(self) -> None:
        if not self._marked_again:
            self._marked_again = True
            logger.warning(
                "somebody removed {} from the inbox {} (a mirror, such as rsync --delete?); it is the same folder, "
                "and the file is written again, now and each time: exclude {} from the mirror",
                LOCK,
                self.root,
                LOCK,
            )


def _not_looked_at(root: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{root} is missing: mount it, or create it"
    return f"{root} cannot be looked at: {error.strerror}"

"""The index that `sttd search` reads: the page's if a web process keeps it up to date, else one of the person's own.

Only the web process may read the page's folder (0700). So a person's index lies in their cache, and each search updates it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sttd.errors import AlreadyRunning
from sttd.fs.lock import is_held
from sttd.ledger.names import LEDGER
from sttd.search import INDEX, Coverage, Follower, IndexTrouble, Search, lock_of
from sttd.web.files import folders
from sttd.web.site import folder_of

if TYPE_CHECKING:
    from sttd.config import Config

_MODE = 0o700  # of the folder: the text of every recording is in it (XDG Base Directory Specification)
_OLD = 90 * 86400.0  # seconds after which an index that nobody has searched is removed

Tell = Callable[[Coverage], None]


class Indexed:
    """An index to search. Call `close` when its answers are shown.

    Args:
        config: whose results are searched.
        tell: gets the progress, while many results are read.

    Raises:
        LedgerError, NotAllowed: the ledger cannot be read.
        IndexTrouble: the index cannot be made.
    """

    def __init__(self, config: Config, tell: Tell) -> None:
        self._follower: Follower | None = None
        page = folder_of(config) / INDEX
        self.is_followed = _is_followed(page)  # by a web process, which may be some seconds behind
        self.path = page if self.is_followed or _is_ours(page) else _own(config)
        if self.is_followed:
            return
        with contextlib.suppress(AlreadyRunning):  # another search is updating it
            ledger, results = config.paths.state / LEDGER, config.paths.transcripts
            self._follower = Follower(self.path, ledger, folders(config), results)
        if self._follower is not None:
            os.utime(lock_of(self.path))
            self._follower.catch_up(tell)

    def search(self) -> Search:
        return Search(self.path, lambda: None if self._follower is None else self._follower.ask_to_remake())

    def close(self) -> None:
        """If texts were removed, do some of the merge that removes their words from the file: nobody waits for an answer now."""
        if self._follower is not None:
            self._follower.tidy()
            self._follower.close()


def _is_followed(page: Path) -> bool:
    """Whether a web process keeps this index up to date, and this person may read it."""
    try:
        return os.access(page, os.R_OK) and is_held(lock_of(page))
    except OSError:
        return False


def _is_ours(page: Path) -> bool:
    """Whether a web process has run here for this very user: one index is enough then."""
    try:
        return page.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _own(config: Config, environ: Mapping[str, str] = os.environ) -> Path:
    """The person's own: one for each state folder. Raises IndexTrouble: there is no place for it."""
    remedy = "name a folder of yours with XDG_CACHE_HOME"
    try:
        cache = Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sttd"
    except RuntimeError:  # a user without a name, in a container
        raise IndexTrouble(f"you have no home folder that could hold the search index: {remedy}") from None
    digest = hashlib.sha256(os.fsencode(config.paths.state.absolute())).hexdigest()[:16]
    try:
        cache.mkdir(mode=_MODE, parents=True, exist_ok=True)
        _remove_old(cache)
    except OSError as error:
        raise IndexTrouble(f"{cache} cannot hold the search index: {error.strerror}: {remedy}") from None
    return cache / f"{digest}-{INDEX}"


def _remove_old(cache: Path) -> None:
    """Remove indexes that nobody searches any more: the text of recordings is not to lie about."""
    for path in cache.glob(f"*-{INDEX}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - lock_of(path).stat().st_mtime > _OLD and not is_held(lock_of(path)):
                for each in path.parent.glob(f"{path.name}*"):
                    each.unlink(missing_ok=True)

"""What every route needs: the configuration, the ledger, and a folder of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttd.view import access

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Site:
    """Made once, shared by all threads.

    The ledger and the file system may block. So an endpoint that uses them is a plain `def`, which Starlette runs in a
    thread; code in an `async def` calls them by `starlette.concurrency.run_in_threadpool`.
    """

    config: Config
    token: str = field(repr=False)
    folder: Path  # the web process's own state, mode 0700: token, search index. Nothing in it is lost for good

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger, to be read: opened for one request, in the thread that uses it.

        Raises:
            LedgerError: there is none yet, or it cannot be read. The application answers 503.
            access.NotAllowed: this user may not read it. The application answers 503.
        """
        with access.reading(self.config) as ledger:
            yield ledger

    def status(self) -> dict[str, Any]:
        """What `sttd status --json` prints, see `view.figures.status`. Zeros and nulls where no daemon has ever run."""
        return access.status(self.config)


def folder_of(config: Config) -> Path:
    """Where the web process keeps its state: `web.state`, or `/var/lib/sttd-web` beside `/var/lib/sttd`."""
    state = config.paths.state
    return config.web.state if config.web.state != Path() else state.with_name(f"{state.name}-web")


def make_folder(folder: Path) -> None:
    """Its user's alone: the token is in it, and the text of all transcripts. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)

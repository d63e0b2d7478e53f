"""Opening the ledger, in whatever state it is: one that is damaged or gone is made anew, and that is logged."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from loguru import logger

from sttd.config import Config
from sttd.errors import LedgerCorrupt
from sttd.fs.regular import is_regular
from sttd.host.sd_notify import Notifier
from sttd.job import State
from sttd.ledger import LEDGER, WORK, Ledger
from sttd.ledger.manifest.rebuild import is_lost, rebuild, set_aside
from sttd.ledger.names import MANIFEST
from sttd.text import printable


def open_ledger(config: Config, notifier: Notifier, damage: LedgerCorrupt | None = None) -> Ledger:
    """The ledger of `config.paths.state`.

    Args:
        config: names the state folder.
        notifier: tells systemd that making it anew takes a while.
        damage: what was met after an earlier opening: the ledger is set aside even if it looks whole.

    Raises:
        LedgerError, OSError: it cannot be opened or made.
    """
    path, work = config.paths.state / LEDGER, config.paths.state / WORK
    _clear(path.with_name(MANIFEST))
    if damage is None and not is_lost(path, work):
        try:
            return Ledger.open(path)
        except LedgerCorrupt as error:
            damage = error
    if damage is None:
        logger.critical("the ledger {} is gone, though there are traces of jobs: it is made anew", path)
    elif path.exists():
        logger.critical("{}; it is set aside as {}", printable(str(damage)), set_aside(path, time.time()).name)

    def alive() -> None:
        notifier.extend_timeout(60)
        notifier.watchdog()

    notifier.status("the ledger is made anew")
    rebuilt = rebuild(path, work, alive)
    counts = ", ".join(f"{rebuilt.counts.get(state, 0)} {state}" for state in State if state in rebuilt.counts)
    words = "the ledger is made anew from the manifest and the checkpoints: {}; what waits in the inbox is found again"
    logger.warning(words, counts or "no jobs")
    if rebuilt.bad_lines:
        logger.error(
            "{} lines of the manifest were no good: the jobs that they tell of are not known", rebuilt.bad_lines
        )
    return Ledger.open(path)


def _clear(manifest: Path) -> None:
    """Set aside a manifest that is no regular file: a link, say, from when the group could still write to the state folder."""
    with contextlib.suppress(FileNotFoundError):
        if not is_regular(manifest):
            aside = set_aside(manifest, time.time())
            logger.error("{} is not a regular file, and is set aside as {}", manifest, aside.name)

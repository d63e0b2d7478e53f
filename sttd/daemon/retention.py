"""Thins archive/, failed/ and the ledger, off the loop and now and then, and never what a job still needs."""

from __future__ import annotations

import os

from loguru import logger

from sttd.config import Retention
from sttd.daemon.context import Context
from sttd.errors import SttdError
from sttd.fs import moves
from sttd.outbox import retention
from sttd.outbox.retention import Kept

INTERVAL = 600.0  # seconds
ROWS = 1000  # at most at once: the loop waits for them


def thin(context: Context) -> None:
    """Once; nothing happens where nothing is configured, and for `sttd transcribe`, whose folders go away anyway."""
    if context.inbox is None or context.config.retention == Retention():
        return
    _forget_jobs(context)
    limits, paths = context.config.retention, context.config.paths
    _thin_folder(context, str(paths.archive), limits.archive_age, limits.archive_size)
    _thin_folder(context, str(paths.failed), limits.failed_age, limits.failed_size)


def _forget_jobs(context: Context) -> None:
    age = context.config.retention.ledger_age
    if age == float("inf"):
        return
    forgotten = context.ledger.forget(context.utc() - age, ROWS)
    if not forgotten:
        return
    logger.info("{} forgotten: ended longer ago than retention.ledger_age", counted(len(forgotten), "job"))
    work = context.config.paths.state / "work"

    def remove() -> None:
        for number in forgotten:  # a checkpoint that nobody will resume from
            moves.remove_tree(os.path.join(work, str(number)))  # noqa: PTH118 - as the outbox takes it

    context.errands.post(remove, lambda _: None, _trouble)


def _thin_folder(context: Context, folder: str, age: float, size: float) -> None:
    if age == size == float("inf"):
        return

    def then(found: list[Kept]) -> None:
        chosen = retention.surplus(found, context.utc(), age, size, context.ledger.needed_sources())
        if chosen:
            # first of all nobody may ask for them any more
            context.ledger.sources_removed({file.path for file in chosen})
            context.errands.post(lambda: retention.remove(chosen), _tell, _trouble)

    def _tell(removed: list[Kept]) -> None:
        figure = sum(file.size for file in removed) / 2**20
        logger.info(
            "{} removed from {}, as [retention] says: {:.1f} MiB", counted(len(removed), "file"), folder, figure
        )

    context.errands.post(lambda: retention.walk(folder), then, _trouble)


def counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _trouble(error: OSError | SttdError) -> None:
    logger.warning("what is old cannot be removed: {}; it is tried again", error)

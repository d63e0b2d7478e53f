"""Options by folder: read when a recording's turn comes, kept with its job from its first attempt on.

Anybody who drops files may write a `.sttd.toml`, even a bad one. Then the recordings below it wait, and their rows have the
reason; all others go on. The file is read again every `pool.machine_wait`, and once it is good they have their turn. What
was read is kept for a moment, because the recordings of a folder mostly have their turns one after the other.

The looks are made on a thread of their own: the inbox may lie on a share that hangs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

from loguru import logger

from sttd import inboxes
from sttd.config import Config
from sttd.configfile import folder_options
from sttd.daemon.context import Context
from sttd.daemon.folder_looks import PAUSE, FolderLook
from sttd.errors import ConfigError, SttdError
from sttd.host.events import Kind, say
from sttd.hub import cache
from sttd.inbox import options
from sttd.inbox.options import File
from sttd.job import FolderOptions, Job
from sttd.part import Cause
from sttd.text import printable

NAMED = 20  # folders with bad options that log and status name at a time: anybody can make more
TROUBLE = "folder options"
TROUBLES = "options: "  # prefix of the names of troubles with one folder
# the keys that may ask for something that a model does not know
_OF_A_MODEL = frozenset({"model.name", "transcribe.language", "transcribe.languages", "transcribe.task"})


def bind(context: Context, job: Job) -> Job | None:
    """The job with the options of its folder. Called when its turn has come.

    Returns:
        None: the job does not start now, because the options are being read, or are bad.
    """
    if context.inbox is None or job.options_key is not None:
        return job
    folder = folder_of(job.source)
    known = context.recordings.folders.at_turn(folder, context.clock())
    if known is None:
        _look(context, folder)
        known = context.recordings.folders.at_turn(folder, context.clock())
    if known is None:
        return None
    if known.refused:
        _hold(context, folder, known.refused)
        return None
    if known.options is None or known.options == job.folder_options:
        return job
    return context.ledger.update(job, folder_options=known.options)


def arrived(context: Context, sources: Iterable[str]) -> None:
    """Files have settled. Options may have come with them, so those are read again before the next turn."""
    context.recordings.folders.doubt({folder_of(source) for source in sources})


def is_to_blame(job: Job, cause: Cause) -> bool:
    """Whether the options of the job's folder may be why its attempt ended: then no other job is held up."""
    keys = job.folder_options.values.keys()
    return (cause is Cause.NO_MODEL and "model.name" in keys) or (
        cause is Cause.CONFIGURATION and not keys.isdisjoint(_OF_A_MODEL)
    )


def blame(context: Context, job: Job, error: str | None) -> None:
    """A worker could not do what the folder asks for: its recordings wait until the options change."""
    found, folder = job.folder_options, folder_of(job.source)
    context.recordings.folders.blame(folder, found, f"{found.files[-1]}: {error}")


def step(context: Context) -> None:
    """Read options again where recordings wait, and release recordings that need not wait any more. Called once a second."""
    folders, now = context.recordings.folders, context.clock()
    if context.stopping:
        return
    for folder, known in list(folders.known.items()):
        if known.refused and now - known.at >= (PAUSE if known.young else context.config.pool.machine_wait):
            if context.ledger.holds_folder(folder):
                _look(context, folder)
            else:
                del folders.known[folder]
                _over(context, folder)
    for folder in list(folders.releasing):
        if context.ledger.release_folder(folder):
            folders.releasing.discard(folder)


def _look(context: Context, folder: str) -> None:
    folders, config = context.recordings.folders, context.config.of(folder)
    inbox, below = inboxes.split(folder)
    if inbox not in context.work.looks or not folders.may_look(folder, context.clock()):
        return
    folders.looking.add(folder)
    before, now = folders.known.get(folder), context.utc()

    def then(found: FolderLook) -> None:
        folders.looking.discard(folder)
        context.troubles.end(TROUBLE)
        found.at = context.clock()
        if folder in folders.again:
            folders.again.discard(folder)
            found.used, found.at = True, -float("inf")
        _note(context, folder, found)

    def failed(error: OSError | SttdError) -> None:
        folders.looking.discard(folder)
        folders.failed_at[inbox] = context.clock()
        if isinstance(error, FileNotFoundError) and context.inbox is not None:
            context.inbox.kick()  # it finds out whether the inbox is away, or writes its mark again
            return
        text = f"the options of folders cannot be looked at: {printable(str(error))}"
        if context.troubles.begin(TROUBLE, text):
            say(Kind.REMARK, f"{text}; what waits to start goes on waiting", error=str(error))

    name = f"looks for options of the folder {printable(folder)}" if below else "looks for options of the inbox"
    context.work.looks[inbox].post(name, lambda: look(config, folder, before, now), then, failed)


def _note(context: Context, folder: str, found: FolderLook) -> None:
    folders, before = context.recordings.folders, context.recordings.folders.known.get(folder)
    blamed = folders.blamed.get(folder)
    if blamed is not None and found.options is not None:
        if blamed[0] == found.options:
            found.refused = blamed[1]
        elif not found.young:
            del folders.blamed[folder]
    if before is not None and before.refused and found.young:
        found.refused = before.refused
    folders.note(folder, found)
    if before is not None and before.refused and found.refused != before.refused:
        folders.releasing.add(folder)
    if not found.refused:
        _over(context, folder)


def _hold(context: Context, folder: str, why: str) -> None:
    config = context.config
    until = context.utc() + max(config.pool.machine_wait, config.watch.patience)
    context.ledger.hold_folder(folder, until, why)
    said = context.recordings.folders.said
    if said.get(folder) == why or (folder not in said and len(said) >= NAMED):
        return
    said[folder] = why
    inbox, below = inboxes.split(folder)
    where = f"in {printable(folder)}" if below else f"in the inbox {printable(inbox)} itself".replace("  ", " ")
    text = f"{printable(why)}; recordings {where} wait until that is put right"
    context.troubles.drop(_trouble(folder))
    context.troubles.begin(_trouble(folder), text)
    say(Kind.OPTIONS_REFUSED, text, error=why)


def _over(context: Context, folder: str) -> None:
    if context.recordings.folders.said.pop(folder, None) is not None:
        context.troubles.end(_trouble(folder))


def _trouble(folder: str) -> str:
    return f"{TROUBLES}{folder}"


def look(config: Config, folder: str, before: FolderLook | None, now: float) -> FolderLook:
    """What the files above a folder set. Off the loop.

    Args:
        config: for the recordings of its inbox.
        folder: as `folder_of` names it.
        before: what the look before this one found.
        now: UTC seconds.

    Raises:
        OSError: the inbox cannot be looked at.
    """
    try:
        inbox, below = inboxes.split(folder)
        found = options.above(
            config.paths.inbox, below, folder_options.NAME, folder_options.LARGEST, inboxes.join(inbox, "")
        )
        return _checked(config, found, before, now)
    except options.Gone:
        return FolderLook()
    except options.Unfit as error:
        return FolderLook(refused=str(error))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - anybody writes these files: none may end the daemon, or fail without a reason
        logger.exception("a fault in sttd, met with the options of {}", printable(folder))
        return FolderLook(refused=f"the options of {folder}: a fault in sttd ({error!r}): the log has its trace")


def _checked(config: Config, found: tuple[File, ...], before: FolderLook | None, now: float) -> FolderLook:
    content = hash(tuple((file.path, file.data) for file in found))
    age = now - max((file.changed_at for file in found), default=-math.inf)
    if before is not None and before.content == content:
        known = FolderLook(before.options, before.mistakes, content)
    else:
        known = FolderLook(*_read(found), content, young=abs(age) < config.watch.settle_closed)
    known.refused = known.mistakes
    if known.options:
        try:
            folder_options.check(config, known.options.values, known.options.files[-1])
            _require_model(config, known.options)
        except ConfigError as error:
            known.refused = "; ".join(error.problems)
    return known


def _read(found: tuple[File, ...]) -> tuple[FolderOptions, str]:
    """What the files set, where the nearest one overrides those above it; and their mistakes."""
    values: dict[str, Any] = {}
    paths: list[str] = []
    try:
        for file in found:
            chosen = folder_options.read(file.data, file.path)
            values |= chosen
            paths += [file.path] if chosen else []
    except ConfigError as error:
        return FolderOptions(), "; ".join(error.problems)
    return FolderOptions(tuple(paths), values), ""


def _require_model(config: Config, chosen: FolderOptions) -> None:
    """Raises ConfigError where a model of the folder's own is not on this machine."""
    name = chosen.values.get("model.name", config.model.name)
    reason = "" if name == config.model.name else cache.why_missing(name, cache.cache(os.environ))
    if reason:
        raise ConfigError([f"{chosen.files[-1]}: [model] name: {reason}"])


def folder_of(source: str) -> str:
    """The folder of a recording: its inbox and the path below it, joined as in `Job.source`."""
    inbox, path = inboxes.split(source)
    return inboxes.join(inbox, path.rpartition("/")[0])

"""A changed configuration is taken over while the daemon runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from loguru import logger

from sttd.config import Config, Watched
from sttd.daemon.context import Context
from sttd.daemon.ending import release
from sttd.errors import ConfigError
from sttd.host import log
from sttd.host.events import Kind, say

NEED_RESTART = ("paths", "watch")  # sections that locks, watches and jobs are bound to


def reload(context: Context, load_config: Callable[[], Config]) -> None:
    """Take over a changed configuration, or keep the old one where the new one is bad."""
    old = context.config
    try:
        new = load_config()
    except ConfigError as error:
        text = f"the configuration is not changed, because the new one is bad: {error}"
        say(Kind.CONFIG_REFUSED, text, error=str(error))
    else:
        _take_over(context, old, new)


def _bound(config: Config) -> list[object]:
    """What of its tables cannot change while the daemon runs."""
    return [(each.name, each.inbox, each.values.get("watch", {})) for each in config.watched]


def _watched(old: Config, new: Config) -> tuple[Watched, ...]:
    """The inboxes that the daemon began with, watched as they were; all else is as it is now."""
    now = {each.name: each for each in new.watched}
    kept = []
    for was in old.watched:
        values = {**now.get(was.name, was).values, "watch": was.values.get("watch", {})}
        kept.append(dataclasses.replace(was, values=values))
    return tuple(kept)


def _take_over(context: Context, old: Config, new: Config) -> None:
    """What can change while the daemon runs does; the rest is named."""
    for section in NEED_RESTART:
        before, after = getattr(old, section), getattr(new, section)
        names = [
            each.name for each in dataclasses.fields(before) if getattr(before, each.name) != getattr(after, each.name)
        ]
        if names:
            logger.warning("[{}] {} has changed: it takes effect after a restart", section, ", ".join(names))
    if _bound(old) != _bound(new):
        logger.warning("[[watch]] tables have changed: inboxes and how they are watched take effect after a restart")
    kept = {name: getattr(old, name) for name in NEED_RESTART}
    config = dataclasses.replace(new, **kept, watched=_watched(old, new))
    context.config, context.judging.configured = config, context.clock()
    context.pool.configure(config)
    if context.inbox is not None:
        context.inbox.configure(config)
    release(context)
    if config.log != old.log:
        log.setup(config.log.level)
    say(Kind.CONFIG_LOADED, "configuration loaded again")

"""A changed configuration is taken over while the daemon runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from loguru import logger

from sttd.config import Config, Paths, Watched
from sttd.daemon.context import Context
from sttd.daemon.ending import release
from sttd.errors import ConfigError
from sttd.host import log
from sttd.host.events import Kind, say

NEED_RESTART = {  # by section: what locks, watches and jobs are bound to
    "paths": tuple(each.name for each in dataclasses.fields(Paths)),
    "watch": ("polling", "suffixes"),
}


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
    """What of the [[watch]] tables cannot change while the daemon runs."""
    return [(each.name, each.inbox, _watch(each, bound=True)) for each in config.watched]


def _watch(table: Watched, *, bound: bool) -> dict[str, Any]:
    """The `watch` keys of a table: those whose change needs a restart (`bound`), or those whose change does not."""
    keys = table.values.get("watch", {})
    return {name: value for name, value in keys.items() if (name in NEED_RESTART["watch"]) is bound}


def _watched(old: Config, new: Config) -> tuple[Watched, ...]:
    """The tables in force: the inboxes that the daemon began with, and what else needs a restart; the rest is new."""
    now = {each.name: each for each in new.watched}
    kept = []
    for was in old.watched:
        table = now.get(was.name, was)
        watch = _watch(table, bound=False) | _watch(was, bound=True)
        kept.append(dataclasses.replace(was, values={**table.values, "watch": watch}))
    return tuple(kept)


def _take_over(context: Context, old: Config, new: Config) -> None:
    """Take over what can change while the daemon runs, and log what cannot."""
    kept: dict[str, Any] = {}
    for section, bound in NEED_RESTART.items():
        before, after = getattr(old, section), getattr(new, section)
        names = [name for name in bound if getattr(before, name) != getattr(after, name)]
        if names:
            logger.warning("[{}] {} has changed: it takes effect after a restart", section, ", ".join(names))
        kept[section] = dataclasses.replace(after, **{name: getattr(before, name) for name in bound})
    if _bound(old) != _bound(new):
        logger.warning("[[watch]] tables have changed: their inboxes, polling and suffixes take effect after a restart")
    config = dataclasses.replace(new, **kept, watched=_watched(old, new))
    context.config, context.judging.configured = config, context.clock()
    context.pool.configure(config)
    if context.inbox is not None:
        context.inbox.configure(config)
    release(context)
    if config.log != old.log:
        log.setup(config.log.level)
    say(Kind.CONFIG_LOADED, "configuration loaded again")

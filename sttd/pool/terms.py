"""What workers elsewhere were hired by: where that has changed, others are hired in their place."""

from __future__ import annotations

import dataclasses

from sttd.config import Config, Remote, ray


def changed(old: Config, new: Config) -> set[str]:
    """The nodes. How many workers one has is another matter: those that are too many leave, the others stay warm."""
    names = {remote.name for remote in _remotes(old) ^ _remotes(new)}
    if dataclasses.replace(old.ray, slots=0) != dataclasses.replace(new.ray, slots=0):
        names.add(ray.NAME)
    return names


def _remotes(config: Config) -> set[Remote]:
    return {dataclasses.replace(remote, slots=1) for remote in config.remotes}

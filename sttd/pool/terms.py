"""The terms by which workers on other machines were hired. If they change, new workers replace the old ones."""

from __future__ import annotations

import dataclasses

from sttd.config import Config, Remote, ray


def changed(old: Config, new: Config) -> set[str]:
    """The nodes whose terms have changed. The number of workers is no term: surplus ones leave, the others stay warm."""
    names = {remote.name for remote in _remotes(old) ^ _remotes(new)}
    if dataclasses.replace(old.ray, slots=0) != dataclasses.replace(new.ray, slots=0):
        names.add(ray.NAME)
    return names


def _remotes(config: Config) -> set[Remote]:
    return {dataclasses.replace(remote, slots=1) for remote in config.remotes}

"""Pulls several models, one after the other, as the owner of the cache, and shows what huggingface_hub logs meanwhile."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import huggingface_hub

from sttd.hub.owner import become_owner
from sttd.hub.pull import Pulled, Show, pull
from sttd.hub.remote import Hub


class _Remarks(logging.Handler):
    """Shows the warnings of huggingface_hub: it logs each interruption that it overcomes."""

    def __init__(self, show: Show) -> None:
        super().__init__(logging.WARNING)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show.note(record.getMessage())


def pull_all(wanted: Mapping[str, str], place: Path, show: Show) -> Iterator[tuple[str, Pulled]]:
    """Download the models `wanted` (name and repository of each) into the cache at `place`; yields each when it is complete.

    Raises: see `pull` and `become_owner`.
    """
    log = logging.getLogger("huggingface_hub")
    log.handlers, log.propagate = [_Remarks(show)], False
    hub = Hub()
    become_owner(place, (os.__file__, huggingface_hub.__file__))
    for name, repository in wanted.items():
        yield name, pull(name, repository, place, hub, show)

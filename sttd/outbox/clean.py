"""At the start: what an earlier daemon left unfinished and nobody will finish is put right."""

from __future__ import annotations

import os
from collections.abc import Collection

from sttd.config import Config
from sttd.outbox import files
from sttd.outbox.stage import STAGING


def clean(config: Config, live: Collection[int]) -> None:
    """Remove staging folders of jobs that are not in `live`; those are finished by their plan."""
    staging = os.path.join(config.paths.transcripts, STAGING)
    if not os.path.isdir(staging):
        return
    for name in os.listdir(staging):
        if not name.isdigit() or int(name) not in live:
            files.remove_tree(os.path.join(staging, name))

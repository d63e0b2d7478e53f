"""What a member of the group may put in the place of a file of ours, or of the folder that it lies in, to have another one read."""

from __future__ import annotations

import os
from pathlib import Path


def link(path: Path, elsewhere: Path) -> None:
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def linked_folder(path: Path, elsewhere: Path) -> None:
    link(path.parent, elsewhere)


def fifo(path: Path, elsewhere: Path) -> None:
    path.rename(elsewhere)
    os.mkfifo(path)


def fifo_for_a_folder(path: Path, elsewhere: Path) -> None:
    fifo(path.parent, elsewhere)


SWAPS = (link, linked_folder, fifo, fifo_for_a_folder)

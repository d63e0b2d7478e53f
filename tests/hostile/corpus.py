"""The corpus: each file with what must become of it. `python -m tests.hostile.corpus FOLDER` makes the files.

Four tables: names, kinds of things that are no plain file, contents that are no recording, recordings out of the way.
"""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MAX_AUDIO = 120.0  # seconds: what limits.max_audio is when the corpus is run
MAX_GAP = 20.0  # seconds: limits.max_gap


class Fate(enum.Enum):
    """What must become of a file."""

    DONE = "a transcript; says: the sample that is heard, '' for silence, '*' for whatever it may be"
    FAILED = "failed/; says: words of the reason"
    LEFT = "left in the inbox, and counted; says: under what, '' for not even counted"


@dataclass(frozen=True)
class Case:
    path: bytes  # below the inbox
    make: Callable[[], bytes] | Callable[[bytes, Path], None]
    fate: Fate
    says: str
    warns: str = ""  # words of a warning that a result must have
    special: bool = False  # `make` is called with the path and with a folder outside the inbox

    @property
    def name(self) -> str:
        return os.fsdecode(self.path)


def cases() -> list[Case]:
    from tests.hostile import broken, kinds, names, shapes

    return [*names.CASES, *kinds.cases(), *broken.CASES, *shapes.CASES]


def make(inbox: Path, outside: Path) -> list[Case]:
    """Put the whole corpus into `inbox`; `outside` is where links and playlists lead, and nothing may be opened."""
    outside.mkdir(parents=True, exist_ok=True)
    made = cases()
    for case in made:
        path = os.path.join(os.fsencode(inbox), case.path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if case.special:
            case.make(path, outside)  # type: ignore[call-arg]
        else:
            with open(path, "xb") as file:
                file.write(case.make())  # type: ignore[call-arg, arg-type]
    return made


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(f"{len(make(folder / 'inbox', folder / 'outside'))} files")

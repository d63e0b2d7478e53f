"""Opens a file that a row of the ledger names: only below a configured folder, and through no symbolic link.

A row says where a recording or a result was put. Whoever may write there may have replaced it since: by a link to somebody
else's file, a FIFO that waits for a writer, a folder of links. So the path is walked name by name (fs/folder.py), and only a
regular file is opened.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from sttd.fs.folder import Folder, split

_OUTSIDE = "it lies outside of sttd's folders"


def open_below(paths: Iterable[str], roots: Sequence[Path]) -> tuple[int, str]:
    """Open the first of `paths` that is a regular file below one of `roots`, to read from; returns its handle and name.

    Args:
        paths: where the file may lie, the likeliest place first.
        roots: configured folders. Links on the way to these are followed: the administrator made them.

    Raises:
        FileNotFoundError: there is none.
        OSError: there may be one, and it cannot be read now.
    """
    first, refused = "", None
    for path in paths:
        first = first or path
        for root in roots:
            components = split(os.fspath(root), path)
            if components is None:
                continue
            try:
                with Folder.open(root) as held, held.below(components[:-1]) as folder:
                    return folder.open_file(components[-1]), components[-1]
            except OSError as error:
                refused = error if first == path else refused
    raise refused or FileNotFoundError(errno.ENOENT, _OUTSIDE, first)

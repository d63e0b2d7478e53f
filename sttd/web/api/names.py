"""Names of files that come over HTTP: which of them the inbox takes, and what is said about the others. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from starlette.exceptions import HTTPException

from sttd.inbox.rules import Rules, Why
from sttd.text import printable

_REASONS = {
    Why.HIDDEN: "begins with a dot, and sttd leaves such files alone",
    Why.UNFINISHED: "is the name of an unfinished download, and sttd leaves such files alone",
}


def require(name: str, suffixes: Collection[str]) -> str:
    """The name itself, if a file of this name in the inbox is a job.

    It is taken as it is, as all names in the inbox are: letters are not composed or decomposed.

    Raises:
        HTTPException: it is none. 415 where only the suffix is wrong, else 400.
    """
    shown = printable(name)
    if not name or "/" in name:
        raise HTTPException(400, f"'{shown}' is no name of a file: it has one without a slash")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        raise HTTPException(400, f"'{shown}' holds characters that are no text")
    if "\ufffd" in name:  # what stands for bytes that are no UTF-8
        raise HTTPException(400, f"'{shown}' is not written in UTF-8")
    why = Rules(suffixes).file(name)
    if why in _REASONS:
        raise HTTPException(400, f"'{shown}' {_REASONS[why]}: send it with another name")
    if why is not None:
        known = " ".join(sorted(suffixes))
        raise HTTPException(415, f"'{shown}' has no suffix of a recording. Those of watch.suffixes are: {known}")
    return name

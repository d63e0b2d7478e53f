"""Names of results and of filed sources: never over 255 bytes, never outside their folder, never one twice."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import PurePosixPath

LONGEST = 255  # bytes; NAME_MAX of Linux's file systems
_JOINED = {"Mn", "Mc", "Me", "Cf"}  # what belongs to the character before it: marks, joiners, variation selectors


def folder_of(source: str) -> str:
    """The folder of a source below the inbox; "" for none. What would lead out of it is dropped."""
    parts = [part for part in PurePosixPath(source).parent.parts if part not in ("/", "..", ".")]
    return "/".join(parts)


def result_name(source: str, language: str, suffix: str, number: int = 1) -> str:
    """`<stem>.<language>.<suffix>`, as players look for it; the second of its name has ` (2)` after the stem."""
    stem = PurePosixPath(source).stem or "recording"
    return fitted(stem, f"{numbered(number)}.{language}.{suffix}")


def source_name(source: str, number: int = 1) -> str:
    """The name of a filed source; the second of its name has ` (2)` before the suffix."""
    path = PurePosixPath(source)
    return fitted(path.stem, numbered(number) + path.suffix)


def numbered(number: int) -> str:
    return f" ({number})" if number > 1 else ""


def fitted(stem: str, end: str) -> str:
    """`stem + end`, the stem cut at a character's end and marked with a hash where that would be too long."""
    whole = stem + end
    if len(os.fsencode(whole)) <= LONGEST:
        return whole
    mark = "~" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
    room = LONGEST - len(os.fsencode(mark + end))
    return cut(stem, room) + mark + end


def cut(text: str, room: int) -> str:
    """As much of `text` as fits into `room` bytes, whole characters with their marks."""
    size, kept, last = 0, 0, 0
    for index, char in enumerate(text):
        if unicodedata.category(char) not in _JOINED and not (index and text[index - 1] == "\u200d"):
            last = kept if size > room else index
        size += len(os.fsencode(char))
        if size > room:
            return text[:last]
        kept = index + 1
    return text

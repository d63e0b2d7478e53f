"""What a recording is found or filtered by besides its text: its name, its languages, its folders. Pure."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator

_LANGUAGE, _FOLDER = "\ue002", "\ue003"  # private-use characters: no word of a text looks like that


def name_of(source: bytes) -> str:
    """The folders and the name of a recording, without its suffix."""
    path = source.decode("utf-8", "replace")
    folders, slash, name = path.rpartition("/")
    return f"{folders}{slash}{name.rpartition('.')[0] or name}"


def facets(source: bytes, languages: Iterable[str]) -> Iterator[str]:
    """The tokens by which recordings are filtered."""
    yield from map(language_token, sorted(set(languages)))
    folders = source.split(b"/")[:-1]
    for end in range(1, len(folders) + 1):
        yield folder_token(b"/".join(folders[:end]))


def language_token(language: str) -> str:
    """The token of recordings in which this language is spoken."""
    return f"{_LANGUAGE}{language.encode().hex()}"


def folder_token(folder: bytes) -> str:
    """The token of recordings whose source lay in or below this folder of the inbox.

    A folder may be written in several ways: é as one character or as two (macOS), with blanks around a name, and a folder of an
    inbox with a name also as in the folder of results, `movies/Show` for `movies//Show`.
    """
    text = unicodedata.normalize("NFC", folder.decode("utf-8", "surrogateescape"))
    typed = "/".join(filter(None, map(str.strip, text.split("/")))).encode("utf-8", "surrogateescape")
    return f"{_FOLDER}{hashlib.blake2b(typed, digest_size=8).hexdigest()}"

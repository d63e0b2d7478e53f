"""What a request wants of its transcript. The daemon is told by a folder of the inbox that has options of its own.

    inbox/api/th/.sttd.toml                  what every recording in `th` is transcribed with
    inbox/api/th-words-3f2a9c0d/.sttd.toml   the same with times of words, and with a prompt

A file of options is written once, and then left as it is: a person may change it. What a person may put there, and what it
means, is described in configfile/folder_options.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import dataclass
from typing import TextIO

from starlette.exceptions import HTTPException

from sttd.configfile import folder_options
from sttd.configfile.languages import nearest
from sttd.configfile.written import write
from sttd.errors import ConfigError
from sttd.fs import moves
from sttd.fs.folder import Folder
from sttd.languages import language_of
from sttd.text import printable

FOLDER = "api"
FORMATS = ("txt", "srt", "vtt", "json", "tsv")  # what clients ask for: the daemon sets subtitles once, for all of them
_PROMPTED = re.compile(r".+-[0-9a-f]{8}")
_MOST_PROMPTS = 200  # folders that are kept for prompts: each request may bring another one


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a request. What it leaves open is as in the configuration."""

    language: str = ""  # Whisper's code
    translate: bool = False
    words: bool = False  # the time of each word
    prompt: str = ""

    @property
    def folder(self) -> str:
        """Requests that want the same have one folder."""
        words = [self.language or "default"]
        words += ["translate"] if self.translate else []
        words += ["words"] if self.words else []
        words += [hashlib.sha256(self.prompt.encode()).hexdigest()[:8]] if self.prompt else []
        return "-".join(words)

    @property
    def source(self) -> str:
        """The folder, as sources of jobs begin."""
        return f"{FOLDER}/{self.folder}"

    def options(self) -> str:
        """The file of options."""
        task = "translate" if self.translate else "transcribe"
        lines = ["# written by sttd web, and not changed again", "[transcribe]", f'task = "{task}"']
        lines += [f'language = "{self.language}"'] if self.language else []
        lines += ["word_timestamps = true"] if self.words else []
        lines += [f"initial_prompt = {write(self.prompt, 'str')}"] if self.prompt else []
        return "\n".join([*lines, "[output]", f"formats = {write(FORMATS, 'formats')}", ""])

    def require_good(self) -> None:
        """Raises HTTPException (400) where the daemon would not take them: a prompt that is too long."""
        try:
            folder_options.read(self.options().encode(), "the request")
        except ConfigError as error:
            raise HTTPException(400, "; ".join(error.problems)) from None


def language(text: str | None) -> str:
    """Whisper's code for the language that a request names; "" where it names none.

    Raises:
        HTTPException: 400, there is no such language.
    """
    if text is None or not text.strip():
        return ""
    code = language_of(text)
    if code is None:
        raise HTTPException(400, f"'{printable(text[:80])}' is no language that Whisper knows{nearest(text)}")
    return code


def make(inbox: Folder, asked: Asked) -> Folder:
    """The folder, with its options.

    Raises:
        OSError: it cannot be made.
    """
    with inbox.make_below([FOLDER]) as above:
        if asked.prompt and above.stat(asked.folder) is None:
            _make_room(above)
        folder = above.make(asked.folder)
    try:
        if folder.stat(folder_options.NAME) is None:
            _write(folder, asked)
    except OSError:
        folder.close()
        raise
    return folder


def _write(folder: Folder, asked: Asked) -> None:
    def write(file: TextIO) -> None:
        file.write(asked.options())

    temporary = f"{folder_options.NAME}.new"
    moves.write_whole(folder, temporary, write)
    folder.rename(temporary, folder, folder_options.NAME)
    folder.sync()


def _make_room(above: Folder) -> None:
    """Remove the oldest folders of prompts that hold no recording, where there are too many."""
    prompted = [name for name in above.names() if _PROMPTED.fullmatch(name)]
    if len(prompted) < _MOST_PROMPTS:
        return
    seen = {name: found.st_mtime_ns for name in prompted if (found := above.stat(name)) is not None}
    excess = len(prompted) - _MOST_PROMPTS + 1
    for name in sorted(seen, key=seen.__getitem__):
        if excess and _is_unused(above, name):
            above.remove_tree(name)
            excess -= 1


def _is_unused(above: Folder, name: str) -> bool:
    with contextlib.suppress(OSError), above.below([name]) as folder:
        return folder.names() == [folder_options.NAME]
    return False

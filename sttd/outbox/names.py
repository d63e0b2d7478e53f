"""Names of results, and of sources that are filed away. Pure: whether a name is free shows only when a file gets it.

Names are what `os.fsdecode` makes of their bytes: they may hold surrogates, new lines, anything but `/` and NUL.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator

from sttd.own import AWAY, OWN
from sttd.script import may_cut

LIMIT = 255  # bytes of one name: NAME_MAX of every Linux file system that matters
SHORTEST_LIMIT = 143  # bytes of one name on eCryptfs, which some NAS use to encrypt folders
_LONGEST_SUFFIX = 32  # bytes; anything longer after the last dot belongs to the stem

RECORD = ".error.json"  # appended to the name of a source in failed/
PATH_LIMIT = 4095  # bytes of a path: PATH_MAX without its final NUL

_PRIVATE = re.compile(rf"{re.escape(OWN)}-(\d+)(?:-([0-9a-f]{{16}}))?{re.escape(AWAY)}(.+)", re.DOTALL)
# Refused by NTFS, exFAT, FAT and by SMB servers; see "Naming Files, Paths, and Namespaces" in Microsoft's manual
_REFUSED = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f\udc80-\udcff]|[. ]+$')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE | re.DOTALL)
_ISO = {"jw": "jv"}  # Whisper's own code for Javanese, and the one that media servers know
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def split(source: str) -> tuple[tuple[str, ...], str]:
    """The folders and the file name under which a source and its results are filed; safe for any `source`.

    The returned path cannot lead out of the folder that it is put under: it is relative and has no `..`. Leading dots,
    which would hide a file, become underscores; a file in the inbox has none.
    """
    components = [_visible(component) for component in source.split("/") if component not in ("", ".")] or ["_"]
    return tuple(components[:-1]), components[-1]


def _visible(component: str) -> str:
    bare = component.lstrip(".")
    return "_" * (len(component) - len(bare)) + bare


def results(name: str, language: str, formats: Iterable[str], number: int) -> dict[str, str]:
    """The names of one job's results by format: `<stem>.<lang>.<ext>`, all with the same stem and number.

    Args:
        name: of the source's file, as `split` gives it.
        language: Whisper's code, written as in ISO 639; anything that is none becomes `und`.
        formats: suffixes.
        number: 1 for none; n for ` (n)` after the stem.
    """
    code = _ISO.get(language, language) if _LANGUAGE.fullmatch(language) else "und"
    tails = {each: f"{_mark(number)}.{code}.{each}" for each in formats}
    longest = max(tails.values(), key=len, default="")
    stem = cut(_stem_and_suffix(name)[0], LIMIT - len(os.fsencode(longest)))
    return {each: stem + tail for each, tail in tails.items()}


def numbered(name: str, number: int) -> str:
    """`name` for 1, else with ` (n)` before its suffix; never over 255 bytes."""
    stem, suffix = _stem_and_suffix(name)
    return fit(stem, _mark(number) + suffix)


def variants(name: str) -> re.Pattern[str]:
    """Matches what `numbered` makes of a name, with any number."""
    stem, suffix = _stem_and_suffix(name)
    cut_stem = rf".*{re.escape(_hash_mark(stem))}"  # where the stem is cut depends on the length of the number
    return re.compile(rf"(?:{re.escape(stem)}|{cut_stem})(?: \(\d+\))?{re.escape(suffix)}", re.DOTALL)


def first_free(is_taken: Callable[[int], bool], start: int = 1) -> int:
    """A number from `start` on that is free, found with a logarithmic number of calls.

    It is the lowest free one if the taken numbers have no gap, else some free one.
    """
    taken, step = start - 1, 1
    while is_taken(taken + step):
        taken, step = taken + step, 2 * step
    free = taken + step
    while free - taken > 1:
        middle = (free + taken) // 2
        if is_taken(middle):
            taken = middle
        else:
            free = middle
    return free


def ways(name: str) -> Iterator[str]:
    """Names to try for one file, in order: its own, a portable one, one that every file system accepts."""
    yield name
    bare = portable(name)
    if bare != name:
        yield bare
    stem, suffix = _stem_and_suffix(name)
    plain = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", suffix) else ""
    yield f"sttd{_hash_mark(stem)}{plain}"


def portable(name: str) -> str:
    """The name without what the file systems of Windows refuse. A hash keeps it different from similar names."""
    stem, suffix = _stem_and_suffix(name)
    bare = _REFUSED.sub("_", stem), _REFUSED.sub("_", suffix)
    if _DEVICE.fullmatch("".join(bare)):
        bare = f"_{bare[0]}", bare[1]
    if "".join(bare) == name:
        return name
    return fit(bare[0], _hash_mark(stem) + bare[1])


def fit_folders(folders: tuple[str, ...], room: int) -> tuple[str, ...]:
    """The folders of a path; their names are cut if all together, with a slash each, need more than `room` bytes."""
    for most in (LIMIT, 120, 60, 30, 15):
        fitted = tuple(cut(folder, most) for folder in folders)
        if sum(len(os.fsencode(folder)) + 1 for folder in fitted) <= room:
            return fitted
    return (cut("/".join(folders), 40).replace("/", "_"),)  # hundreds of levels


def private(job: int, word: str, name: str) -> str:
    """The name of a source while it is being filed away: a dotfile, so that it becomes no job, with the job's number in it.

    It has at most the length of the source's name, or 143 bytes if that is more: the file system accepts this length.

    Args:
        job: the number of the job.
        word: 16 hexadecimal digits that nobody can guess, so that nobody can take the name first.
        name: of the source.
    """
    stem, suffix = _stem_and_suffix(name)
    shown = min(LIMIT, max(len(os.fsencode(name)), SHORTEST_LIMIT))
    return fit(f"{OWN}-{job}-{word}{AWAY}{stem}", suffix, shown)


def of_private(name: str) -> tuple[int, str] | None:
    """The job and the source's own name (cut if it was very long) in a private name; None: it is no private name."""
    found = _PRIVATE.fullmatch(name)
    return None if found is None else (int(found[1]), found[3])


def fit(stem: str, tail: str, limit: int = LIMIT) -> str:
    """`stem` and `tail` as one name of at most `limit` bytes; if it is too long, the stem is cut."""
    return cut(stem, limit - len(os.fsencode(tail))) + tail


def cut(stem: str, most: int) -> str:
    """`stem` if it has at most `most` bytes, else its beginning, cut at a grapheme, with `~` and a hash of the whole."""
    data = os.fsencode(stem)
    if len(data) <= most:
        return stem
    mark = _hash_mark(stem)
    room, length = most - len(mark), 0
    for char in stem:
        room -= len(os.fsencode(char))
        if room < 0:
            break
        length += 1
    end = length
    while end > 0 and not may_cut(stem, end):
        end -= 1
    return stem[: end or length] + mark  # a single grapheme that is too long is cut anywhere


def _hash_mark(stem: str) -> str:
    return "~" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]


def _stem_and_suffix(name: str) -> tuple[str, str]:
    """Stem and suffix; the suffix has its dot, or is empty."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or not suffix or len(os.fsencode(suffix)) > _LONGEST_SUFFIX:
        return name, ""
    return stem, dot + suffix


def stem(name: str) -> str:
    """What comes before the suffix."""
    return _stem_and_suffix(name)[0]


def _mark(number: int) -> str:
    return "" if number == 1 else f" ({number})"

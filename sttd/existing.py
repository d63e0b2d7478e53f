"""Which subtitles of a recording are there already, and whether they are enough (`output.existing = "skip"`). Pure.

- Subtitles are files beside the recording with its stem (`name.srt`, `name.en.srt`, `name.en.forced.srt`), and tracks in it.
- Forced ones (only what is foreign in the film), signs, songs and commentaries are no subtitles of it.
- The language may be written as in ISO 639-1, 639-2/B or /T, or in English: "de", "ger", "deu", "German", "de-AT".
- A file without a language, or with `und`, was put there for this recording: it counts as being in the language that is wanted.
  A track without one may be anything: it does not count, unless every language is welcome.
- A file belongs to the recording with the longest stem: `Film.Part2.en.srt` to `Film.Part2.mkv`, where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sttd.languages import english_name, language_of

SUFFIXES = frozenset("srt vtt ass ssa sub sup smi ttml sbv lrc".split())
_PARTIAL = frozenset({"forced", "foreign", "signs", "songs", "commentary"})
# for the hard of hearing, mostly; `hi` is also Hindi
_FLAGS = frozenset({"sdh", "cc", "default", "full", "und"})
_PARTIAL_TITLE = re.compile(r"forced|foreign|\bsigns?\b|\bsongs?\b|comment", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExistingSubtitles:
    where: str  # the name of the file, or which track, for people
    language: str  # Whisper's code; "": not known
    is_track: bool = False


def beside(recording: str, names: Iterable[str]) -> list[ExistingSubtitles]:
    """The subtitles of a recording, among the names in its folder."""
    names = list(names)
    stem = _stem(recording)
    longer = [
        each for each in {_stem(name) for name in names if not _is_subtitles(name)} if each.startswith(f"{stem}.")
    ]
    found = []
    for name in names:
        if not _is_subtitles(name) or not name.startswith(f"{stem}."):
            continue
        if any(name.startswith(f"{other}.") for other in longer):
            continue
        tags = [tag.lower() for tag in name[len(stem) + 1 :].split(".")[:-1]]
        if not _PARTIAL.intersection(tags):
            found.append(ExistingSubtitles(name, _language(tags)))
    return found


def track(number: int, language: str, title: str, *, is_partial: bool) -> ExistingSubtitles | None:
    """The subtitles of a track in the file; None: the track has not all that is said.

    Args:
        number: of the subtitle track, from 1.
        language: as the container has it.
        title: of the track.
        is_partial: the container says that it is forced, or a commentary.
    """
    if is_partial or _PARTIAL_TITLE.search(title):
        return None
    return ExistingSubtitles(f"track {number} of its subtitles", language_of(language) or "", is_track=True)


def enough(found: Iterable[ExistingSubtitles], wanted: Iterable[str], spoken: str = "") -> str | None:
    """Why a recording needs no transcript, in words; None: it needs one.

    Args:
        found: its subtitles.
        wanted: the languages that count; none: every language.
        spoken: the language that its audio track names; "": none. If it counts, only subtitles in this language are enough.
    """
    languages = set(wanted)
    if spoken and (not languages or spoken in languages):
        languages = {spoken}
    if "yue" in languages:
        languages.add("zh")  # in which Cantonese is written
    for each in found:
        if each.language in languages or not languages or not (each.language or each.is_track):
            name = f"in {english_name(each.language)}" if each.language else "of an unknown language"
            return f"not transcribed: it has subtitles {name} ({each.where})"
    return None


def _language(tags: list[str]) -> str:
    known = [language for tag in tags if tag not in _FLAGS and tag != "hi" and (language := language_of(tag))]
    return known[-1] if known else "hi" if "hi" in tags else ""


def _is_subtitles(name: str) -> bool:
    return name.rpartition(".")[2].lower() in SUFFIXES


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name

"""Which of a recording's audio tracks are transcribed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from av.stream import Disposition

from sttd.languages import codes_of
from sttd.part import Cause, Options
from sttd.worker.audio import rates
from sttd.worker.errors import PartFailed

_FOR_FEW = Disposition.comment | Disposition.visual_impaired | Disposition.karaoke
_FOR_FEW_WORDS = re.compile(
    r"comment|kommentar|descripti|described|audiodes|karaoke|for the blind|visually", re.IGNORECASE
)
_MOST = 32  # tracks that are mixed at most: each is decoded
_TRIES = 8  # groups that may turn out to be empty: for each, the file is read to its end


@dataclass(frozen=True, slots=True)
class Choice:
    """The tracks that are heard: those of the first group that has any packets."""

    groups: tuple[tuple[Any, ...], ...]  # each with its best track first
    together: bool = False  # all of a group are mixed; else a later one is heard where those before it are silent
    remark: str = ""  # a sentence about it


def _never(first: Any, second: Any) -> bool:  # noqa: ARG001
    return False


def choose(tracks: Sequence[Any], options: Options, follows: Callable[[Any, Any], bool] = _never) -> Choice:
    """Which tracks are transcribed, by `options.tracks` and the languages in `options`.

    `auto` takes the track of the language asked for, else the default one, else the first. Commentaries, descriptions for the
    blind and karaoke come last. Tracks of the same standing, as in OBS's recordings or television's, may replace each other
    where one is silent. Translations may not, but another programme's sound that follows in the same file may.

    Args:
        tracks: the container's audio streams.
        options: of which the tracks and the languages count.
        follows: whether two tracks are heard one after the other, and never at once.

    Raises:
        PartFailed: BAD_FILE; there is none, or none that can be decoded.
    """
    usable = _usable(tracks)
    if options.tracks == "all":
        left_out = len(tracks) - len(usable[:_MOST])
        remark = (
            f"{left_out} of {len(tracks)} audio tracks cannot be decoded here, and were left out" if left_out else ""
        )
        return Choice((tuple(usable[:_MOST]),), together=True, remark=remark)
    remark = ""
    if options.tracks != "auto":
        number = int(options.tracks)
        if number <= len(tracks) and tracks[number - 1] in usable:
            return Choice(((tracks[number - 1],),))
        remark = f"the file has no audio track {number} that can be decoded (transcribe.tracks)"
    wanted = (options.language,) if options.language else options.languages
    names = set().union(*(codes_of(language) for language in wanted))
    ranked = sorted(usable, key=lambda track: _rank(track, names), reverse=True)  # stable: the first of equals
    groups: dict[object, list[Any]] = {}
    for track in ranked:
        groups.setdefault((_standing(track, names), _language(track)), []).append(track)
    first, *others = groups.values()
    best = _standing(first[0], names)
    for group in others:
        if _standing(group[0], names) == best and all(follows(track, each) for track in first for each in group):
            first += group
    return Choice(tuple(tuple(group[:_MOST]) for group in groups.values())[:_TRIES], remark=remark)


def left_out(count: int, numbers: Sequence[int], used: Sequence[bool], heard: Sequence[bool]) -> list[str]:
    """The remark to make if not all tracks of a file were transcribed.

    Args:
        count: of all its tracks.
        numbers: of those that were listened to, from 1.
        used: whether something of each is in the result.
        heard: whether each has sound at all.
    """
    taken = [number for number, is_used in zip(numbers, used, strict=True) if is_used] or numbers[:1]
    silent = [number for number, has_sound in zip(numbers, heard, strict=True) if not has_sound]
    if len(taken) > 1:
        listed = ", ".join(map(str, taken))
        return [f"audio tracks {listed} of {count} were transcribed, each where those before it were silent"]
    if count > len({*taken, *silent}):
        text = f"only audio track {taken[0]} of {count} was transcribed"
        return [f'{text}; transcribe.tracks = "all" mixes them, a number takes another one']
    return []


def _usable(tracks: Sequence[Any]) -> list[Any]:
    if not tracks:
        text = "there is no sound in the file: it has no audio track; export it with its sound"
        raise PartFailed(Cause.BAD_FILE, text)
    decodable = [track for track in tracks if track.codec_context is not None]
    if not decodable:
        text = "the sound is in a coding that cannot be decoded here; convert it, to FLAC say"
        raise PartFailed(Cause.BAD_FILE, text)
    usable = [track for track in decodable if not track.rate or rates.possible(track.rate)]
    if not usable:
        rates.check(decodable[0].rate)
    return usable


def _standing(track: Any, names: set[str]) -> tuple[bool, bool, bool, bool]:
    """How well a track suits; larger is better. One without a language may be in the wanted one; dubbed ones come last."""
    language = _language(track)
    is_plausible = not names or not language or language in names
    return is_plausible, not _is_for_few(track), language in names, not track.disposition & Disposition.dub


def _rank(track: Any, names: set[str]) -> tuple[Any, ...]:
    """The default track before others of equal standing."""
    return (*_standing(track, names), bool(track.disposition & Disposition.default))


def _is_for_few(track: Any) -> bool:
    title = f"{track.metadata.get('title', '')} {track.metadata.get('handler_name', '')}"
    return bool(track.disposition & _FOR_FEW) or _FOR_FEW_WORDS.search(title) is not None


def _language(track: Any) -> str:
    """The language as the container has it; "" for none, and for codes that mean none."""
    language = (track.language or "").lower().partition("-")[0]
    return "" if language in ("und", "mis", "mul", "zxx") else language

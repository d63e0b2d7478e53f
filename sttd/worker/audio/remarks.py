"""Warnings about damage in a recording, for people."""

from __future__ import annotations

from collections.abc import Sequence

from sttd.worker.audio.lengths import clock
from sttd.worker.audio.sound import Sound


def damage(sounds: Sequence[Sound], not_numbers: int) -> list[str]:
    """One sentence for each kind of it.

    Args:
        sounds: of the tracks that were heard.
        not_numbers: samples that were no numbers, or far too loud.
    """
    found = []
    damaged = [sound for sound in sounds if sound.own_damaged]
    if damaged:
        count, first = sum(each.own_damaged for each in damaged), clock(min(each.first_damage for each in damaged))
        found.append(
            f"1 damaged packet was left out, at {first}"
            if count == 1
            else f"{count} damaged packets were left out, the first at {first}"
        )
    broken = [sound.timeline for sound in sounds if sound.timeline.broken]
    if broken:
        count, first = sum(each.broken for each in broken), clock(min(each.first_broken for each in broken))
        found.append(
            f"1 time stamp made no sense and was ignored, at {first}"
            if count == 1
            else f"{count} time stamps made no sense and were ignored, the first at {first}"
        )
    if any(sound.turned for sound in sounds):
        found.append("channels cancel each other, one is turned over: they were mixed the right way round")
    if not_numbers:
        found.append(f"{not_numbers} samples were no numbers, or far too loud, and were set right")
    return found

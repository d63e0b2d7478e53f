"""Skips packets without reading them, where the place of a later one is known exactly: with PCM, and by the index of MP4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PCM = {"wav", "w64", "aiff", "au", "caf"}  # with PCM in them: each byte's sample is known; `container.format.name`s
_INDEXED = "mov,mp4,m4a,3gp,3g2,mj2"
_LEAST = 256  # packets that are worth a leap
_MOST = 4_000_000  # index entries checked in one go, without a sign of life: 24 h of AAC, 2 to 10 s of computing
_KEYFRAME = 1  # an entry's flags where it is that alone; 2 would mean: to be decoded and dropped


@dataclass(frozen=True, slots=True)
class Leap:
    """A jump over packets, counted from the packet at which it begins."""

    samples: int  # of the track
    packets: int
    offset: int  # where to, in the track's time base
    landed: Callable[[Any], bool]  # whether a packet is the one to land at


def leap(track: Any, packet: Any, number: int, lasts: int, most: int, *, every: int, prime: int) -> Leap | None:
    """The farthest leap; None: the packets' places are not known, or it is not worth while.

    Args:
        track: of the container.
        packet: the next one, whose number in the track is `number`.
        number: from 0.
        lasts: samples of each packet.
        most: samples that may be leapt over.
        every: a fresh decoder begins at a multiple of so many packets;
        prime: and is given so many packets before that.
    """
    name, count = track.container.format.name, most // lasts
    if name == _INDEXED:
        count = min(count, _MOST)
    last = (number + count) // every * every - prime  # number of the packet to land at
    if last - number < _LEAST:
        return None
    if name in _PCM and track.codec_context.name.startswith("pcm_"):
        return _over_bytes(packet, last - number, lasts)
    if name == _INDEXED:
        return _by_index(track, packet, number, last, lasts)
    return None


def _over_bytes(packet: Any, count: int, lasts: int) -> Leap | None:
    if not packet.duration or packet.pts is None or packet.pos is None or packet.size % lasts:
        return None
    place = packet.pos + count * packet.size
    return Leap(count * lasts, count, packet.pts + count * packet.duration, lambda landed: bool(landed.pos == place))


def _by_index(track: Any, packet: Any, number: int, last: int, lasts: int) -> Leap | None:
    entries = track.index_entries
    if last >= len(entries) or packet.dts is None:  # written in fragments
        return None
    goal = entries[last]
    place, stamp = goal.pos, goal.timestamp
    here = entries[number]
    if (here.pos, here.timestamp) != (packet.pos, packet.dts) or stamp - here.timestamp != (
        last - number
    ) * packet.duration:
        return None
    at = here.timestamp
    for each in range(number, last + 1):
        entry = entries[each]
        if entry.timestamp != at or entry.flags != _KEYFRAME:  # a hole, or an edit
            return None
        at += packet.duration
    return Leap(
        (last - number) * lasts, last - number, stamp, lambda landed: (landed.pos, landed.dts) == (place, stamp)
    )

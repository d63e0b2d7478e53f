"""A track's decoder, and how many earlier packets it must have decoded to give a packet's exact samples.

The samples of a part must not depend on where its worker began to decode. Most decoders forget within a few packets. Three
kinds never do: AAC's noise substitution (ISO/IEC 14496-3, 4.6.13) and AC-3's dither draw from a generator of random numbers
that runs from the first packet on, and the speech layer of Opus is recursive. These are replaced by a fresh one at every
`_RESTART`th packet of the track, in each run: so a run that begins at such a packet has the same samples as one that came from
the beginning.
"""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass
from typing import Any

import av

_RESTART = (
    8192  # packets: 190 s of AAC at 44.1 kHz, 164 s of Opus. A clip, and the first window of anything, has no restart
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a decoder needs to give exact samples, in packets."""

    prime: int  # given to a fresh decoder first; their samples are dropped
    every: int = 1  # where fresh ones begin: at multiples of this


# Measured: for how many packets a fresh decoder gives other samples, at any place. MP3 4 (its bit reservoir, at low bit rates
# more), AAC without noise and Vorbis 1 or 2, Opus 61 at most, and the others none. WMA is not here: at low bit rates it draws
# noise from a table in which it goes on for ever, and a packet may hold any number of frames
_FORGETS = dict.fromkeys(("flac", "alac", "wavpack", "tta", "adpcm_ima_wav", "adpcm_ms"), Memory(0)) | {
    **dict.fromkeys(("mp3", "mp3float"), Memory(40)),
    "vorbis": Memory(4),
}
_NEVER_FORGETS = {
    **dict.fromkeys(("aac", "ac3", "eac3"), Memory(4, _RESTART)),
    "opus": Memory(50, _RESTART),
}


def memory_of(track: Any) -> Memory | None:
    """What a track's decoder needs; None: not known, so its exact samples come only by decoding from the beginning."""
    context = track.codec_context
    if context.name.startswith("pcm_"):
        return Memory(0)
    if context.name == "aac" and context.profile != "LC":  # other profiles predict from sound of long ago
        return None
    return _FORGETS.get(context.name) or _NEVER_FORGETS.get(context.name)


def is_last(packet: Any) -> bool:
    """Whether a packet only flushes the decoder. An empty one that a recorder wrote has a place in the file."""
    return not packet.size and packet.pos is None


class Decoder:
    """Decodes a track's packets, which come in order, or are passed over."""

    def __init__(self, track: Any) -> None:
        self.memory = memory_of(track)
        self.number = 0  # packets that came
        self._context = track.codec_context
        self._context.thread_count = 1  # the cores are shared out over the workers
        self._held: deque[Any] = deque(maxlen=self.memory.prime if self.memory else 0)
        self._restarts = self.memory is not None and self.memory.every > 1
        self._extradata = self._context.extradata
        self._is_behind = False  # packets were passed over that the decoder needs

    def decode(self, packet: Any) -> list[Any]:
        """The frames of a packet.

        Raises:
            av.error.FFmpegError: it is damaged, or was flushed before.
        """
        if not is_last(packet):
            if self._is_behind or (self._restarts and self.number and self.is_beginning):
                self._begin_afresh()
            self._came(packet)
            if self._restarts and packet.has_sidedata("new_extradata"):  # a sender began anew, with other settings
                self._extradata = bytes(packet.get_sidedata("new_extradata"))
        try:
            return self._context.decode(packet)  # type: ignore[no-any-return]
        except av.error.InvalidDataError:
            if self._context.codec.name != "flac" or not packet.size:
                raise
            return self._of_other_bits(packet)

    def _of_other_bits(self, packet: Any) -> list[Any]:
        """FLAC of 24 bits behind FLAC of 16 bits: the decoder says that it does not support that, and a fresh one does."""
        fresh = av.CodecContext.create("flac", "r")
        fresh.thread_count = 1
        frames = fresh.decode(packet)
        self._context = fresh
        return frames

    def pass_over(self, packet: Any) -> None:
        """Count a packet. The first one that is decoded behind it must be one where a decoder may begin."""
        self._came(packet)
        self._is_behind = True

    def leap(self, count: int) -> None:
        """Count packets that were not even read; those that the decoder needs come next."""
        self.number += count
        self._held.clear()
        self._is_behind = True

    @property
    def is_beginning(self) -> bool:
        """Whether a fresh decoder may begin with the next packet."""
        return self.memory is not None and self.number % self.memory.every == 0

    def _came(self, packet: Any) -> None:
        self.number += 1
        self._held.append(packet)

    def _begin_afresh(self) -> None:
        """Begin with a fresh decoder, or keep one that forgets; then give it the packets that it needs."""
        self._is_behind = False
        if self._restarts:
            self._context = av.CodecContext.create(self._context.codec.name, "r")
            self._context.thread_count = 1
            self._context.extradata = self._extradata
        for packet in self._held:
            with contextlib.suppress(
                av.error.FFmpegError
            ):  # a damaged packet was counted when it came, or is another part's
                self._context.decode(packet)

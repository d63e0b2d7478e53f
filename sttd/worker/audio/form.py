"""What the packets of a recording have in common: it tells how long a packet's frame would be, without decoding it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from av.audio.frame import AudioFrame

_ROUNDED = 0.0011  # seconds that a container in milliseconds may be off
# their packets have one length in a file, even if the container counts in milliseconds; for others it must count in samples
_ALIKE = {"aac", "ac3", "eac3", "mp3", "mp3float", "opus"}
_VARYING = {"flac", "vorbis"}  # each packet has its own length, and the container tells it
# side data that changes the decoder, or leaves out some of a packet's samples: mostly where files were joined
_SPECIAL = {"skip_samples", "new_extradata", "param_change"}


class Form:
    """The common form: the container gives the decoder's frame length and reports no damage; marks in the heads agree."""

    def __init__(self, track: Any) -> None:
        self._track = track
        self._name = track.codec_context.name
        self._mark = _MARKS.get(self._name, _no_mark)
        self._marked: object = None
        self._duration = 0  # of a packet, in the container's units
        self._units = 0  # of these in one sample; 0: they are coarser
        self._length = 0  # samples of a frame
        self.is_known = False
        self.is_varying = self._name in _VARYING

    def learn(self, packet: Any, frame: AudioFrame) -> None:
        """Take `packet` as the example; `frame` is that of the packet before. If their lengths differ, no form is known."""
        if not packet.size or not packet.duration:
            return
        units = 1 / (self._track.time_base * frame.sample_rate)
        self._units = int(units) if units.denominator == 1 else 0
        if self._name in _ALIKE:
            lasts = float(packet.duration * self._track.time_base)
            is_long = abs(lasts - frame.samples / frame.sample_rate) <= _ROUNDED
        else:
            is_long = self._units > 0 and (self.is_varying or packet.duration == frame.samples * self._units)
        if is_long:
            self._duration, self._marked, self._length = packet.duration, self._mark(packet), frame.samples
            self.is_known = True

    def samples(self, packet: Any) -> int | None:
        """How many samples its frame would have; None: it is not like the others."""
        if packet.is_corrupt or packet.is_discard or self._mark(packet) != self._marked or _is_special(packet):
            return None
        if packet.duration == self._duration and not self.is_varying:
            return self._length
        if self.is_varying and packet.duration and packet.duration % self._units == 0:
            return int(packet.duration // self._units)
        return None


def _is_special(packet: Any) -> bool:
    return any(each.data_type in _SPECIAL for each in packet.iter_sidedata())


def _no_mark(packet: Any) -> object:  # noqa: ARG001
    return None


def _mark_of_mp3(packet: Any) -> object:
    """Sync, version and layer, sample rate, whether it is mono (ISO/IEC 11172-3, 2.4.1.3)."""
    head = int.from_bytes(memoryview(packet)[:4], "big")
    return head & 0xFFFE0C00 | (head & 0xC0 == 0xC0)


def _mark_of_aac(packet: Any) -> object:
    """Of ADTS: profile, sample rate, channels (ISO/IEC 13818-7, 6.2); else nothing."""
    head = int.from_bytes(memoryview(packet)[:4], "big")
    return head & 0xFFF6FDC0 if head & 0xFFF60000 == 0xFFF00000 else None


def _mark_of_ac3(packet: Any) -> object:
    """Sample rate, version, channels (ATSC A/52, 5.3 and E.1.2): television has 5.1 in a film, and stereo in its breaks."""
    head = bytes(memoryview(packet)[:8])
    if len(head) < 8 or head[:2] != b"\x0b\x77":
        return None
    version = head[5] >> 3
    if version > 10:  # E-AC-3: which substream, too
        return version, head[2] >> 3, head[4]
    channels = head[6] >> 5
    before = 3 + 2 * (channels & 1 and channels != 1) + 2 * (channels >> 2) + 2 * (channels == 2)
    return version, head[4] >> 6, channels, int.from_bytes(head[6:8], "big") >> (15 - before) & 1


def _mark_of_flac(packet: Any) -> object:
    """Sample rate, channels, bits (RFC 9639, 9.1)."""
    head = bytes(memoryview(packet)[:4])
    if len(head) < 4:
        return None
    channels = head[3] >> 4
    channels = 1 if 8 <= channels <= 10 else channels  # two, of which one is a difference
    return head[2] & 0xF, channels, head[3] >> 1 & 7


def _mark_of_opus(packet: Any) -> object:
    """Length and number of its frames (RFC 6716, 3.1 and 3.2.5), which a container may state wrongly."""
    head = bytes(memoryview(packet)[:2])
    return head[0] & 0xFB, head[1] & 0x3F if head[0] & 3 == 3 and len(head) > 1 else 0


_MARKS: dict[str, Callable[[Any], object]] = {
    **dict.fromkeys(("mp3", "mp3float"), _mark_of_mp3),
    **dict.fromkeys(("ac3", "eac3"), _mark_of_ac3),
    "aac": _mark_of_aac,
    "flac": _mark_of_flac,
    "opus": _mark_of_opus,
}

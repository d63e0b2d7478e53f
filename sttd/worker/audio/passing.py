"""What lies before a part is not decoded: its packets are counted, or leapt over, where that comes to the very samples.

Each packet must be like those before it: as long by the container's word as a frame of the decoder's, where the time stamps expect
it, undamaged as far as the container can tell, and of the same form. At the first one that is not, all of it is decoded instead: see
`Unpassable`. A packet that looks well and cannot be decoded is not seen. Behind it the parts may be some hundredths of a second
apart, which the daemon finds (`Whole.broken`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
from av.audio.frame import AudioFrame

from sttd.worker.audio.decoders import Decoder
from sttd.worker.audio.leaps import Leap, leap
from sttd.worker.audio.resample import Unpassable

PROBE = 8  # packets that are decoded first: they tell the form, and what the encoder has put in front is in them
_ROUNDED = 0.0011  # seconds that a container in milliseconds may be off
# with one length in a file, whatever a container in milliseconds makes of it; of the others it must count in samples
_ALIKE = {"aac", "ac3", "eac3", "mp3", "mp3float", "opus"}
_VARYING = {"flac", "vorbis"}  # each packet has its own length, and the container tells it
# what a container says with a packet to change the decoder, or to leave some of its samples out: where files were joined, mostly
_SPECIAL = {"skip_samples", "new_extradata", "param_change"}


@dataclass(frozen=True, slots=True)
class Passed:
    """Stands for the frame of a packet that was not decoded."""

    samples: int
    sample_rate: int  # Hz
    seconds: float


class Passing:
    """Says of each packet what it would have been, and where decoding begins."""

    def __init__(self, track: Any, decoder: Decoder) -> None:
        self._track, self._decoder = track, decoder
        self._name = track.codec_context.name
        self._mark = _MARKS.get(self._name, _no_mark)
        self._marked: object = None
        self._duration = 0  # of a packet, in the container's units
        self._units = 0  # of these in one sample; 0: they are coarser
        self._frame: Passed | None = None  # what each packet is
        self._leap: Leap | None = None
        self.is_begun = False
        self.is_leaping = False  # the next packet is the one that a leap leads to

    def begin(self, packet: Any, frame: AudioFrame, left: int) -> bool:
        """Take `packet` for an example, whose forerunner was `frame`; False: this recording is decoded.

        `left`: samples from this packet on that are not wanted.
        """
        memory = self._decoder.memory
        if memory is None or not packet.size or not packet.duration:
            return False
        units = 1 / (self._track.time_base * frame.sample_rate)
        self._units = int(units) if units.denominator == 1 else 0
        if self._name in _ALIKE:
            lasts = float(packet.duration * self._track.time_base)
            is_long = abs(lasts - frame.samples / frame.sample_rate) <= _ROUNDED
        else:
            is_long = self._units > 0 and (self._name in _VARYING or packet.duration == frame.samples * self._units)
        if not is_long:
            return False
        self._duration, self._marked = packet.duration, self._mark(packet)
        self._frame = self._passed(frame.samples, frame.sample_rate)
        self.is_begun = True
        return left >= -self._decoder.number % memory.every * frame.samples

    def ends(self, packet: Any, left: int) -> bool:
        """Whether decoding begins with this packet: behind the next place for that there is too little left."""
        assert self._frame is not None
        assert self._decoder.memory is not None
        every = self._decoder.memory.every
        return self._decoder.is_beginning and left < every * self._samples(packet)

    def passed(self, packet: Any) -> Passed:
        """Count a packet.

        Raises:
            Unpassable: it is not like the others.
        """
        assert self._frame is not None
        if packet.is_corrupt or packet.is_discard or self._mark(packet) != self._marked or _is_special(packet):
            raise Unpassable
        samples = self._samples(packet)
        self._decoder.pass_over(packet)
        return self._frame if samples == self._frame.samples else self._passed(samples, self._frame.sample_rate)

    def _passed(self, samples: int, rate: int) -> Passed:
        return Passed(samples, rate, samples / rate)

    def _samples(self, packet: Any) -> int:
        assert self._frame is not None
        if packet.duration == self._duration and self._name not in _VARYING:
            return self._frame.samples
        if self._name in _VARYING and packet.duration and packet.duration % self._units == 0:
            return int(packet.duration // self._units)
        raise Unpassable

    def leap(self, packet: Any, left: int) -> bool:
        """Leave out what need not be read; the next packet is the one behind it.

        Raises:
            Unpassable: it cannot be reached.
        """
        memory, number = self._decoder.memory, self._decoder.number
        if memory is None or self._frame is None or self._name in _VARYING:
            return False
        found = leap(self._track, packet, number, self._frame.samples, left, every=memory.every, prime=memory.prime)
        if found is not None:
            self._leap, self.is_leaping = found, True
            try:
                self._track.container.seek(found.offset, stream=self._track)
            except (av.error.FFmpegError, OSError) as error:  # of the disk: `SourceFile` tells of it at the end
                raise Unpassable from error
        return found is not None

    def landed(self, packet: Any) -> Passed:
        """What was leapt over, as one frame.

        Raises:
            Unpassable: the index has led elsewhere.
        """
        done, self.is_leaping = self._leap, False
        assert done is not None
        assert self._frame is not None
        if not done.landed(packet):
            raise Unpassable
        self._decoder.leap(done.packets)
        return self._passed(done.samples, self._frame.sample_rate)


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
    """Length and number of its frames (RFC 6716, 3.1 and 3.2.5), of which a container may have its own idea."""
    head = bytes(memoryview(packet)[:2])
    return head[0] & 0xFB, head[1] & 0x3F if head[0] & 3 == 3 and len(head) > 1 else 0


_MARKS: dict[str, Callable[[Any], object]] = {
    **dict.fromkeys(("mp3", "mp3float"), _mark_of_mp3),
    **dict.fromkeys(("ac3", "eac3"), _mark_of_ac3),
    "aac": _mark_of_aac,
    "flac": _mark_of_flac,
    "opus": _mark_of_opus,
}

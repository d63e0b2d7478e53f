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

from av.audio.frame import AudioFrame

from sttd.worker.audio.decoders import Decoder
from sttd.worker.audio.leaps import Leap, leap
from sttd.worker.audio.resample import Unpassable

PROBE = 8  # packets that are decoded first: they tell the form, and what the encoder has put in front is in them
_ROUNDED = 0.0011  # seconds that a container in milliseconds may be off
# with one length in a file, whatever a container in milliseconds makes of it
_ALIKE = {"aac", "ac3", "eac3", "mp3", "mp3float", "opus"}
_VARYING = {"flac", "vorbis"}  # each packet has its own length, and the container tells it


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
        self._scale = 0  # samples in one of these; 0: they are coarser
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
        lasts = packet.duration * self._track.time_base
        scale = self._track.time_base * frame.sample_rate
        if self._name not in _VARYING and abs(lasts - frame.samples / frame.sample_rate) > _ROUNDED:
            return False
        self._scale = int(scale) if scale.denominator == 1 else 0
        if not self._scale and lasts * frame.sample_rate != frame.samples and self._name not in _ALIKE:
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
        if packet.is_corrupt or self._mark(packet) != self._marked:
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
        if self._name in _VARYING and self._scale and packet.duration:
            return int(packet.duration * self._scale)
        raise Unpassable

    def leap(self, packet: Any, left: int) -> bool:
        """Leave out what need not be read; the next packet is the one behind it."""
        memory, number = self._decoder.memory, self._decoder.number
        if memory is None or self._frame is None or self._name in _VARYING:
            return False
        found = leap(self._track, packet, number, self._frame.samples, left, every=memory.every, prime=memory.prime)
        if found is not None:
            self._leap, self.is_leaping = found, True
            self._track.container.seek(found.offset, stream=self._track)
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


_MARKS: dict[str, Callable[[Any], object]] = {"mp3": _mark_of_mp3, "mp3float": _mark_of_mp3, "aac": _mark_of_aac}

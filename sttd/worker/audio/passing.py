"""Counts or leaps over the packets before a part instead of decoding them, where the part's samples stay exactly the same.

Each packet must have the form of those before it (`Form`), and be where the time stamps expect it. At the first one that is
otherwise, the recording is decoded from its beginning instead: see `Unpassable`. A packet of that form that cannot be decoded
counts as long as the others in either case: see `Sound`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
from av.audio.frame import AudioFrame

from sttd.worker.audio.decoders import Decoder
from sttd.worker.audio.form import Form
from sttd.worker.audio.leaps import Leap, leap
from sttd.worker.audio.resample import Unpassable

PROBE = 8  # packets that are decoded first: they show the form, and hold the samples that the encoder has put in front


@dataclass(frozen=True, slots=True)
class Passed:
    """Stands for the frame of a packet that was not decoded."""

    samples: int
    sample_rate: int  # Hz
    seconds: float


class Passing:
    """Gives for each packet what its frame would have been, and decides where decoding begins."""

    def __init__(self, track: Any, decoder: Decoder, form: Form) -> None:
        self._track, self._decoder, self._form = track, decoder, form
        self._frame: Passed | None = None  # what each packet is
        self._leap: Leap | None = None
        self.is_begun = False
        self.is_leaping = False  # the next packet is the one that a leap leads to

    def begin(self, frame: AudioFrame, left: int) -> bool:
        """Called before the first packet that may be passed over. False: this recording must be decoded.

        Args:
            frame: of the packet before it.
            left: samples from this packet on that are not wanted.
        """
        memory = self._decoder.memory
        if memory is None or not self._form.is_known:
            return False
        self._frame = self._passed(frame.samples, frame.sample_rate)
        self.is_begun = True
        return left >= -self._decoder.number % memory.every * frame.samples

    def ends(self, packet: Any, left: int) -> bool:
        """Whether decoding begins with this packet: the next place where it could begin is too late."""
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
        samples = self._samples(packet)
        self._decoder.pass_over(packet)
        return self._frame if samples == self._frame.samples else self._passed(samples, self._frame.sample_rate)

    def _passed(self, samples: int, rate: int) -> Passed:
        return Passed(samples, rate, samples / rate)

    def _samples(self, packet: Any) -> int:
        samples = self._form.samples(packet)
        if samples is None:
            raise Unpassable
        return samples

    def leap(self, packet: Any, left: int) -> bool:
        """Skip what need not be read. True: the next packet should be the one to land at.

        Raises:
            Unpassable: it cannot be reached.
        """
        memory, number = self._decoder.memory, self._decoder.number
        if memory is None or self._frame is None or self._form.is_varying:
            return False
        found = leap(self._track, packet, number, self._frame.samples, left, every=memory.every, prime=memory.prime)
        if found is not None:
            self._leap, self.is_leaping = found, True
            try:
                self._track.container.seek(found.offset, stream=self._track)
            except (av.error.FFmpegError, OSError) as error:  # of the disk: `SourceFile` reports it at the end
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

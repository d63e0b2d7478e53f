"""One audio track's way from packets to samples, each at its place in the player's time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame

from sttd.worker.audio import mp3, planes, rates
from sttd.worker.audio.avi import Places
from sttd.worker.audio.decoders import Decoder, is_last
from sttd.worker.audio.form import Form
from sttd.worker.audio.passing import PROBE, Passed, Passing
from sttd.worker.audio.resample import At16k, Unpassable
from sttd.worker.audio.timeline import JITTER, Timeline

Array = npt.NDArray[np.float32]

# These have no time stamps: FFmpeg counts, and wrongly where the sample rate changes. `container.format.name`s
_COUNTED = set(
    "aac ac3 aiff alaw amr ape au avi caf dss dts dtshd eac3 gsm mp3 mulaw sln truehd tta voc w64 wav wv".split()
)
_WRAP = 2**33 / 90_000  # seconds; MPEG's clock begins again
# what a packet of MP3 begins with where files were put one behind the other: no damage
_TAGS = (b"ID3", b"TAG", b"APETAGEX")
_LATE = 1.0  # seconds that a track begins behind the others
APART = 10.0  # seconds that two tracks of a file may be apart in it
ALL = (0.0, math.inf)  # seconds


@dataclass(frozen=True, slots=True)
class Clock:
    """How a container tells the time."""

    begin: float  # seconds; where it begins by its own clock
    is_stamped: bool  # else the samples are counted
    wraps: bool
    rate: int = 0  # Hz, of FLAC alone: FFmpeg takes the samples of another file that follows for those of this rate

    @classmethod
    def of(cls, container: Any, track: Any) -> Clock:
        """FLAC's stamps count samples. Without its head (the tail of a transfer), FFmpeg gets their rate wrong: count here."""
        name, rate = container.format.name, track.codec_context.sample_rate
        counts = name in _COUNTED or (name == "flac" and rate * track.time_base != 1)
        begin, wraps = (container.start_time or 0) / av.time_base, name in {"mpegts", "mpeg"}
        return cls(begin, not counts, wraps, rate if name == "flac" else 0)


class Sound:
    """Fed with a track's packets in order, it gives the track's samples: 16 kHz, silence where there is a hole.

    `rows` are the channels that are kept apart, `first` is the first sample that is wanted, see `At16k`; `passes`: what lies
    before it need not be decoded, see `Passing`. `own`: the seconds whose damage is reported.
    """

    def __init__(
        self,
        track: Any,
        clock: Clock,
        max_gap: float,
        places: Places | None = None,
        *,
        rows: int = 0,
        first: int = 0,
        passes: bool = False,
        own: tuple[float, float] = ALL,
    ) -> None:
        self.track = track
        self.timeline = Timeline(max_gap, *own, base=clock.begin)
        self.packets = 0  # that were decoded, or could not be
        self.size = 0  # bytes of those that were not damaged
        self.damaged = 0  # of these
        self._own = own
        self.own_damaged = 0  # of these, those that are reported
        self.first_damage = 0.0  # seconds, of the first one that is reported
        self.whole = 0.0  # seconds of the longest stretch without damage
        self._since = 0.0  # seconds; where the current one begins
        self.start = 0.0  # seconds; where its first sample belongs
        self._clock = clock
        self._places = places or Places()
        self._told = (
            self._places.start or None
        )  # seconds where the next frame belongs, if something other than stamps says so
        self._converted = At16k(rows, first, tells=own[0] == 0)
        # the latest frame: the next one's stamp says whether its own is right
        self._pending: AudioFrame | Passed | None = None
        self._stamp: float | None = None  # of that frame
        self._decoded: AudioFrame | None = None  # the latest frame that a decoder gave
        self._is_over = False  # its decoder was flushed
        self._tag_end = 0  # place in the file where the latest tag ends
        self._decoder, self._current = Decoder(track), track
        self._form = Form(track)
        self._passing = Passing(track, self._decoder, self._form) if passes and places is None else None

    @property
    def at(self) -> float:
        """Seconds where the next sample belongs."""
        return self.start + self._converted.at

    @property
    def first(self) -> int:
        """The first sample that it gives."""
        return self._converted.first

    @property
    def turned(self) -> bool:
        """Whether its channels would have cancelled each other."""
        return self._converted.turned

    def feed(self, packet: Any, front: float = 0.0) -> Iterator[Array]:
        """The samples that come of one packet, or of earlier ones.

        Args:
            packet: of this track.
            front: seconds that the other tracks have reached; a track that begins later begins there.
        """
        if packet.stream is not self._current:
            self._change_to(packet.stream)
        if self._decoder.number >= PROBE:
            if not self._form.is_known and isinstance(self._pending, AudioFrame):
                self._form.learn(packet, self._pending)
            if self._passing is not None and self._is_passed(packet, self._passing):
                return
        self._told = self._places.holes.get(packet.pos, self._told)
        for frame in self._decode(packet):
            after = self._stamp_of(frame)
            if self._pending is not None:
                yield from self._place(self._pending, after)
            elif front > _LATE:
                self.start = after if after is not None and abs(after - front) <= APART else front
            self._pending = self._decoded = frame
            self._stamp = after

    def finish(self) -> Iterator[Array]:
        """The samples that are still kept back."""
        if self._pending is not None:
            yield from self._place(self._pending, None)
            self._pending = None
        yield from self._converted.finish()

    def _change_to(self, track: Any) -> None:
        """Another file follows in the same one, see `packets`."""
        if self._passing is not None:
            raise Unpassable
        self._decoder, self._current, self._is_over, self._form = Decoder(track), track, False, Form(track)

    def count_damage(self) -> None:
        """Count an error of the container, or a damaged packet, at the place where this track is."""
        at = self.at
        if self._own[0] <= at < self._own[1]:
            self.first_damage = self.first_damage if self.own_damaged else at
            self.own_damaged += 1
        self.damaged += 1
        self._since = at

    def _is_passed(self, packet: Any, passing: Passing) -> bool:
        """Whether a packet was counted without being decoded.

        Raises:
            Unpassable: all of the recording must be decoded.
        """
        left = self._converted.left - (self._pending.samples if self._pending else 0)
        if not passing.is_begun:
            is_like = isinstance(self._pending, AudioFrame) and passing.begin(self._pending, left)
            if not is_like or is_last(packet):
                self._passing = None
                return False
            self._pass_on(None, self._stamp_at(packet))
            if passing.leap(packet, left):
                return True
        before, leapt = self._decoder.number, passing.landed(packet) if passing.is_leaping else None
        if leapt is not None:
            # counted like those that are passed over: none is known to be damaged
            self.packets += self._decoder.number - before
            self.timeline.leapt(leapt.seconds)
            self._converted.count(leapt.samples)
            left -= leapt.samples
        if is_last(packet) or passing.ends(packet, left):
            self._passing = None
            return False
        self._pass_on(passing.passed(packet), self._stamp_at(packet))
        self.packets += 1
        self.size += packet.size
        return True

    def _pass_on(self, frame: Passed | None, stamp: float | None) -> None:
        """Take the next frame; no samples come from the one before. Must be quick: called for each packet passed over."""
        pending = self._pending
        if isinstance(pending, Passed):
            if self._clock.is_stamped and self.timeline.place(self._stamp, stamp, pending.seconds, self.at):
                raise Unpassable
            self._converted.count(pending.samples)
        elif pending is not None:
            for _ in self._place(pending, stamp):
                raise Unpassable
        self._pending, self._stamp = frame, stamp

    def _place(self, frame: AudioFrame | Passed, after: float | None) -> Iterator[Array]:
        silence = self.timeline.place(self._stamp, after, frame.samples / frame.sample_rate, self.at)
        if silence:
            yield from self._converted.insert(silence)
        if isinstance(frame, Passed):
            self._converted.count(frame.samples)
        else:
            yield from self._converted.convert(frame)

    def _silence(self, packet: Any) -> Iterator[AudioFrame]:
        """Silence for a packet that could not be decoded: what follows stays in its place, which is the same in a later part."""
        before, like = self._pending, self._decoded
        if like is None or not self._form.is_known or not self._follows(packet, before):
            return
        samples = self._form.samples(packet)
        if samples:
            frame = planes.silent(like, samples)
            frame.pts, frame.time_base = packet.pts, packet.time_base
            yield frame

    def _is_of_tag(self, packet: Any) -> bool:
        """Whether it is of a tag between two files. An ID3 tag may hold a picture, in which FFmpeg finds many packets."""
        head = bytes(memoryview(packet)[:10]) if packet.size else b""
        if head.startswith(b"ID3") and packet.pos is not None:
            self._tag_end = packet.pos + mp3.length_of_tag(head)
        return head.startswith(_TAGS) or (packet.pos or 0) < self._tag_end

    def _is_lost(self, packet: Any) -> bool:
        """Whether a packet should have given a frame, though the decoder gave none and reported no damage."""
        is_one_to_one = self._decoder.memory is not None and self._form.is_known
        return is_one_to_one and not is_last(packet) and bool(self._form.samples(packet))

    def _follows(self, packet: Any, frame: AudioFrame | Passed | None) -> bool:
        """Whether a packet is where the last frame ends; else its container has lost more than this packet.

        No frame before it: a leap led to it, by an index that is right.
        """
        if frame is None or not self._clock.is_stamped:
            return True
        stamp = None if packet.pts is None else self._stamp_at(packet)
        if stamp is None or self._stamp is None:
            return False
        return abs(stamp - self._stamp - frame.samples / frame.sample_rate) <= JITTER

    def _stamp_of(self, frame: AudioFrame) -> float | None:
        """A frame's time in seconds from the container's beginning."""
        told, self._told = self._told, None
        seconds = frame.time if self._clock.is_stamped else None
        if self._clock.rate and frame.sample_rate != self._clock.rate:
            return None
        return told if seconds is None else self._since_begin(float(seconds))

    def _stamp_at(self, packet: Any) -> float | None:
        """The stamp of the frame that would be in a packet."""
        if not self._clock.is_stamped:
            return None
        if packet.pts is None:
            raise Unpassable
        return self._since_begin(float(packet.pts * packet.time_base))

    def _since_begin(self, seconds: float) -> float:
        stamp = seconds - self._clock.begin
        return stamp - round((stamp - self.at) / _WRAP) * _WRAP if self._clock.wraps else stamp

    def _decode(self, packet: Any) -> Iterator[AudioFrame]:
        if self._is_over:
            return
        try:
            frames = self._decoder.decode(packet)
        except av.error.EOFError:  # the decoder was flushed already
            self._is_over = True
            return
        except MemoryError:
            raise
        except av.error.FFmpegError:
            if not self._is_of_tag(packet):
                self.packets += 1
                self.count_damage()
                yield from self._silence(packet)
            return
        self.packets += 1
        if not frames and self._is_lost(packet):
            self.count_damage()
            yield from self._silence(packet)
            return
        self.size += packet.size
        self.whole = max(self.whole, self.at - self._since)
        for frame in frames:
            if not rates.possible(frame.sample_rate):  # the head of a frame is damaged
                self.count_damage()
            elif frame.samples:
                yield frame

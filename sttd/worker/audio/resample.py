"""Converts decoded frames of any kind to 16 kHz float32, mixed or each channel by itself, and counts sample by sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame

from sttd.part import SAMPLE_RATE, Cause
from sttd.worker.audio.channels import Channels, hop
from sttd.worker.audio.planes import samples_of
from sttd.worker.errors import PartFailed

Array = npt.NDArray[np.float32]

_TOGETHER = 16_384  # samples that are put into the filter at once: frame by frame it is three times slower
_SILENCE = np.zeros(SAMPLE_RATE, np.float32)
_SILENCE.flags.writeable = False
_NONE = np.zeros(0, np.float32)
_WARM = 1.0  # seconds that a filter is given before what is wanted; its memory is shorter than 0.02 s
_WARM_MIX = 180.0  # the same where channels are mixed: their noise is known by then
_FLOATS = ("flt", "dbl", "dblp")  # may hold what is no number
_COARSE = ("u8", "u8p", "s16", "s16p", "fltp")  # the last is what decoders of lossy codecs give; PCM of floats is "flt"


class Unpassable(Exception):
    """Passing over would change the samples that follow: all must be decoded or converted instead."""


class At16k:
    """One stream's conversion; a new resampler wherever the stream's form changes or the sound has a hole.

    One channel of at most 16 bits, or of a lossy codec, goes by way of 16 bits and so becomes what faster-whisper makes of it,
    sample by sample: Whisper may hear another word for a difference of -90 dB. All else stays floats and may pass 1: by way
    of 16 bits 5.1's centre channel would lose 10 dB. Several channels are mixed at their own rate, by `Channels`.

    Args:
        rows: channels that are kept apart; arrays are rows by samples then. 0: they are mixed, and arrays are of samples.
        first: the first sample that is wanted. What lies before is counted, and little of it converted. The filter begins where
            one of its samples falls on one of the track's, with the same phase as in a conversion of all: so the same samples
            come from `first` on. Channels that may cancel each other have a longer memory: see `Unpassable`.
        tells: samples that are no numbers are reported, wherever they are. So tracks of floats are converted from the beginning.

    Raises:
        Unpassable: by any method, before it gives anything.
    """

    def __init__(self, rows: int = 0, first: int = 0, *, tells: bool = True) -> None:
        self._rows, self._tells = rows, tells
        self.first = first  # the first sample that is given
        self._begins = 0  # the track's sample with which the conversion begins
        self._is_passing = first > 0  # nothing was given yet, for it is before `first`
        self._resamplers = self._fresh()
        self._waiting = av.AudioFifo()
        self._form: tuple[str, str, int, object] | None = None
        self._channels: Channels | None = None  # where there are several
        self._turned = False
        self._given = 0  # samples put into this resampler, at its rate
        self._base = 0  # sample where its output begins
        self._taken = 0  # samples that came out of all
        self._drop = 0  # samples still to be left out

    @property
    def at(self) -> float:
        """Seconds where the next frame's sound begins."""
        rate = self._form[2] if self._form else SAMPLE_RATE
        return self._base / SAMPLE_RATE + self._given / rate

    @property
    def left(self) -> int:
        """How many of the track's next samples need not be there: they are counted, and no more."""
        return self._begins - self._given if self._is_passing else 0

    def count(self, samples: int) -> None:
        """Count samples as `convert` does, for sound before the conversion begins."""
        self._given += samples
        self._require(self._given <= self._begins)

    @property
    def turned(self) -> bool:
        """Whether channels would have cancelled each other, had not one of them been turned back."""
        return self._turned or (self._channels is not None and self._channels.turned)

    def convert(self, frame: AudioFrame) -> Iterator[Array]:
        """Take a frame; the sound of it, or of earlier ones, comes when there is enough of it."""
        form = (frame.format.name, frame.layout.name, frame.sample_rate, frame.time_base)
        if form != self._form:
            yield from self.finish()
            self._form = form
            self._begin(frame)
        before, self._given = self._given, self._given + frame.samples
        if self._given <= self._begins:
            return
        frame.pts = None  # else the fifo and the filter would act on a stamp that `Timeline` has dealt with
        self._waiting.write(frame)
        if before < self._begins:
            self._waiting.read(self._begins - before)
        while self._waiting.samples >= _TOGETHER:  # one frame may hold millions
            yield from self._mix(self._waiting.read(_TOGETHER))

    def _begin(self, frame: AudioFrame) -> None:
        """Set up the conversion for another form, for the first frame, or for the same form after a hole."""
        self._turned = self.turned
        names = [channel.name for channel in frame.layout.channels]
        self._channels = Channels(names, frame.sample_rate) if len(names) > 1 and not self._rows else None
        is_coarse = len(names) == 1 and not self._rows and frame.format.name in _COARSE
        self._resamplers = self._fresh("s16" if is_coarse else "flt")
        if self._is_passing:
            self._pass_over(frame.sample_rate, may_break=self._tells and frame.format.name in _FLOATS)

    def _pass_over(self, rate: int, *, may_break: bool) -> None:
        """Begin the conversion at a sample of the track that falls on one of 16 kHz, and on a measured hop."""
        if may_break:  # what is no number must be reported, wherever it is
            self.first, self._is_passing = 0, False
            return
        step, warm = rate // math.gcd(rate, SAMPLE_RATE), _WARM
        if self._channels is not None:
            step, warm = math.lcm(step, hop(rate)), _WARM_MIX
        self._begins = max(0, math.floor((self.first / SAMPLE_RATE - warm) * rate / step)) * step
        if self._begins:
            self._drop = self.first - self._begins * SAMPLE_RATE // rate
            self._taken = self.first
        else:
            self.first, self._is_passing = 0, False  # it is near the beginning

    def finish(self) -> Iterator[Array]:
        """What is waiting, and what the filter has kept back."""
        if self._form is None:
            return
        self._require(not self._is_passing)
        if self._waiting.samples:
            yield from self._mix(self._waiting.read())
        if self._channels is not None:
            yield from self._mixed(self._channels.finish(), self._form[2])
        yield from self._resample([None] * len(self._resamplers))
        self._waiting = av.AudioFifo()
        self._resamplers = self._fresh()
        self._form, self._given, self._base, self._drop, self._begins = None, 0, self._taken, 0, 0

    def insert(self, seconds: float) -> Iterator[Array]:
        """Insert silence before the next frame; negative: leave out so much of what comes next."""
        yield from self.finish()
        self._require(not self._is_passing)
        count = round(seconds * SAMPLE_RATE)
        if count < 0:
            self._drop = -count
            self._base += count
            return
        self._base += count
        for first in range(0, count, len(_SILENCE)):
            silence = _SILENCE[: count - first]
            yield from self._put(np.broadcast_to(silence, (self._rows, len(silence))) if self._rows else silence)

    def _fresh(self, form: str = "flt") -> list[av.AudioResampler]:
        return [av.AudioResampler(form, "mono", SAMPLE_RATE) for _ in range(self._rows or 1)]

    def _mix(self, frame: AudioFrame | None) -> Iterator[Array]:
        if frame is not None and self._rows:
            planes = _fitted(samples_of(frame), self._rows)
            yield from self._resample([_mono(plane, frame.sample_rate) for plane in planes])
        elif self._channels is None:
            yield from self._resample([frame])
        elif frame is not None:
            yield from self._mixed(self._channels.mix(samples_of(frame)), frame.sample_rate)

    def _mixed(self, samples: Array, rate: int) -> Iterator[Array]:
        if len(samples):
            yield from self._resample([_mono(samples, rate)])

    def _resample(self, frames: Sequence[AudioFrame | None]) -> Iterator[Array]:
        """Convert one frame with each resampler; None: flush it. All are always at the same sample."""
        first = frames[0]
        try:
            converted = [
                _joined(resampler.resample(frame)) for resampler, frame in zip(self._resamplers, frames, strict=True)
            ]
        except (av.error.FFmpegError, ValueError) as error:
            what = f"{first.layout.name}, {first.sample_rate} Hz" if first is not None else "its end"
            text = f"the sound ({what}) cannot be converted to 16 kHz mono; convert the file, to FLAC say"
            raise PartFailed(Cause.BAD_FILE, text) from error
        yield from self._put(np.stack(converted) if self._rows else converted[0])

    def _require(self, is_exact: bool) -> None:
        if not is_exact:
            raise Unpassable

    def _put(self, samples: Array) -> Iterator[Array]:
        count = samples.shape[-1]
        left_out = min(self._drop, count)
        self._drop -= left_out
        if left_out < count:
            self._require(not self._is_passing or self._channels is None or self._channels.is_plain)
            self._is_passing = False
            self._taken += count - left_out
            yield samples[..., left_out:]


def _mono(samples: Array, rate: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "flt", "mono")
    frame.sample_rate = rate
    return frame


def _joined(frames: Iterable[AudioFrame | None]) -> Array:
    # a resampler with nothing to do hands on what it gets
    return np.concatenate([_NONE, *(samples_of(frame)[0] for frame in frames if frame is not None)], dtype=np.float32)


def _fitted(planes: Array, rows: int) -> Array:
    """Fit a stretch with another number of channels: a single one goes into all rows, surplus ones are added to the last."""
    count = len(planes)
    if count == 1:
        return np.broadcast_to(planes, (rows, planes.shape[1]))
    if count > rows:
        return np.concatenate((planes[: rows - 1], planes[rows - 1 :].sum(axis=0, keepdims=True)))
    return np.pad(planes, ((0, rows - count), (0, 0)))

"""What the speech detector hears: the recording without its rumble, and loud enough.

Silero hears nothing under low-frequency noise (traffic, wind, a table that is knocked), and nothing in recordings whose speech
is below about -36 dB of full scale. Both are ordinary: a recorder in a bag, a 32-bit float recorder. So it gets a copy,
high-passed and levelled. The model gets the samples as they are. How the figures were chosen: tests/bench/LOG.md.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from sttd.part import SAMPLE_RATE
from sttd.worker.speech.cutting import FRAME
from sttd.worker.speech.vad import Array, Silero

_CUTOFF = 150  # Hz. Speech needs nothing below 300 Hz, as telephones show
_TAPS = 513  # of the filter: 50 dB less below 100 Hz. It delays by half of that, 16 ms, half a frame
_TARGET = -25.0  # dB of full scale, RMS of the loudest frames
_MOST_GAIN = 50.0  # dB: enough for speech with peaks at -60 dB
_RELEASE = 3.0  # dB a second by which the gain rises again behind something loud, such as a near voice before a far one
_SILENCE = 1e-14  # power: -140 dB


class LevelledSilero:
    """A `SpeechDetector`: Silero behind the filter and a gain that depends on past frames alone; `reset` clears all."""

    def __init__(self) -> None:
        self._silero = Silero()
        self.reset()

    def reset(self) -> None:
        self._silero.reset()
        self._before = np.zeros(_TAPS - 1, np.float32)  # the filter's memory
        self._level = -np.inf  # dB of full scale; of the loudest frames, sinking
        self._gain: float | None = None  # dB, at the end of the last frame

    def probabilities(self, frames: Array) -> Array:
        heard = self._levelled(self._filtered(frames))
        # a call's channel is digital silence while the other side speaks: Silero need not run
        if not heard.any():
            return np.zeros(len(frames), np.float32)
        return self._silero.probabilities(heard)

    def _filtered(self, frames: Array) -> Array:
        samples = np.concatenate((self._before, frames.ravel()))
        self._before = samples[-(_TAPS - 1) :]
        # a circular convolution: its first samples, where the filter wraps around the end, belong to the memory
        passed = np.fft.irfft(np.fft.rfft(samples) * _spectrum(len(samples)), len(samples))[_TAPS - 1 :]
        return np.asarray(passed, np.float32).reshape(frames.shape)

    def _levelled(self, frames: Array) -> Array:
        """Each frame with the gain that its level asks for, reached in a straight line from the one before."""
        levels = 10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + _SILENCE)
        sunk = np.arange(1, len(levels) + 1) * (_RELEASE * FRAME / SAMPLE_RATE)
        levels = np.maximum(np.maximum.accumulate(levels + sunk), self._level) - sunk
        gains = np.clip(_TARGET - levels, 0.0, _MOST_GAIN)
        first = gains[0] if self._gain is None else self._gain
        self._level, self._gain = float(levels[-1]), float(gains[-1])
        factors = 10 ** (np.concatenate(([first], gains)) / 20)
        ramps = factors[:-1, None] + np.diff(factors)[:, None] * _RAMP
        return np.asarray(frames * ramps, np.float32)


_RAMP = (np.arange(FRAME) + 1) / FRAME


def _high_pass() -> Array:
    """A windowed-sinc filter: what a low-pass leaves over."""
    places = np.arange(_TAPS) - _TAPS // 2
    low = np.sinc(2 * _CUTOFF / SAMPLE_RATE * places) * np.hamming(_TAPS)
    return np.asarray((places == 0) - low / low.sum(), np.float32)


_HIGH_PASS = _high_pass()


@functools.lru_cache(4)  # sizes: a group, a lead
def _spectrum(size: int) -> npt.NDArray[np.complexfloating]:
    return np.asarray(np.fft.rfft(_HIGH_PASS, size))

"""The channels of a recording kept apart, each with what is said in it alone.

In a call each side has its channel. But often a voice is in several: an announcement in both, a microphone that hears the other
speaker too, a mono recording that somebody saved as stereo. Each sentence would be there twice. So what is alike in all
channels, and about as loud, goes into a channel of its own, `TOGETHER`, that is nobody's; and a channel is silenced while it
only repeats a louder one. Channels are alike if they correlate, whatever their level, their sign, and the milliseconds that
sound takes from one microphone to the other. The voices of two people do not correlate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sttd.part import SAMPLE_RATE
from sttd.units import format_duration
from sttd.worker.audio.mix import SILENT

Array = npt.NDArray[np.float32]
Gains = npt.NDArray[np.float32]  # channels of the output (`TOGETHER` first) by channels of the recording
Spectra = npt.NDArray[np.complex64]  # channels by channels by frequencies: what each two share

MOST = 8  # channels; where there are more, they are not one a speaker
_HOP = SAMPLE_RATE // 10  # samples that are judged together; gains go from one to the next in a straight line
_AROUND = 3  # hops before and behind one that it is judged by: 0.7 s together
_BAND = (150.0, 4000.0)  # Hz; rumble and hum may be the same in all channels
_APART = SAMPLE_RATE // 100  # samples that sound takes at most from one microphone to another: 10 ms, 3.4 m
# The correlation from which on a channel counts as repeating a louder one, and the one down to which that lasts. Of two people
# (30 pairs of real recordings) it is 0.06 in the middle, 0.45 in one place of a thousand, and 0.49 at most. A voice in a second
# microphone has 0.9 in a dry room, 0.7 where the room is as loud as the voice, 0.5 where it is 6 dB louder
_ALIKE, _STILL_ALIKE = 0.5, 0.45
# Least share of the strongest channel's power with which a channel counts as equal to it: 6 dB; as long as it lasts 12 dB
_EQUAL, _STILL_EQUAL = 1 / 4, 1 / 16
_NEARLY_ALL = 0.99  # of the power
_LONG = 5.0  # seconds that are worth a remark


class Apart:
    """Takes (channels, samples), gives as many samples of `TOGETHER` and of each channel. It remembers a second."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._held = np.zeros((count, 0), np.float32)
        # of the hops that are held, and of `_AROUND` before them
        self._shared: deque[Spectra] = deque([np.zeros((count, count, _IN_BAND.sum()), np.complex64)] * _AROUND)
        self._copies: frozenset[int] = frozenset()  # channels that have what a louder one has
        self._is_together = False  # all have the same, and about as loud
        self._gains: Gains | None = None  # where the first hop that is held begins
        self._has_sound = np.zeros(count, bool)
        self._seconds_together = 0.0
        # of each channel, and of what of it went into `TOGETHER` or was left out
        self._power, self._power_together, self._power_copied = np.zeros((3, count))

    def split(self, blocks: Iterator[tuple[int, Array]]) -> Iterator[tuple[int, Array]]:
        """Blocks with their positions, which follow each other from 0 on."""
        at = 0
        for _, block in blocks:
            made = self._feed(block)
            if made.shape[1]:
                yield at, made
                at += made.shape[1]
        rest = self._held.shape[1]
        if rest:
            silence = -rest % _HOP + (_AROUND + 1) * _HOP
            yield at, self._feed(np.zeros((self._count, silence), np.float32))[:, :rest]

    @property
    def remarks(self) -> list[str]:
        """What a person should know of the channels as far as they were heard."""
        found = []
        silent = [str(number) for number, has_sound in enumerate(self._has_sound, 1) if not has_sound]
        if 0 < len(silent) < self._count:
            what = f"channels {', '.join(silent)} have" if len(silent) > 1 else f"channel {silent[0]} has"
            found.append(f"{what} no sound")
        if self._power_together.sum() >= max(_NEARLY_ALL * self._power.sum(), 1e-30):
            return [*found, "the channels are alike: they were transcribed as one, without speakers"]
        if self._seconds_together >= _LONG:
            length = format_duration(round(self._seconds_together))
            found.append(f"{length} of the sound are alike in all channels, and have no speaker")
        for number, (power, copied) in enumerate(zip(self._power, self._power_copied, strict=True), 1):
            if copied >= max(_NEARLY_ALL * power, 1e-30):
                found.append(f"channel {number} has only what a louder one has too: it was left out")
        return found

    def _feed(self, samples: Array) -> Array:
        known = self._held.shape[1] // _HOP
        self._held = np.concatenate((self._held, samples), axis=1)
        whole = self._held.shape[1] // _HOP
        if whole > known:
            self._shared.extend(_shared(self._held[:, known * _HOP : whole * _HOP].reshape(self._count, -1, _HOP)))
        made = [np.zeros((self._count + 1, 0), np.float32)]
        for at in range(0, whole * _HOP, _HOP):
            if len(self._shared) < 2 * _AROUND + 2:
                break
            made.append(self._next(self._held[:, at : at + _HOP]))
        self._held = self._held[:, (len(made) - 1) * _HOP :]
        return np.concatenate(made, axis=1)

    def _next(self, hop: Array) -> Array:
        """The output for a hop: its gains fade into those of the next hop."""
        around = list(self._shared)[: 2 * _AROUND + 2]
        if self._gains is None:
            self._gains = self._judged(np.sum(around[:-1], axis=0))
        self._count_sound(hop, around[_AROUND])
        self._shared.popleft()
        before, self._gains = self._gains, self._judged(np.sum(around[1:], axis=0))
        after = self._gains
        if after is before:
            return np.asarray(before @ hop, np.float32)
        return np.asarray((before @ hop) * _FADING + (after @ hop) * (1 - _FADING), np.float32)

    def _judged(self, shared: Spectra) -> Gains:
        """The gains, decided by what the channels share."""
        powers = _powers(shared)
        if powers.max() > 0:
            alike = _correlation(shared, powers)
            kept: list[int] = []
            for channel in np.argsort(-powers, kind="stable").tolist():
                least = _STILL_ALIKE if self._is_together or channel in self._copies else _ALIKE
                if not any(alike[channel, other] >= least for other in kept):
                    kept.append(channel)
            equal = _STILL_EQUAL if self._is_together else _EQUAL
            self._is_together = len(kept) == 1 and bool(powers.min() >= equal * powers.max())
            self._copies = frozenset(range(self._count)) - frozenset(kept)
        return self._made(self._copies, is_together=self._is_together)

    def _made(self, copies: frozenset[int], *, is_together: bool) -> Gains:
        gains = np.zeros((self._count + 1, self._count), np.float32)
        if is_together:
            gains[0, 0] = 1.0
        else:
            own = [channel for channel in range(self._count) if channel not in copies]
            gains[[channel + 1 for channel in own], own] = 1.0
        if self._gains is not None and np.array_equal(gains, self._gains):
            return self._gains
        return gains

    def _count_sound(self, hop: Array, shared: Spectra) -> None:
        loud = np.abs(hop).max(axis=1) >= SILENT
        self._has_sound |= loud
        powers = _powers(shared)
        self._power += powers
        if self._is_together:
            self._power_together += powers
            self._seconds_together += _HOP / SAMPLE_RATE * bool(loud.any())
        else:
            copied = list(self._copies)
            self._power_copied[copied] += powers[copied]


def _shared(hops: Array) -> Spectra:
    """What each two channels share in each hop, in the band of speech; `hops` are channels by hops by samples."""
    spectra = np.fft.rfft(hops * _WINDOW, axis=2)[:, :, _IN_BAND].transpose(1, 0, 2)
    return np.asarray(spectra[:, :, None] * spectra.conj()[:, None], np.complex64)


def _powers(shared: Spectra) -> Array:
    return np.asarray(np.real(np.einsum("iif->i", shared)), np.float32)


def _correlation(shared: Spectra, powers: Array) -> Array:
    """The correlation of each two channels, at the lag at which it is highest."""
    one, other = np.triu_indices(len(powers), 1)
    spectra = np.zeros((len(one), len(_IN_BAND)), np.complex64)
    spectra[:, _IN_BAND] = shared[one, other]
    lags = np.abs(np.fft.irfft(spectra, _HOP)) * (_HOP / 2)
    highest = np.maximum(lags[:, : _APART + 1].max(axis=1), lags[:, -_APART:].max(axis=1))
    found = np.zeros_like(shared[..., 0], np.float32)
    found[one, other] = found[other, one] = highest / np.sqrt(np.maximum(powers[one] * powers[other], 1e-30))
    return found


def _in_band() -> npt.NDArray[np.bool_]:
    frequencies = np.fft.rfftfreq(_HOP, 1 / SAMPLE_RATE)
    return np.asarray((frequencies >= _BAND[0]) & (frequencies <= _BAND[1]))


_FADING = np.linspace(1, 0, _HOP, endpoint=False, dtype=np.float32)
_WINDOW = np.hanning(_HOP).astype(np.float32)
_IN_BAND = _in_band()

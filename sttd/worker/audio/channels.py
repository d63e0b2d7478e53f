"""Several channels into one, so that whoever speaks in any of them is heard.

Mostly that is FFmpeg's mix. But that loses a voice where the channels cancel each other (a balanced microphone on a stereo
input: one is the other turned over), where it leaves a channel out (input 4 of 6, taken for a subwoofer) or where one voice is
divided by 64. Such a mix is recognised by its energy: in the band of speech, and above the noise, it has far less than the
strongest channel. Then each channel gets a gain by its share of the sound, as in an automatic microphone mixer (Dugan,
"Automatic microphone mixing", JAES 1975), and channels that are turned over are turned back.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Gains = npt.NDArray[np.float64]

# FFmpeg's gains for a mix to mono (libswresample/rematrix.c), by its names of channels
_GAINS = {
    **dict.fromkeys(("FL", "FR", "FLC", "FRC", "DL", "DR", "WL", "WR"), 0.5**0.5),
    **dict.fromkeys(("BL", "BR", "BC", "SL", "SR"), 0.5),
    "FC": 1.0,
    "LFE": 0.0,
    "LFE2": 0.0,
}
_HOP = 0.1  # seconds that are measured together; gains go from one to the next in a straight line
_BAND = (150.0, 4000.0)  # Hz; rumble is no voice
_LOST = 1 / 8  # of the strongest channel's power (9 dB): a mix with less has lost it
_FLOOR_RISE = 10**0.01  # by which the noise that is known rises at most in a hop: 1 dB a second
# The least power that is not silence: of a sine at -130 dB. The noise is never less, so that a hop of zeros (a call that is
# muted) is forgotten at 1 dB a second too: what was 180 s ago means nothing, see `resample.py`
_QUIETEST = 1e-7
_ABOVE = 2.0  # times the noise; what is above is sound
_FADE = 0.8  # share of a channel's sound that still counts in the next hop: a gain must last through a word
_MEMORY = 0.97  # the same for the comparison of the mixes, and for the signs: 3 s
_TURNED = -0.5  # correlation below which a channel is turned over


class Channels:
    """The mix of one track's channels. It remembers seconds only, and its output is as long as its input.

    Args:
        names: FFmpeg's, of each channel.
        rate: Hz.
    """

    def __init__(self, names: list[str], rate: int) -> None:
        self.turned = False  # a channel was turned back, for else it would have cancelled others
        self.is_plain = True  # it was FFmpeg's mix all the time
        count = len(names)
        self._plain = _plain(names)
        self._hop = hop(rate)
        frequencies = np.fft.rfftfreq(self._hop, 1 / rate)
        band = (frequencies >= _BAND[0]) & (frequencies <= _BAND[1])
        self._band = band if band.any() else np.ones(len(band), bool)
        self._window = np.hanning(self._hop).astype(np.float32)
        self._held = np.zeros((count, 0), np.float32)  # samples that are not measured yet, behind a hop that is
        self._is_measured = False  # the first hop of them is
        # for each channel, and the last one for the plain mix
        self._noise: Gains | None = None
        self._sound = np.zeros(count)  # power above the noise, fading soon
        self._lasting = np.zeros(count + 1)  # the same, fading late
        self._shared = np.zeros((count, count))  # covariance
        self._signs = np.ones(count)
        self._gains = self._plain

    def mix(self, samples: Array) -> Array:
        """Take (channels, samples); what is ready of the mix is returned, the last hop or two are kept."""
        self._held = np.concatenate((self._held, samples), axis=1)
        return self._ready()

    def finish(self) -> Array:
        """The mix of what was kept."""
        rest = self._held.shape[1]
        short = -rest % self._hop
        self._held = np.pad(self._held, ((0, 0), (0, short + self._hop)))  # a hop of silence behind the last one
        mixed = self._ready()[:rest]
        self._held, self._is_measured = self._held[:, :0], False
        return mixed

    def _ready(self) -> Array:
        mixed = [np.zeros(0, np.float32)]
        at = 0
        if not self._is_measured and self._held.shape[1] >= self._hop:
            self._gains, self._is_measured = self._measure(self._held[:, : self._hop]), True
        while self._held.shape[1] - at >= 2 * self._hop:
            hop = self._held[:, at : at + self._hop]
            after = self._measure(self._held[:, at + self._hop : at + 2 * self._hop])
            mixed.append(self._between(hop, self._gains, after))
            self._gains = after
            at += self._hop
        self._held = self._held[:, at:]
        return np.concatenate(mixed)

    def _between(self, hop: Array, first: Gains, last: Gains) -> Array:
        if np.array_equal(first, last):
            return np.asarray(first @ hop, np.float32)
        ramp = np.linspace(0, 1, self._hop, endpoint=False)
        return np.asarray((first @ hop) * (1 - ramp) + (last @ hop) * ramp, np.float32)

    def _measure(self, hop: Array) -> Gains:
        """The gains where this hop begins, by it and by what was before."""
        spectra = np.fft.rfft(np.clip(np.nan_to_num(hop), -16, 16) * self._window, axis=1)[:, self._band]
        shared = np.real(spectra @ spectra.conj().T).astype(np.float64)
        power = np.append(np.diag(shared), np.maximum(self._plain @ shared @ self._plain, 0.0))
        noise = power / 4 if self._noise is None else np.minimum(power, self._noise * _FLOOR_RISE)
        self._noise = np.maximum(noise, _QUIETEST)
        sound = np.maximum(power - _ABOVE * self._noise, 0.0)
        self._sound = _audible(np.maximum(sound[:-1], self._sound * _FADE))
        self._lasting = _audible(np.maximum(sound, self._lasting * _MEMORY))
        self._shared = self._shared * _MEMORY + shared
        if self._lasting[-1] >= self._lasting[:-1].max() * _LOST:
            self._signs = np.ones(len(hop))
            return self._plain
        self.is_plain = False
        return self._shares()

    def _shares(self) -> Gains:
        strongest = int(np.argmax(self._lasting[:-1] * np.where(self._signs > 0, 2.0, 1.0)))  # not to and fro
        powers = np.diag(self._shared)
        alike = self._shared[strongest] / np.sqrt(np.maximum(powers * powers[strongest], 1e-30))
        self._signs = np.where(alike < _TURNED, -1.0, np.where(alike > 0, 1.0, self._signs))
        levels = np.sqrt(self._sound)
        if not levels.any():
            levels = np.sqrt(self._lasting[:-1])
        gains: Gains = np.asarray(self._signs * levels / levels.sum(), np.float64)
        self.turned = self.turned or bool((gains < -0.1).any())
        return gains


def _audible(powers: Gains) -> Gains:
    return np.where(powers < _QUIETEST, 0.0, powers)


def hop(rate: int) -> int:
    """Samples that are measured together."""
    return max(16, round(rate * _HOP))


def _plain(names: list[str]) -> Gains:
    """The gains by the channels' places; all alike where these are not known."""
    count = len(names)
    if names[0] == "AMBI0":  # ambisonics: the first one hears all directions
        return np.array([1.0] + [0.0] * (count - 1))
    if count == 2:
        return np.full(2, 0.5**0.5)
    if all(name in _GAINS for name in names):
        return np.array([_GAINS[name] for name in names])
    return np.full(count, 1 / count)

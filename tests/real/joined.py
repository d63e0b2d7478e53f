"""Long recordings, joined from clips by a seed: what people drop into a folder is longer than a sentence.

Three kinds: English alone, Thai alone, and both by turns of 3 to 30 s. Between clips are pauses of 0.3 to 30 s, most of
them short; within a turn up to 1.5 s. Each recording comes in four conditions: as it is, 12 dB lower, with the rumble of
a far machine, and as a telephone has it (8 kHz, µ-law).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from faster_whisper import decode_audio

from tests.real.corpus import Clip
from tests.real.weights import cache

RATE = 16_000
_FLOOR = 1e-4  # amplitude of the noise in pauses: -80 dBFS
_PAUSES = (0.3, 30.0)  # seconds
_BREATHS = (0.3, 1.5)  # seconds, between the clips of one turn
_TURNS = (3.0, 30.0)  # seconds
_LONGEST = 45.0  # seconds of a clip
_LOW = 10 ** (-12 / 20)
_RUMBLE = 80.0  # Hz; its noise lies below
_RUMBLE_PEAK = 10 ** (-16 / 20)  # of the speech beside the rumble
_MIX = ("en", "th")
_KINDS = {"en": ("en",), "th": ("th",), "mixed": _MIX}


def joined(clips: Sequence[Clip], seconds: float, count: int, seed: int) -> list[Clip]:
    """`count` recordings of at least `seconds` for each kind that there are clips for, in all conditions."""
    made = []
    for kind, languages in _KINDS.items():
        pools = {language: [c for c in clips if c.language == language and _fits(c)] for language in languages}
        if not all(pools.values()):
            continue
        for number in range(count):
            draw = random.Random(f"{kind} {seed} {number}")
            pieces = list(_pieces(pools, seconds, draw))
            language = kind if len(languages) == 1 else "mul"
            text = " ".join(clip.text for _, clip in pieces)
            for condition, write in _CONDITIONS.items():
                path = _path(pieces, condition)
                if not path.exists():
                    _write(path, write, _together(pieces))
                group = f"long {kind}, {condition}"
                made.append(Clip(path, f"{kind}-{seed}-{number}-{condition}", group, language, text))
    return sorted(made, key=lambda clip: list(_CONDITIONS).index(clip.group.split(", ")[1]))


def one(clips: Sequence[Clip], seconds: float, seed: int) -> Clip:
    """One recording of at least `seconds` in one language, spoken nearly without pauses, for measures of time."""
    draw = random.Random(seed)
    pools = {clip.language: [c for c in clips if _fits(c)] for clip in clips}
    pieces = list(_pieces(pools, seconds, draw, _BREATHS))
    path = _path(pieces, condition := next(iter(_CONDITIONS)))
    if not path.exists():
        _write(path, _CONDITIONS[condition], _together(pieces))
    return Clip(path, path.name, "one", *pools, " ".join(clip.text for _, clip in pieces))


def _pieces(
    pools: dict[str, list[Clip]], seconds: float, draw: random.Random, pauses: tuple[float, float] = _PAUSES
) -> Iterator[tuple[float, Clip]]:
    """Clips and the seconds of silence before each, until `seconds` are full. A pool is used up before it begins anew."""
    decks: dict[str, list[Clip]] = {language: [] for language in pools}
    languages = list(pools)
    at, turn = 0.0, draw.randrange(len(languages))
    while at < seconds:
        language = languages[turn % len(languages)]
        turn += 1
        pause, left = _between(pauses, draw), draw.uniform(*_TURNS)
        while left > 0:
            if not decks[language]:
                decks[language] = draw.sample(pools[language], len(pools[language]))
            clip = decks[language].pop()
            length = seconds_of(clip)
            yield pause, clip
            at += pause + length
            left -= length if len(languages) > 1 else math.inf
            pause = _between(_BREATHS, draw)


def _fits(clip: Clip) -> bool:
    """Whether it may be a part: several, not one, fill a recording; and two who talk at once have no one text."""
    if not clip.text:
        return False
    with av.open(str(clip.path)) as container:
        channels = container.streams.audio[0].channels
    return channels == 1 and seconds_of(clip) <= _LONGEST


def _between(bounds: tuple[float, float], draw: random.Random) -> float:
    """Each doubling of the length is as probable as any other."""
    return math.exp(draw.uniform(*map(math.log, bounds)))


@functools.lru_cache(maxsize=512)
def _samples(path: Path) -> np.ndarray:
    return np.asarray(decode_audio(str(path), sampling_rate=RATE))


def seconds_of(clip: Clip) -> float:
    """The length of a clip."""
    return len(_samples(clip.path)) / RATE


def _together(pieces: Sequence[tuple[float, Clip]]) -> np.ndarray:
    parts: list[np.ndarray] = []
    for pause, clip in pieces:
        parts += [np.zeros(round(pause * RATE), np.float32), _samples(clip.path)]
    audio = np.concatenate([*parts, np.zeros(RATE, np.float32)])
    return audio + np.random.default_rng(0).normal(0, _FLOOR, len(audio)).astype(np.float32)


def _rumbling(audio: np.ndarray) -> np.ndarray:
    """Ordinary speech with noise below 80 Hz that has twice its effective level."""
    speech = audio * (_RUMBLE_PEAK / np.abs(audio).max())
    spectrum = np.fft.rfft(np.random.default_rng(1).normal(0, 1, len(audio)))
    spectrum[np.fft.rfftfreq(len(audio), 1 / RATE) > _RUMBLE] = 0
    noise = np.fft.irfft(spectrum, len(audio))
    loud = np.abs(speech) > 0.05 * _RUMBLE_PEAK
    level = 2 * np.sqrt(np.mean(np.square(speech[loud])))
    return (speech + noise * (level / noise.std())).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class _Form:
    """How a condition changes the sound, and the file that it is written to."""

    change: Callable[[np.ndarray], np.ndarray]
    suffix: str = "flac"
    codec: str = "flac"
    rate: int = RATE


_CONDITIONS = {
    "as it is": _Form(lambda audio: audio),
    "12 dB lower": _Form(lambda audio: audio * np.float32(_LOW)),
    "rumble": _Form(_rumbling),
    "telephone": _Form(lambda audio: audio, "wav", "pcm_mulaw", 8_000),
}


def _path(pieces: Sequence[tuple[float, Clip]], condition: str) -> Path:
    """Named by what it holds, so that other clips of the same names are another recording."""
    about = [(pause, hashlib.sha256(clip.path.read_bytes()).hexdigest()) for pause, clip in pieces]
    key = hashlib.sha256(repr((about, condition)).encode()).hexdigest()[:16]
    return cache() / "joined" / f"{key}.{_CONDITIONS[condition].suffix}"


def _write(path: Path, form: _Form, audio: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f"making-{path.name}")
    with av.open(str(making), "w") as container:
        stream = container.add_stream(form.codec, rate=form.rate, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(form.change(audio).clip(-1, 1)[None], "fltp", "mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler("s16", "mono", form.rate, frame_size=4096)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    making.rename(path)

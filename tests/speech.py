"""Recordings of known text and times, made of the demo samples; and how wrong a transcript of them is.

Every test that needs speech takes it from here, so that what was said is known word by word and second by second.
"""

from __future__ import annotations

import functools
import json
import random
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

SAMPLES = Path(__file__).resolve().parent.parent / "sttd" / "demo" / "samples"
RATE = 16_000


class Phrase(NamedTuple):
    start: float  # seconds; where its sound begins
    end: float
    language: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Recording:
    audio: np.ndarray  # float32, 16 kHz, mono
    phrases: list[Phrase]

    @property
    def seconds(self) -> float:
        return len(self.audio) / RATE

    def said(self, language: str | None = None) -> list[str]:
        """All words in order, or those of one language."""
        return [word for phrase in self.phrases if language in (None, phrase.language) for word in phrase.words]


@functools.cache
def _texts() -> dict[str, dict]:
    texts = json.loads((SAMPLES / "words.json").read_text("utf-8"))
    return {Path(name).stem: text for name, text in texts.items()}


def names(language: str | None = None) -> list[str]:
    """The samples, without suffix: "english", "thai", "clip00", ...; or those of one language."""
    return sorted(name for name, text in _texts().items() if language in (None, text["language"]))


def words(name: str) -> tuple[str, ...]:
    return tuple(_texts()[name]["words"])


def language(name: str) -> str:
    return _texts()[name]["language"]


@functools.cache
def sample(name: str) -> np.ndarray:
    """float32, 16 kHz, mono; not to be written to."""
    resampler = av.AudioResampler("flt", "mono", RATE)
    with av.open(str(SAMPLES / f"{name}.flac")) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    audio = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    audio.flags.writeable = False
    return audio


@functools.cache
def _sound(name: str) -> tuple[int, int]:
    """First and last sample that are louder than a hundredth of the peak."""
    loud = np.flatnonzero(np.abs(sample(name)) > 0.01 * np.abs(sample(name)).max())
    return int(loud[0]), int(loud[-1]) + 1


def compose(
    pieces: Sequence[str] | None = None,
    pauses: tuple[float, float] | Sequence[float] | float = (0.4, 1.6),
    seed: int = 0,
    *,
    seconds: float | None = None,
    language: str | None = None,
    noise: float = 1e-4,
) -> Recording:
    """Samples one after the other with pauses around them.

    Args:
        pieces: names of samples; None: drawn at random (of one `language`) until `seconds` are full.
        pauses: seconds before each piece: one figure, a range to draw from (a tuple of two), or a list of one a piece.
        seed: of the random draws and the noise; the same arguments give the same recording.
        seconds: the least length, where `pieces` are drawn; with given pieces, silence is added at the end up to it.
        language: "en" or "th"; None: both, mixed.
        noise: amplitude of the noise floor, so that silence is not digital.
    """
    draw = random.Random(seed)
    if pieces is None:
        assert seconds is not None, "say how long, or which pieces"
        pool, pieces, total = names(language), [], 0.0
        while total < seconds:
            pieces.append(draw.choice(pool))
            total += len(sample(pieces[-1])) / RATE + (sum(pauses) / 2 if isinstance(pauses, tuple) else 1.0)
    parts, phrases, at = [], [], 0
    for index, name in enumerate(pieces):
        silence = np.zeros(round(_pause(pauses, index, draw) * RATE), np.float32)
        first, last = _sound(name)
        at += len(silence)
        phrases.append(
            Phrase((at + first) / RATE, (at + last) / RATE, _texts()[name]["language"], tuple(_texts()[name]["words"]))
        )
        parts += [silence, sample(name)]
        at += len(sample(name))
    parts.append(np.zeros(max(RATE // 2, round((seconds or 0) * RATE) - at), np.float32))
    audio = np.concatenate(parts)
    floor = np.random.default_rng(seed).normal(0, noise, len(audio)).astype(np.float32)
    return Recording(audio + floor, phrases)


def _pause(pauses, index: int, draw: random.Random) -> float:
    if isinstance(pauses, (int, float)):
        return float(pauses)
    return draw.uniform(*pauses) if isinstance(pauses, tuple) else pauses[index % len(pauses)]


class _Form(NamedTuple):
    container: str
    codec: str
    format: str  # of the encoder's samples
    rate: int | None = None  # the only one that the codec takes
    video: bool = False
    bit_rate: int | None = None


_FORMS = {
    "wav": _Form("wav", "pcm_s16le", "s16"),
    "f32.wav": _Form("wav", "pcm_f32le", "flt"),
    "mp3": _Form("mp3", "libmp3lame", "fltp", bit_rate=64_000),
    "m4a": _Form("ipod", "aac", "fltp", bit_rate=64_000),
    "ogg": _Form("ogg", "libopus", "flt", 48_000, bit_rate=32_000),
    "opus": _Form("ogg", "libopus", "flt", 48_000, bit_rate=32_000),
    "flac": _Form("flac", "flac", "s16"),
    "webm": _Form("webm", "libopus", "flt", 48_000, bit_rate=32_000),
    "aac": _Form("adts", "aac", "fltp", bit_rate=64_000),
    "ac3": _Form("ac3", "ac3", "fltp", 48_000, bit_rate=192_000),
    "mka": _Form("matroska", "flac", "s16"),
    "mp4": _Form("mp4", "aac", "fltp", video=True, bit_rate=64_000),
    "m4v": _Form("mp4", "aac", "fltp", video=True, bit_rate=64_000),
    "mkv": _Form("matroska", "libopus", "flt", 48_000, video=True, bit_rate=32_000),
    "mov": _Form("mov", "aac", "fltp", video=True, bit_rate=64_000),
    "ts": _Form("mpegts", "aac", "fltp", video=True, bit_rate=64_000),
}


# of encoders: what is to be decoded need not be coded well. Their defaults take two to seven times as long
QUICK = {
    "aac": {"aac_coder": "fast"},
    "libmp3lame": {"compression_level": "9"},
    "libopus": {"compression_level": "0"},
}


def encode(
    path: Path | str,
    audio: np.ndarray,
    rate: int = RATE,
    channels: int = 1,
    *,
    form: str | None = None,
    delay: float = 0.0,
    gaps: Sequence[tuple[float, float]] = (),
    video_only: bool = False,
    fragmented: bool = False,
    quick: bool = True,
) -> Path:
    """Write 16 kHz `audio`, mono or channels by samples, to a file of the kind that its suffix names; returns the path.

    Args:
        path: its suffix is one of wav, mp3 (64 kbit/s), m4a, ogg and opus (Opus), flac, webm, aac (ADTS), ac3, mka, and
            mp4, m4v, mkv, mov, ts with a small video beside the audio.
        rate: sample rate of the file where its codec leaves a choice (Opus and AC-3 are always at 48 kHz).
        channels: 1, 2 or 6 for mono audio; the speech is in each of 2, and in the centre alone of 6 (5.1).
        form: the kind, where the suffix is to lie ("f32.wav": float samples).
        delay: seconds by which the audio starts after the video; for kinds with video.
        gaps: (at, length) in seconds: the time stamps jump by `length` there; for kinds with time stamps.
        video_only: leave the audio out.
        fragmented: mp4, m4a, mov: written in fragments, so that a cut file can still be read.
        quick: the coding need not be good. False: as good as the encoder makes it by default, for what is measured.
    """
    path = Path(path)
    channels = len(audio) if audio.ndim > 1 else channels
    kind = _FORMS[form or path.suffix.lstrip(".").lower()]
    options = {"movflags": "frag_keyframe+empty_moov"} if fragmented else {}
    with av.open(str(path), "w", format=kind.container, options=options) as container:
        video = _add_video(container) if kind.video else None
        stream = None if video_only else _add_audio(container, kind, rate, channels, quick)
        if video is not None:
            _write_video(container, video, audio.shape[-1] / RATE + delay + sum(length for _, length in gaps))
        if stream is not None:
            _write_audio(container, stream, kind, audio, delay, gaps)
    return path


def _add_video(container):
    video = container.add_stream("mpeg4", rate=5)
    video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
    return video


def _add_audio(container, kind: _Form, rate: int, channels: int, quick: bool):
    layout = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 6: "5.1", 8: "7.1"}[channels]
    stream = container.add_stream(kind.codec, rate=kind.rate or rate, layout=layout, format=kind.format)
    stream.codec_context.options = QUICK.get(kind.codec, {}) if quick else {}
    if kind.bit_rate:
        stream.bit_rate = kind.bit_rate * max(1, channels // 2)
    return stream


def _write_video(container, video, seconds: float) -> None:
    for number in range(max(1, round(seconds * 5))):
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), number % 250, np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 5)
        container.mux(video.encode(frame))
    container.mux(video.encode(None))


def _write_audio(container, stream, kind: _Form, audio: np.ndarray, delay: float, gaps) -> None:
    rate = stream.codec_context.sample_rate
    layout = stream.codec_context.layout.name
    resampler = av.AudioResampler(kind.format, layout, rate, frame_size=stream.codec_context.frame_size or 1024)
    packet = round(RATE * 0.1)
    written = 0
    for at in range(0, audio.shape[-1], packet):
        frame = av.AudioFrame.from_ndarray(_spread(audio[..., at : at + packet], layout), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        written = _put(container, stream, resampler.resample(frame), rate, written, delay, gaps)
    written = _put(container, stream, resampler.resample(None), rate, written, delay, gaps)
    container.mux(stream.encode(None))


def _spread(audio: np.ndarray, layout: str) -> np.ndarray:
    """The channels of one frame, (channels, samples)."""
    mono = np.ascontiguousarray(audio, np.float32)
    if mono.ndim > 1:
        return mono
    if layout == "5.1":
        channels = np.zeros((6, len(mono)), np.float32)
        channels[2] = mono
        return channels
    return np.ascontiguousarray(np.broadcast_to(mono, (2 if layout == "stereo" else 1, len(mono))))


def _put(container, stream, frames, rate: int, written: int, delay: float, gaps) -> int:
    for frame in frames:
        jumped = delay + sum(length for at, length in gaps if written / rate >= at)
        frame.pts, frame.time_base = written + round(jumped * rate), Fraction(1, rate)
        written += frame.samples
        container.mux(stream.encode(frame))
    return written


def error_rate(said: Sequence[str] | str, heard: Sequence[str] | str, language: str = "en") -> float:
    """Edits by what was said: words for English, characters without spaces for Thai (as the demo model's README)."""
    left, right = _units(said, language), _units(heard, language)
    numbers = {unit: number for number, unit in enumerate({*left, *right})}
    other = np.array([numbers[unit] for unit in right], np.int64)
    places = np.arange(len(right) + 1)
    row = places.copy()  # edits from what was said so far to each beginning of what was heard
    for unit in left:
        step = row + 1
        step[1:] = np.minimum(step[1:], row[:-1] + (other != numbers[unit]))
        row = np.minimum.accumulate(step - places) + places  # insertions
    return int(row[-1]) / max(1, len(left))


def _units(text: Sequence[str] | str, language: str) -> Sequence[str]:
    text = text if isinstance(text, str) else " ".join(text)
    text = unicodedata.normalize("NFC", text).lower()
    if language in ("th", "mixed"):
        return re.sub(r"[\s.,!?]+", "", text)
    return re.sub(r"[.,!?]+", " ", text).split()


def says(heard: str, name: str) -> bool:
    """Whether `heard` is what is said in a sample, two words in ten wrong at most: the demo model's own measure."""
    return error_rate(words(name), heard, language(name)) <= 0.2

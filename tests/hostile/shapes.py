"""Recordings that can be transcribed, or plainly cannot, in shapes that few programs expect."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tests import speech
from tests.hostile import media
from tests.hostile.corpus import MAX_AUDIO, MAX_GAP, Case, Fate
from tests.hostile.media import ENGLISH, SECOND, THAI, good, tracks


def _done(path: str, make: Callable[[], bytes], says: str = ENGLISH, warns: str = "") -> Case:
    return Case(path.encode(), make, Fate.DONE, says, warns)


def _fails(path: str, make: Callable[[], bytes], says: str) -> Case:
    return Case(path.encode(), make, Fate.FAILED, says)


def _with(value: float, kind: Callable[[np.ndarray], bytes] = media.floats) -> bytes:
    """A recording in which 2,000 samples are `value`."""
    audio = speech.sample(ENGLISH).copy()
    audio[100:2_100] = value
    return kind(audio)


def _silence(seconds: float, rate: int = 16_000) -> np.ndarray:
    return np.zeros(round(seconds * rate), np.float32)


def _changing(*parts: bytes) -> bytes:
    return b"".join(parts)


WRONG_SUFFIX = [
    _done("flac-as.mp3", good),
    _done("mp3-as.wav", partial(good, "mp3")),
    _done("m4a-as.ogg", partial(good, "m4a")),
    _done("opus-as.aac", partial(good, "opus")),
    _done("ts-as.amr", partial(good, "ts")),
    _done("wav-as.mkv", media.wav),
]
FORMS = [
    _done("8000-hz.wav", partial(good, "wav", rate=8_000), "*"),  # that is too little for the demo model
    *(_done(f"{rate}-hz.wav", partial(good, "wav", rate=rate)) for rate in (11_025, 22_050, 48_000, 96_000, 192_000)),
    _done("7-1.wav", partial(tracks, "wav", "pcm_s16le", "s16", 48_000, "7.1")),
    _done("7-1.flac", partial(tracks, "flac", "flac", "s16", 48_000, "7.1")),
    _done("5-1.flac", partial(good, channels=6)),
    _done("24-bit.wav", partial(tracks, "wav", "pcm_s24le", "s32")),
    _done("32-bit.wav", partial(tracks, "wav", "pcm_s32le", "s32")),
    _done("float.wav", partial(tracks, "wav", "pcm_f32le", "flt")),
    _done("double.wav", partial(tracks, "wav", "pcm_f64le", "dbl")),
    _done("8-bit.wav", partial(tracks, "wav", "pcm_u8", "u8"), "*"),
    _done("a-law.wav", partial(tracks, "wav", "pcm_alaw", "s16", 8_000), "*"),
    _done("mu-law.au", partial(tracks, "au", "pcm_mulaw", "s16", 8_000), "*"),
    _done("big-endian.aiff", partial(tracks, "aiff", "pcm_s16be")),
    _done("core-audio.caf", partial(tracks, "caf", "pcm_s16le")),
    _done("wave64.w64", partial(tracks, "w64", "pcm_s16le")),
    _done("true-audio.tta", partial(tracks, "tta", "tta")),
    _done("wavpack.wv", partial(tracks, "wv", "wavpack", "s16p")),
    _done("windows.wma", partial(tracks, "asf", "wmav2", "fltp", 44_100)),
    _done("lossless.m4a", partial(tracks, "ipod", "alac", "s16p")),
    _done("audio.avi", partial(tracks, "avi", "pcm_s16le")),
    _done("flash.flv", partial(tracks, "flv", "pcm_s16le", "s16", 44_100)),
]
TRACKS = [
    _fails("video-only.mp4", partial(good, "mp4", video_only=True), "no audio track"),
    _fails("video-only.mkv", partial(good, "mkv", video_only=True), "no audio track"),
    _fails("picture-only.mka", lambda: media.picture_only("matroska"), "no audio track"),
    _fails("subtitles-only.mkv", media.subtitles_only, ""),
    _done(
        "two-tracks.mkv", partial(tracks, "matroska", "flac", samples=(ENGLISH, THAI)), ENGLISH, "audio track 1 of 2"
    ),
    _done(
        "40-tracks.mka",
        partial(
            tracks, "matroska", "pcm_s16le", samples=(SECOND,) + (THAI,) * 39, languages=("eng", "\x1b[31m", "x" * 500)
        ),
        SECOND,
        "audio track 1 of 40",
    ),
    _done("chained.ogg", lambda: _changing(good("ogg"), good("ogg", SECOND)), "*"),
    _done("chained-rate.ogg", lambda: _changing(good("ogg"), tracks("ogg", "flac", "s16", 8_000, "stereo")), "*"),
    _done("changing-rate.aac", lambda: _changing(good("aac", rate=44_100, channels=2), good("aac", SECOND)), "*"),
    _done("changing-rate.mp3", lambda: _changing(good("mp3", rate=44_100, channels=2), good("mp3", SECOND)), "*"),
    _done("changing-rate.flac", lambda: _changing(good(), good("flac", SECOND, 44_100, 2)), "*"),
    _done("flac-after.mp3", lambda: _changing(good("mp3"), good()), "*"),
    _done("zip-after.mp3", lambda: good("mp3") + b"PK\3\4" + bytes(2_000) + b"TAG" + b"x" * 125, "*"),
    _done("zeros-before.mp3", lambda: bytes(3_000) + good("mp3"), "*"),
]
SOUND = [
    _done("silence.wav", lambda: media.of(_silence(3), "wav"), ""),
    _done("one-sample.wav", lambda: media.wav(b"\1\0"), ""),
    _done("half-a-sample.wav", lambda: media.wav(media.pcm16() + b"\1"), ENGLISH),
    _done("tone.flac", lambda: media.of(np.sin(np.arange(48_000) * 0.2).astype(np.float32) * 0.5), "*"),
    _done("square-wave.flac", lambda: media.of(np.sign(np.sin(np.arange(48_000) * 0.05)).astype(np.float32)), "*"),
    _done("noise.flac", lambda: media.of(np.random.default_rng(0).uniform(-1, 1, 48_000).astype(np.float32)), "*"),
    _done("no-numbers.wav", lambda: _with(float("nan")), "*", "no numbers"),
    _done("infinite.wav", lambda: _with(float("-inf")), "*", "far too loud"),
    _done("far-too-loud.wav", lambda: _with(1e30), "*", "far too loud"),
    _done("all-no-numbers.wav", lambda: media.floats(np.full(32_000, np.nan, np.float32)), "", "no numbers"),
    _done("direct-current.wav", lambda: media.floats(np.ones(32_000, np.float32)), "*"),
    _done("hole.mka", partial(good, "mka", times=2, gaps=((1.0, 15.0),)), "*"),
    _done("hole-too-long.mka", partial(good, "mka", times=2, gaps=((1.0, 2 * MAX_GAP),)), "*", "made no sense"),
    _fails("longer-than-the-limit.flac", lambda: media.of(_silence(MAX_AUDIO + 20)), "limits.max_audio"),
    _fails("longer-and-cut.wav", lambda: media.of(_silence(MAX_AUDIO + 20), "wav")[:-1000], "limits.max_audio"),
    _fails(
        "hole-beyond-the-limit.mka",
        partial(good, "mka", times=2, gaps=tuple((0.3 * n, MAX_GAP - 1) for n in range(1, 8))),
        "limits.max_audio",
    ),
]

CASES = [*WRONG_SUFFIX, *FORMS, *TRACKS, *SOUND, _done("zz good, and last.flac", good)]

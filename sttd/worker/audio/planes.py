"""The samples of a frame, and a frame of silence.

PyAV looks for the end of a frame's planes at a null pointer. Behind the eighth there is none, so `AudioFrame.planes` of eight or
more channels, each in a plane of its own, has planes that do not exist: reading them kills the process.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame

_MOST = 7  # planes that PyAV counts rightly


def samples_of(frame: AudioFrame) -> npt.NDArray[np.float32]:
    """The samples of each channel, full scale at 1; channels by samples."""
    if frame.format.is_planar and len(frame.layout.channels) > _MOST:
        frame = _as(frame, frame.format.packed.name)
    samples: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype == np.uint8:
        samples = samples.astype(np.float32) / 128 - 1
    elif samples.dtype.kind == "i":
        samples = samples / 2.0 ** (8 * samples.dtype.itemsize - 1)
    return samples.astype(np.float32)


def silent(like: AudioFrame, samples: int) -> AudioFrame:
    """A frame of silence in the form of `like`, without a time stamp."""
    packed = like.format.packed
    frame = AudioFrame(packed, like.layout, samples)
    frame.sample_rate = like.sample_rate
    (plane,) = frame.planes
    plane.update((b"\x80" if packed.name == "u8" else b"\0") * plane.buffer_size)
    return _as(frame, like.format.name) if like.format.is_planar else frame


def _as(frame: AudioFrame, form: str) -> AudioFrame:
    """The same samples, as `form` has them."""
    (converted,) = av.AudioResampler(form, frame.layout, frame.sample_rate).resample(frame)
    return converted

"""Where is speech? Silero VAD v6, the ONNX file that faster-whisper brings, as a stream.

faster-whisper's own class wants the whole recording at once; this one keeps the state between calls, so that memory
does not depend on the recording's length. The network gets the same input as there, frame by frame.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
from faster_whisper.utils import get_assets_path

from sttd.worker.speech.cutting import FRAME

_CONTEXT = 64  # samples of the frame before, put in front of each frame
_STATE = (1, 1, 128)  # of h and of c

Array = npt.NDArray[np.float32]


class SpeechDetector(Protocol):
    """What `windows` needs: a detector that starts afresh at each window."""

    def reset(self) -> None:
        """Forget everything heard."""

    def probabilities(self, frames: Array) -> Array:
        """The probability of speech in each of the frames, which follow what was heard since `reset`."""


class Silero:
    """One stream's detector. All share one session, which keeps no state and uses one thread."""

    def __init__(self) -> None:
        self._session = _session()
        self.reset()

    def reset(self) -> None:
        self._h = np.zeros(_STATE, np.float32)
        self._c = np.zeros(_STATE, np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, frames: Array) -> Array:
        """`frames`: (n, FRAME) float32, 16 kHz; returns (n,) float32 in 0..1. More frames a call are faster, not different."""
        assert frames.shape[1:] == (FRAME,), frames.shape
        before = np.vstack((self._context, frames[:-1, -_CONTEXT:]))
        heard, self._h, self._c = self._session.run(
            None, {"input": np.hstack((before, frames)), "h": self._h, "c": self._c}
        )
        self._context = frames[-1, -_CONTEXT:].copy()
        return np.asarray(heard, np.float32)


@functools.cache
def _session() -> Any:
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    path = Path(get_assets_path()) / "silero_vad_v6.onnx"
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"], sess_options=options)

"""Finds, checks and loads a worker's model within a time limit, or else its fallback.

Nothing here may reach the network, and nothing may hang: a name is resolved in the local cache alone, and all of that runs in a
thread that is waited for only until the limit. CTranslate2 releases the GIL while it reads, so the wait does end.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError as LoadTimeout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ctranslate2
from faster_whisper import WhisperModel

from sttd.lanes import lanes_of
from sttd.part import Loaded, ModelSpec
from sttd.units import spoken_duration
from sttd.worker.errors import NoModel, one_line
from sttd.worker.folder import REPAIR, preflight, resolve
from sttd.worker.weights import compute_type, stored_type

Notify = Callable[[str, str, str], None]  # level, text, event: see part.Notice

# what CTranslate2, the file system and a lack of memory raise while a model is read; std::length_error of a damaged
# model.bin comes as ValueError
_LOAD_ERRORS = (RuntimeError, ValueError, OSError, MemoryError)

DRIVERS = 'install what CUDA needs here (driver, cuBLAS, cuDNN), or set model.device = "cpu"'
# the words of CTranslate2 4.x and of the CUDA runtime (cudaGetErrorString)
_DRIVERS = re.compile(
    r"Library \S+ is not found or cannot be loaded|CUDA driver version is insufficient|no CUDA-capable device"
    r"|no kernel image is available|system has unsupported display driver|forward compatibility was attempted"
)


@dataclass
class LoadedModel:
    """A model in memory, and what is remembered with it from job to job."""

    whisper: Any  # faster_whisper.WhisperModel
    loaded: Loaded
    load_seconds: float  # of all tries together; `run_part` reports it once, then sets it to 0
    suppressed: list[int] | None = field(default=None, repr=False)  # tokens; see decoding/voice.py

    @property
    def lanes(self) -> int:
        """Batches that can be in the model at once."""
        return int(self.whisper.model.num_workers)


@dataclass(frozen=True, slots=True)
class _Try:
    """How one load ended: with a model, or with the reason why not."""

    whisper: Any = None
    reason: str = ""
    timed_out: bool = False
    gpu_memory: bool = False


def load(spec: ModelSpec, notify: Notify, cache: Path | None = None) -> LoadedModel:
    """Load `spec.name`, or where that fails or takes longer than `spec.load_timeout` seconds, `spec.fallback`.

    The fallback has as long again. With `spec.hold` the primary is not tried; its text is the reason that is given.

    Args:
        spec: what to load.
        notify: told of each load that failed, and of the fallback: level, text, event.
        cache: see `resolve`.

    Raises:
        NoModel: neither could be loaded; the message holds both reasons.
    """
    began = time.monotonic()
    first = _Try(reason=spec.hold) if spec.hold else _try_one(spec.name, spec, notify, cache)
    if first.whisper is not None:
        return LoadedModel(first.whisper, Loaded(spec, spec.name), time.monotonic() - began)
    if spec.fallback in ("", spec.name):
        raise NoModel(f"model {spec.name!r}: {first.reason}; there is no fallback", gpu_memory=first.gpu_memory)
    notify("WARNING", f"Falling back from model {spec.name!r} to {spec.fallback!r}: {first.reason}", "fallback")
    second = _try_one(spec.fallback, spec, notify, cache)
    if second.whisper is None:
        raise NoModel(
            f"model {spec.name!r}: {first.reason}; fallback {spec.fallback!r}: {second.reason}",
            gpu_memory=first.gpu_memory or second.gpu_memory,
        )
    loaded = Loaded(spec, spec.fallback, first.reason, stuck=first.timed_out)
    return LoadedModel(second.whisper, loaded, time.monotonic() - began)


def _try_one(name: str, spec: ModelSpec, notify: Notify, cache: Path | None) -> _Try:
    """One load, within the time limit: its folder may lie on a network share where even looking for it hangs."""
    folder: Path | None = None

    def read() -> Any:
        nonlocal folder
        found = resolve(name, cache)
        preflight(found)
        folder = found
        return _read(found, spec)

    waiting = _start(read)
    try:
        problem = waiting.exception(None if spec.load_timeout == float("inf") else spec.load_timeout)
    except LoadTimeout:
        waiting.cancel()  # a load that ends after all is dropped, not kept in memory
        spoken = spoken_duration(spec.load_timeout)
        notify("ERROR", f"[STT][TIMEOUT] Model loading timed out after {spoken}!", "model-timeout")
        return _Try(reason=f"load timed out after {spoken}", timed_out=True)
    if problem is None:
        return _Try(waiting.result())
    if isinstance(problem, NoModel):
        notify("ERROR", f"Model {name!r} cannot be loaded: {problem}", "model-error")
        return _Try(reason=str(problem))
    # the tokenizers library raises nothing narrower than a bare Exception for a damaged tokenizer.json
    if not isinstance(problem, _LOAD_ERRORS) and type(problem) is not Exception:
        raise problem
    gpu_memory = is_gpu_memory(problem)
    reason = f"load failed: {'CUDA out of memory' if gpu_memory else one_line(problem)}"
    notify("ERROR", f"Model {name!r} cannot be loaded from {str(folder)!r}: {one_line(problem)}", "model-error")
    return _Try(reason=reason, gpu_memory=gpu_memory)


def _start(read: Callable[[], Any]) -> Future[Any]:
    """Run `read` in a daemon thread: an executor's thread would keep a stuck worker from ending."""
    future: Future[Any] = Future()

    def run() -> None:
        result, problem = None, None
        try:
            result = read()
        except BaseException as error:  # noqa: BLE001 - crosses over to the thread that waits
            problem = error
        if not future.set_running_or_notify_cancel():
            return  # nobody waits any more
        if problem is None:
            future.set_result(result)
        else:
            future.set_exception(problem)

    threading.Thread(target=run, name="model-load", daemon=True).start()
    return future


def _read(folder: Path, spec: ModelSpec) -> Any:
    """Read the model into memory; "auto" is the GPU where there is one that CTranslate2 can use, else the CPU."""
    device = spec.device
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"
    # several batches at a time, each with its share of the threads: see lanes.py. They share the weights
    lanes, threads = lanes_of(spec.cpu_threads, spec.lanes) if device == "cpu" else (1, spec.cpu_threads)
    index = spec.device_index if device == "cuda" else 0
    supported = ctranslate2.get_supported_compute_types(device, index)
    whisper = WhisperModel(
        str(folder),
        device=device,
        device_index=index,
        compute_type=compute_type(spec.compute_type, device, stored_type(folder), supported),
        cpu_threads=threads,
        num_workers=lanes,
        local_files_only=True,
    )
    bands = whisper.feature_extractor.mel_filters.shape[0]
    if bands != whisper.model.n_mels:
        raise ValueError(
            f"the model wants {whisper.model.n_mels} mel bands, preprocessor_config.json makes {bands}: {REPAIR}"
        )
    return whisper


def is_gpu_memory(error: BaseException) -> bool:
    """Whether CTranslate2 (4.x; it has only RuntimeError for all that CUDA reports) ran out of the GPU's memory."""
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        ("cuda" in text and "out of memory" in text) or "cublas_status_alloc_failed" in text
    )


def is_drivers(error: BaseException) -> bool:
    """Whether CUDA's libraries or its driver are missing or do not fit: no recording can be transcribed on this GPU.

    CTranslate2 looks for cuBLAS when it first needs it, long after the model was loaded.
    """
    return isinstance(error, RuntimeError) and _DRIVERS.search(str(error)) is not None

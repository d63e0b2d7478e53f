"""One attempt at one part: turns the recording into chunks, and yields messages. It knows no pool, deadline or checkpoint."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from sttd.part import (
    SAMPLE_RATE,
    Cause,
    Chunk,
    Chunks,
    Done,
    Event,
    Failed,
    Notice,
    PartSpec,
    Place,
    Progress,
    Started,
)
from sttd.sharing import fitted, parts_of
from sttd.worker import bounds
from sttd.worker.audio.opening import open_recording
from sttd.worker.decoding.decoder import Decoder
from sttd.worker.decoding.items import Prepared, prepare
from sttd.worker.errors import PartFailed
from sttd.worker.lanes import Lanes
from sttd.worker.model import DRIVERS, LoadedModel, is_drivers, is_gpu_memory
from sttd.worker.prefetch import Prefetch, Stuck
from sttd.worker.span import Span

_PROGRESS_INTERVAL = 1.0  # seconds between two Progress messages at least
# the machine's fault: no space, no quota, no memory, no file handles
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


@dataclass(frozen=True)
class _Wound:
    """The stream is being wound forward to `resume_from`."""

    done: float  # seconds


@dataclass(frozen=True)
class _Ready:
    """The stream stands at `resume_from`."""

    total: float | None  # seconds of the recording
    parts: int  # into which the recording is divided
    ends: dict[int, int]  # sample from which on each channel is to be transcribed; see `Span.starts`


@dataclass(frozen=True)
class _Ended:
    samples: int  # of the recording, up to the part's end
    warnings: tuple[str, ...]


_Ahead = _Wound | _Ready | _Ended | Future[tuple[Chunk, ...]]


def run_part(spec: PartSpec, model: LoadedModel) -> Iterator[Event]:
    """Transcribe `spec` from `spec.resume_from` on. A part after the first begins at its border, unless `spec.places` says where.

    Yields:
        Progress while the stream is wound forward, Started, then Notice, Chunks (one a batch) and Progress, and at last
        Done; or Failed as the last one, for whatever is wrong with the recording, the machine or the model. The consumer
        may close it at any time; the file is closed then.
    """
    carried: dict[str, Any] = {"part_id": spec.part_id, "attempt": spec.attempt}
    try:
        yield from _transcribe(spec, model, carried)
    except PartFailed as error:
        carried |= {"retriable": error.retriable, "unread": error.unread}
        yield Failed(cause=error.cause, error=error.message, **carried)
    except Stuck:
        yield Failed(cause=Cause.BAD_FILE, error=bounds.ENDLESS, retriable=False, spoilt=True, **carried)
    except (RuntimeError, ValueError, OSError, MemoryError) as error:  # CTranslate2's, onnxruntime's, the system's
        remedy = f"; {DRIVERS}" if is_drivers(error) else ""
        yield Failed(cause=_cause(error), error=f"{type(error).__name__}: {error}{remedy}", retriable=True, **carried)


def _cause(error: Exception) -> Cause:
    if is_gpu_memory(error):
        return Cause.GPU_MEMORY
    if isinstance(error, MemoryError):  # a limit on the process, not the kernel's killer; a smaller batch answers both
        return Cause.OOM
    if is_drivers(error) or (isinstance(error, OSError) and error.errno in _MACHINE):
        return Cause.MACHINE
    return Cause.ERROR


def _transcribe(spec: PartSpec, model: LoadedModel, carried: dict[str, Any]) -> Iterator[Event]:
    decoder = Decoder(model, spec.options, _known(spec))
    total: float | None = None
    ends: dict[int, int] = {}
    told = time.monotonic()
    with (
        Lanes(decoder, model.lanes, spec.options.batch_size) as lanes,
        Prefetch[_Ahead](
            lambda ahead: _produce(spec, model, decoder, lanes, ahead), lanes.count, bounds.COMPUTING
        ) as ahead,
    ):
        for thing in ahead:
            match thing:
                case _Wound(done):
                    yield Progress(done=done, total=total, **carried)
                case _Ready(total, parts, ends):
                    yield _started(spec, model, total, parts, carried)
                    for text in decoder.remarks:
                        yield Notice(level="WARNING", text=text, event="options", **carried)
                case _Ended(samples, warnings):
                    yield Done(audio_seconds=samples / SAMPLE_RATE, warnings=warnings, **carried)
                case batch:
                    chunks = batch.result()
                    ends |= {chunk.channel: chunk.end for chunk in chunks}
                    done = min(ends.values())
                    yield Chunks(chunks=chunks, done=done, **carried)
                    if time.monotonic() - told >= _PROGRESS_INTERVAL:
                        told = time.monotonic()
                        yield Progress(done=done / SAMPLE_RATE, total=total, **carried)


def _known(spec: PartSpec) -> dict[int, Place]:
    """The channels' languages, where an earlier attempt or part 0 has decided them; their samples do not matter here."""
    decided = {channel: Place(0, each.language, each.probability) for channel, each in spec.decided.items()}
    return decided | {
        channel: place for channel, place in spec.places.items() if place.language or channel not in decided
    }


def _started(spec: PartSpec, model: LoadedModel, total: float | None, parts: int, carried: dict[str, Any]) -> Started:
    load_seconds, model.load_seconds = model.load_seconds, 0.0  # warm from now on
    return Started(
        pid=os.getpid(),
        model=model.loaded.model,
        requested_model=spec.model.name,
        fallback_reason=model.loaded.fallback_reason,
        stuck=model.loaded.stuck,
        load_seconds=load_seconds,
        audio_seconds=total,
        parts=parts,
        **carried,
    )


def _produce(spec: PartSpec, model: LoadedModel, decoder: Decoder, lanes: Lanes, ahead: Prefetch[_Ahead]) -> None:
    """Read the recording and put its batches into the lanes. Runs in the prefetch thread."""
    with contextlib.ExitStack() as scarce:
        if not model.loaded.stuck:  # else the stuck load may use up the recording's memory
            scarce.enter_context(bounds.memory(bounds.room(spec.size)))
        existing = spec.existing if spec.number == spec.next_index == 0 else None
        with open_recording(
            spec.source, spec.size, spec.mtime_ns, spec.options, ahead.alive,
            existing=existing, below=spec.below, handle=spec.handle,
        ) as stream:  # fmt: skip
            spec, parts = shared_out(spec, stream.duration)
            span = Span(spec, stream.channels, parts)
            told: dict[str, Any] = {"own": span.seconds, "passes": spec.passes}
            # a generator, which must be closed before its stream is
            blocks: Any = stream.blocks(span.first, spec.end, lambda done: ahead.put(_Wound(done)), **told)
            with contextlib.closing(blocks):
                first = list(itertools.islice(blocks, 1))  # read before Ready: this winds the stream forward
                scarce.close()
                ahead.put(_Ready(stream.duration, parts, dict(span.starts)))
                end = max((place.sample for place in spec.places.values()), default=0)
                windows = span.windows(itertools.chain(first, blocks))
                ready = _numbered(decoder.ready(prepare(model.whisper, window) for window in windows), spec.next_index)
                # the other parts wait until part 0 has reported the language: its first batch is one window
                is_awaited = parts > 1 and spec.number == spec.next_index == 0 and not decoder.knows_language
                sizes = itertools.chain([1] if is_awaited else [], lanes.shares())
                for batch in _batches(ready, sizes, len(span.starts)):
                    end = max(end, *(prepared.window.end for prepared in batch))
                    ahead.put(lanes.decode(batch))
            ahead.put(_Ended(end or stream.position, tuple(stream.warnings if span.is_last else stream.damage)))


def shared_out(spec: PartSpec, seconds: float | None) -> tuple[PartSpec, int]:
    """`spec` with a share that fits the recording's length, and the number of its parts.

    A file that claims to be longer than `max_audio` is not believed, and stays one part.
    """
    if spec.parts or spec.share is None or seconds is None or seconds > spec.options.max_audio:
        return spec, spec.parts or 1
    spec = replace(spec, share=fitted(spec.share, seconds))
    return spec, parts_of(seconds, spec.share)


def _numbered(ready: Iterator[Prepared], first: int) -> Iterator[Prepared]:
    """Number windows in the order in which they are decoded: with several channels, one may have waited for its language."""
    for index, prepared in enumerate(ready, first):
        yield replace(prepared, window=replace(prepared.window, index=index))


def _batches(ready: Iterator[Prepared], sizes: Iterator[int], channels: int) -> Iterator[tuple[Prepared, ...]]:
    """Batches of the given sizes. With several channels silent windows do not count, up to a limit: mostly one has sound."""
    for size in sizes:
        batch: list[Prepared] = []
        heard = 0
        for prepared in ready:
            batch.append(prepared)
            heard += prepared.features is not None
            if heard == size or len(batch) == size * channels:
                break
        if not batch:
            return
        yield tuple(batch)

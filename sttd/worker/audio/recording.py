"""A recording of any kind as a stream of 16 kHz mono samples, each at its place in the player's time.

Decoded packet by packet: damage costs the packets it lies in and no more, and memory does not depend on the length.
faster-whisper's `decode_audio` holds the whole recording, stops at the first damage, and drops start delays and holes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.container import InputContainer

from sttd.part import SAMPLE_RATE, Cause, Options
from sttd.worker.audio import rates
from sttd.worker.audio.container import REMEDY
from sttd.worker.audio.heads import Head
from sttd.worker.audio.lengths import Promise
from sttd.worker.audio.resample import Mono16k
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.audio.timeline import Timeline
from sttd.worker.errors import PartFailed

Array = npt.NDArray[np.float32]

# These have no time stamps: FFmpeg counts, and wrongly where the sample rate changes. `container.format.name`s
_COUNTED = set(
    "aac ac3 aiff alaw amr ape au avi caf dss dts dtshd eac3 gsm mp3 mulaw sln truehd tta voc w64 wav wv".split()
)
_TAGS = (
    b"ID3",
    b"TAG",
    b"APETAGEX",
)  # what a packet of MP3 begins with where files were put one behind the other: no damage
_BLOCK = SAMPLE_RATE  # samples of a block at least
_WIND_INTERVAL = 1.0  # seconds between two reports
_DEAD_END = 64  # errors of the container in a row, without a packet between them
_LOUDEST = 16.0  # full scale is 1; what is beyond this is damage, and would make the features infinite
_WRAP = 2**33 / 90_000  # seconds; MPEG's clock begins again


class Stream:
    """An open recording; read once, from the beginning. A context manager that closes it."""

    def __init__(
        self,
        file: SourceFile,
        container: InputContainer,
        track: Any,
        options: Options,
        *,
        head: Head,
        told: Promise | None,
    ) -> None:
        self._head, self._promise = head, told
        self._file, self._container, self._track, self._options = file, container, track, options
        self._begin = (container.start_time or 0) / av.time_base  # seconds
        self._stamped = container.format.name not in _COUNTED
        self._wraps = container.format.name in {"mpegts", "mpeg"}
        self._timeline = Timeline(options.max_gap)
        self._mono = Mono16k()
        self._damaged = 0  # packets
        self._first_damage = 0.0  # seconds
        self._not_numbers = 0  # samples
        self._seconds: float | None = None  # of sound, once the end is reached
        track.codec_context.thread_count = 1  # the cores are shared out over the workers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. A generator of `blocks` that is still open must be closed before."""
        self._container.close()
        self._file.close()

    @property
    def duration(self) -> float | None:
        """Seconds, as the file says; None where it does not, or cannot be believed."""
        return self._promise.seconds if self._promise else None

    @property
    def warnings(self) -> list[str]:
        """What was wrong with the recording as far as it was read, one sentence each; whole when `blocks` has ended."""
        found = []
        if self._damaged:
            found.append(f"{self._damaged} damaged packets were left out, the first at {_clock(self._first_damage)}")
        if self._timeline.broken:
            first = _clock(self._timeline.first_broken)
            found.append(f"{self._timeline.broken} time stamps made no sense and were ignored, the first at {first}")
        if self._not_numbers:
            found.append(f"{self._not_numbers} samples were no numbers, or far too loud, and were set right")
        if self._head.beyond:
            told = _clock(self._head.told / self._head.rate) if self._head.rate else f"{self._head.told:,} bytes"
            found.append(f"the head of the file says too little ({told} of sound); all that is there was read")
        if self._ends_early():
            found.append(f"the file ends early: {_clock(self._seconds or 0)} of {_clock(self.duration or 0)} are there")
        if len(self._container.streams.audio) > 1:
            number = 1 + list(self._container.streams.audio).index(self._track)
            found.append(f"only audio track {number} of {len(self._container.streams.audio)} was transcribed")
        return found

    def blocks(
        self, first_sample: int = 0, end: int | None = None, on_wind: Callable[[float], None] | None = None
    ) -> Iterator[tuple[int, Array]]:
        """The sound as (position, samples): float32, 16 kHz, mono, without a gap, from `first_sample` to before `end`.

        Everything before is decoded too and dropped, so that the same samples come at the same positions whatever
        `first_sample` is; a seek would not give that for most kinds. `on_wind` hears of it once a second at most:
        the seconds of audio done.

        Raises:
            PartFailed: BAD_FILE, UNREADABLE or CHANGED, when that shows.
        """
        wound = time.monotonic()
        for position, block in self._whole_blocks():
            if end is not None and position >= end:
                return
            if position + len(block) <= first_sample:
                if on_wind is not None and time.monotonic() - wound >= _WIND_INTERVAL:
                    wound = time.monotonic()
                    on_wind(position / SAMPLE_RATE)
                continue
            first = max(0, first_sample - position)
            last = len(block) if end is None else min(len(block), end - position)
            yield position + first, self._finite(block[first:last])

    def _whole_blocks(self) -> Iterator[tuple[int, Array]]:
        held: list[Array] = []
        position = size = 0
        for samples in self._samples():
            held.append(samples)
            size += len(samples)
            if position + size > self._options.max_audio * SAMPLE_RATE:
                raise too_long(self._options)
            if size >= _BLOCK:
                yield position, np.concatenate(held)
                position, size, held = position + size, 0, []
        if size:
            yield position, np.concatenate(held)
        self._end(position + size)

    def _samples(self) -> Iterator[Array]:
        """The timeline's way: silence where there is a hole, the sound of each frame, what the resampler has left."""
        frames = self._frames()
        frame = next(frames, None)
        stamp = self._stamp(frame, 0.0)
        while frame is not None:
            after = next(frames, None)
            at = self._mono.at
            stamp_after = self._stamp(after, at)
            silence = self._timeline.place(stamp, stamp_after, frame.samples / frame.sample_rate, at)
            if silence:
                yield from self._mono.insert(silence)
            yield from self._mono.convert(frame)
            frame, stamp = after, stamp_after
        yield from self._mono.finish()

    def _stamp(self, frame: AudioFrame | None, near: float) -> float | None:
        """A frame's time in seconds from the container's beginning."""
        seconds = frame.time if frame is not None and self._stamped else None
        if seconds is None:
            return None
        stamp = seconds - self._begin
        return stamp - round((stamp - near) / _WRAP) * _WRAP if self._wraps else stamp

    def _frames(self) -> Iterator[AudioFrame]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.error.EOFError:  # the decoder was flushed already
                return
            except MemoryError:
                raise
            except av.error.FFmpegError:
                if not bytes(packet)[:8].startswith(_TAGS):
                    self._count_damage()
                continue
            for frame in frames:
                if not rates.possible(frame.sample_rate):  # the head of a frame is damaged
                    self._count_damage()
                elif frame.samples:
                    yield frame
        self._file.check_read()

    def _packets(self) -> Iterator[Any]:
        """The container's packets; after an error of its own it is asked again, until it has nothing more to give."""
        errors = 0
        while errors < _DEAD_END:
            try:
                for packet in self._container.demux(self._track):
                    errors = 0
                    self._file.alive()
                    yield packet
                return
            except IndexError:
                # PyAV at the end of a file with a track that appeared after opening: our own was flushed before
                # (https://github.com/PyAV-Org/PyAV/issues/692)
                return
            except MemoryError:
                raise
            except (av.error.FFmpegError, OSError) as error:
                self._file.check_read()
                if not isinstance(error, av.error.FFmpegError):
                    raise
                errors += 1
                self._count_damage()

    def _count_damage(self) -> None:
        if not self._damaged:
            self._first_damage = self._mono.at
        self._damaged += 1

    def _end(self, samples: int) -> None:
        self._file.check_identity()  # a recorder that went on writing
        if not samples:
            text = "its audio track is empty, or it is of another kind than its name says"
            if self._damaged:
                text = f"nothing of it can be decoded ({self._damaged} damaged packets)"
            raise PartFailed(Cause.BAD_FILE, f"there is no sound in the file: {text}; {REMEDY}")
        self._seconds = samples / SAMPLE_RATE

    def _ends_early(self) -> bool:
        told = self._promise
        if self._seconds is None or told is None or not (told.of_track or told.is_cut):
            return False
        return self._seconds < told.seconds - max(1.0, 0.01 * told.seconds)

    def _finite(self, block: Array) -> Array:
        good = np.abs(block) <= _LOUDEST  # false for what is no number
        if good.all():
            return block
        self._not_numbers += int(len(block) - np.count_nonzero(good))
        return np.clip(np.nan_to_num(block, nan=0.0), -_LOUDEST, _LOUDEST)


def too_long(options: Options) -> PartFailed:
    text = f"the recording is longer than limits.max_audio ({_clock(options.max_audio)}); split it, or raise the limit"
    return PartFailed(Cause.BAD_FILE, text)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"

"""A recording of any kind as a stream of 16 kHz mono samples, each at its place in the player's time.

If its channels are kept apart, each is such a stream. It is decoded packet by packet: damage costs only the packets in which it
lies, and memory does not depend on the length. faster-whisper's `decode_audio` holds the whole recording, stops at the first
damage, and drops start delays and holes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from av.container import InputContainer

from sttd.part import SAMPLE_RATE, TOGETHER, Cause, Options
from sttd.worker.audio import avi, remarks
from sttd.worker.audio.apart import Apart
from sttd.worker.audio.container import REMEDY, open_container
from sttd.worker.audio.heads import Head
from sttd.worker.audio.lengths import Promise, clock, too_long
from sttd.worker.audio.mix import Mixer
from sttd.worker.audio.packets import packets
from sttd.worker.audio.resample import Unpassable
from sttd.worker.audio.sound import ALL, Clock, Sound
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.audio.tracks import Choice, left_out
from sttd.worker.errors import PartFailed

Array = npt.NDArray[np.float32]

_BLOCK = SAMPLE_RATE  # samples of a block at least
_WIND_INTERVAL = 1.0  # seconds between two reports
_NEARLY_ALL = 0.9  # of the packets
_WORTH = 60.0  # seconds without damage that are worth a transcript, though nearly all of the rest is damaged
_LOUDEST = 16.0  # full scale is 1; what is beyond this is damage, and would make the features infinite


class Stream:
    """An open recording; read once, from the beginning. A context manager that closes it."""

    def __init__(
        self,
        file: SourceFile,
        container: InputContainer,
        choice: Choice,
        options: Options,
        *,
        head: Head,
        told: Promise | None,
        rows: int = 0,
    ) -> None:
        self._rows = rows  # channels that are kept apart; 0: they are mixed
        self._apart = Apart(rows) if rows else None
        self._head, self._promise = head, told
        self._file, self._container, self._choice, self._options = file, container, choice, options
        self._count = len(container.streams.audio)  # tracks
        self._sounds: list[Sound] = []  # of the tracks that are heard
        self._mixer: Mixer | None = None  # where they are several
        self._not_numbers = 0  # samples
        self._seconds: float | None = None  # of sound, once the end is reached
        self.position = 0  # sample up to which `blocks` has read
        self._on_wind: Callable[[float], None] | None = None
        self._wound = 0.0  # when `on_wind` was called last, on the monotonic clock
        self._own, self._passes = ALL, False  # as `blocks` has them

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
    def channels(self) -> tuple[int, ...]:
        """What `blocks` gives; one alone as samples, several as channels by samples."""
        return tuple(range(TOGETHER, TOGETHER + 1 + self._rows))

    @property
    def warnings(self) -> list[str]:
        """What was wrong with the recording as far as it was read, one sentence each; complete when `blocks` has ended."""
        found = self.damage
        if self._head.beyond:
            told = clock(self._head.told / self._head.rate) if self._head.rate else f"{self._head.told:,} bytes"
            found.append(f"the head of the file says too little ({told} of sound); all that is there was read")
        if self._head.unread:
            length = f" ({clock(self._head.unread)})" if math.isfinite(self._head.unread) else ""
            text = f"another recording follows in the file{length}, {self._head.why}"
            found.append(f"{text}: it was not read; save it as a file of its own")
        if self._ends_early():
            found.append(f"the file ends early: {clock(self._seconds or 0)} of {clock(self.duration or 0)} are there")
        return found + (self._apart.remarks if self._apart else []) + self._on_tracks()

    @property
    def damage(self) -> list[str]:
        """The warnings about the seconds that were read, and not about the recording as a whole."""
        return remarks.damage(self._sounds, self._not_numbers)

    def _on_tracks(self) -> list[str]:
        """What was not heard of a file with several tracks."""
        found = [self._choice.remark] if self._choice.remark else []
        if self._choice.together or self._count < 2 or not self._sounds:
            return found
        tracks = list(self._container.streams.audio)
        numbers = [1 + tracks.index(sound.track) for sound in self._sounds]
        used = self._mixer.used if self._mixer else [True] * len(numbers)
        heard = self._mixer.heard if self._mixer else [True] * len(numbers)
        return found + left_out(self._count, numbers, used, heard)

    def blocks(
        self,
        first_sample: int = 0,
        end: int | None = None,
        on_wind: Callable[[float], None] | None = None,
        *,
        own: tuple[float, float] = ALL,
        passes: bool = True,
    ) -> Iterator[tuple[int, Array]]:
        """The sound as (position, samples): float32, 16 kHz, without a gap, from `first_sample` to before `end`.

        The same samples come at the same positions whatever `first_sample` is. Everything before is decoded too, to find its
        damage. The conversion to 16 kHz, most of the cost, is left out until shortly before it, where that changes nothing.
        Meanwhile `on_wind` is called once a second at most, with the seconds of audio done.

        `own`: the seconds whose damage is reported; other damage is reported by other parts. All of them are decoded, also in
        an attempt that resumes in their middle. With `passes`, what lies before is not decoded if the samples stay the same:
        see `passing.py`.

        Raises:
            PartFailed: BAD_FILE, UNREADABLE or CHANGED, when that shows.
        """
        self._on_wind, self._wound = on_wind, time.monotonic()
        self._own, self._passes = own, passes and own[0] > 0
        whole = self._whole_blocks(min(first_sample, round(own[0] * SAMPLE_RATE)) if own[0] else first_sample)
        for position, block in self._apart.split(whole) if self._apart else whole:
            size = block.shape[-1]
            self.position = position + size
            if end is not None and position >= end:
                return
            if position + size <= first_sample:
                self._wind(position / SAMPLE_RATE)
                continue
            first = max(0, first_sample - position)
            last = size if end is None else min(size, end - position)
            yield position + first, block[..., first:last]

    def _wind(self, seconds: float) -> None:
        if self._on_wind is not None and time.monotonic() - self._wound >= _WIND_INTERVAL:
            self._wound = time.monotonic()
            self._on_wind(seconds)

    def _whole_blocks(self, first: int) -> Iterator[tuple[int, Array]]:
        """From `first` on, or from before it."""
        held: list[Array] = []
        position = size = 0
        for samples in self._samples(first):
            position = position or self._sounds[0].first
            held.append(samples)
            size += samples.shape[-1]
            if position + size > self._options.max_audio * SAMPLE_RATE:
                raise too_long(self._options)
            if size >= _BLOCK:
                yield position, self._finite(np.concatenate(held, axis=-1), position)
                position, size, held = position + size, 0, []
        if size:
            yield position, self._finite(np.concatenate(held, axis=-1), position)
        self._end(position + size)

    def _samples(self, first: int) -> Iterator[Array]:
        """The sound of the first group of tracks that has any, beginning at `first` of its first `Sound`."""
        groups = [[track.index for track in group] for group in self._choice.groups]  # while the container is open
        for number, indexes in enumerate(groups):
            if number:
                self._reopen()
                self._promise = None  # of the first group's tracks
            is_empty = True
            for samples in self._passed_to(first, indexes):
                is_empty = False
                yield samples
            if not is_empty:
                return

    def _passed_to(self, first: int, indexes: Sequence[int]) -> Iterator[Array]:
        """The sound of these tracks; from `first` on, where what is before it can be passed over."""
        track = self._container.streams[indexes[0]]
        is_mono = getattr(track, "channels", 0) == 1
        for passes in (True, False) if self._passes else (False,):
            if first and len(indexes) == 1 and not self._rows and (is_mono or self._own[0]):
                try:
                    yield from self._of_tracks([track], first, passes=passes)
                except Unpassable:
                    self._reopen()
                    track = self._container.streams[indexes[0]]
                else:
                    return
        yield from self._of_tracks([self._container.streams[index] for index in indexes])

    def _of_tracks(self, tracks: Sequence[Any], first: int = 0, *, passes: bool = False) -> Iterator[Array]:
        clock = Clock.of(self._container, tracks[0])
        gap, rows = self._options.max_gap, self._rows
        kinds: dict[str, Any] = {"rows": rows, "first": first, "passes": passes, "own": self._own}
        self._sounds = [Sound(track, clock, gap, self._places(track), **kinds) for track in tracks]
        if len(tracks) == 1:
            (sound,) = self._sounds
            for packet in self._packets(tracks):
                yield from sound.feed(packet)
                if sound.at < sound.first / SAMPLE_RATE:
                    self._wind(sound.at)
            self._file.check_read()
            yield from sound.finish()
            return
        mixer = self._mixer = Mixer(len(tracks), together=self._choice.together, rows=self._rows)
        numbers = {track.index: number for number, track in enumerate(tracks)}
        for packet in self._packets(tracks):
            number = numbers[packet.stream.index]  # the last ones, which flush, have no stream_index
            sound = self._sounds[number]
            for samples in sound.feed(packet, mixer.front):
                mixer.put(number, samples, round(sound.start * SAMPLE_RATE))
                yield from mixer.ready()  # not once a packet, which may bring an hour of silence
        self._file.check_read()
        yield from self._rest(mixer)

    def _rest(self, mixer: Mixer) -> Iterator[Array]:
        """What the tracks still keep back. They take turns, for one may give an hour of silence before a last word."""
        rest = {number: sound.finish() for number, sound in enumerate(self._sounds)}
        while rest:
            number = mixer.last(rest)
            samples = next(rest[number], None)
            if samples is None:
                del rest[number]
            else:
                mixer.put(number, samples, round(self._sounds[number].start * SAMPLE_RATE))
                yield from mixer.ready()
        yield from mixer.finish()

    def _places(self, track: Any) -> avi.Places | None:
        if self._container.format.name != "avi":
            return None
        try:
            return avi.places(self._file, track.index)
        except OSError:
            self._file.check_read()
            raise

    def _reopen(self) -> None:
        """From the beginning once more."""
        self._container.close()
        self._file.seek(0)
        self._container = open_container(self._file)

    def _packets(self, tracks: Sequence[Any]) -> Iterator[Any]:
        return packets(self._container, tracks, self._file, self._sounds[0].count_damage)

    def _end(self, samples: int) -> None:
        self._file.check_identity()  # a recorder that went on writing
        if not samples:
            text = "its audio track is empty, or it is of another kind than its name says"
            damaged = sum(sound.damaged for sound in self._sounds)
            if damaged:
                text = f"nothing of it can be decoded ({damaged} damaged packets)"
            raise PartFailed(Cause.BAD_FILE, f"there is no sound in the file: {text}; {REMEDY}")
        self._check_damage()
        self._seconds = samples / SAMPLE_RATE

    def _check_damage(self) -> None:
        """Refuse a recording of which nearly all is damaged, or encrypted without a mark: a few packets seem good by chance."""
        packets, damaged = (sum(each) for each in zip(*((s.packets, s.damaged) for s in self._sounds), strict=True))
        if damaged > _NEARLY_ALL * packets and max(sound.whole for sound in self._sounds) < _WORTH:
            text = f"{damaged} of {packets} packets are damaged, or protected"
            raise PartFailed(Cause.BAD_FILE, f"nearly nothing of the sound can be decoded ({text}); {REMEDY}")

    def _ends_early(self) -> bool:
        if self._seconds is None or self._promise is None:
            return False
        return self._promise.is_broken(self._seconds, sum(sound.size for sound in self._sounds))

    def _finite(self, block: Array, position: int) -> Array:
        good = np.abs(block) <= _LOUDEST  # false for what is no number
        if good.all():
            return block
        begins, ends = (max(0, round(min(at, self._options.max_audio) * SAMPLE_RATE) - position) for at in self._own)
        self._not_numbers += int(np.count_nonzero(~good[..., begins:ends]))
        return np.clip(np.nan_to_num(block, nan=0.0), -_LOUDEST, _LOUDEST)

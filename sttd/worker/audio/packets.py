"""The packets of a container's tracks, in the file's order; damage to the container is skipped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import av
from av.container import InputContainer

from sttd.worker.audio.container import open_from
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.errors import PartFailed

_DEAD_END = 64  # errors of the container in a row, without a packet between them
_PIECE = 2**20  # bytes
_BEGINNING = b"OggS\0\2"  # of the first page of an Ogg track (RFC 3533, section 6)
_NONE = sys.maxsize  # the place of the next Ogg file, where there is none


def packets(
    container: InputContainer, tracks: Sequence[Any], file: SourceFile, count_damage: Callable[[], None]
) -> Iterator[Any]:
    """The packets of `tracks`. After an error the container is asked again, until it has nothing more to give.

    Ogg files may follow each other in one file, as when a radio goes from speech to music. Where the next one has another
    coding, rate or number of channels, FFmpeg refuses it, and it is opened as a container of its own. `packet.stream` is then
    its track of the same number; if one track alone is heard and that number is missing, it is the first one.

    Raises:
        PartFailed: UNREADABLE or CHANGED, see `SourceFile`.
    """
    wanted, tries = [track.index for track in tracks], _DEAD_END
    begin = yield from _packets(container, tracks, file, count_damage, 0)
    while begin != _NONE:
        try:
            further = open_from(file, begin)
        except PartFailed:
            file.check_read()
            count_damage()
            tries -= 1
            begin = _next_beginning(file, begin + 1) if tries else _NONE
            continue
        with further:
            usable = [track for track in further.streams.audio if track.codec_context]
            tracks = [track for track in usable if track.index in wanted]
            if not tracks and len(wanted) == 1:  # a picture's track in front of it may be missing now
                tracks = usable[:1]
            if not tracks:
                count_damage()
                return
            begin = yield from _packets(further, tracks, file, count_damage, begin)


def _packets(
    container: InputContainer, tracks: Sequence[Any], file: SourceFile, count_damage: Callable[[], None], begin: int
) -> Generator[Any, None, int]:
    """Returns where the next Ogg file begins, which the container refuses, or `_NONE`. `begin`: where the container's own does.

    An error means damage or this refusal. After damage the container goes on before the place where the next file begins.
    """
    is_ogg = container.format.name == "ogg"
    errors, place, following = 0, 0, -1  # errors in a row; where the latest packet was, and the next Ogg file is
    while errors < _DEAD_END:
        try:
            for packet in container.demux(tracks):
                file.alive()
                if errors:
                    if is_ogg and following != _NONE and (packet.pos is None or begin + packet.pos >= following):
                        return following
                    _count(errors, count_damage)
                    errors = 0
                place = packet.pos or place
                yield packet
            break
        except IndexError:
            # PyAV raises it at the end of a file if a track appeared after opening: ours was flushed before
            # (https://github.com/PyAV-Org/PyAV/issues/692)
            break
        except MemoryError:
            raise
        except (av.error.FFmpegError, OSError) as error:
            file.check_read()
            if not isinstance(error, av.error.FFmpegError):
                raise
            errors += 1
            if is_ogg and following <= begin + place:
                following = _next_beginning(file, begin + place + 1 if place else _behind_beginnings(file, begin))
    if errors and is_ogg and following != _NONE:
        return following
    _count(errors, count_damage)
    return _NONE


def _count(errors: int, count_damage: Callable[[], None]) -> None:
    for _ in range(errors):
        count_damage()


def _behind_beginnings(file: SourceFile, begin: int) -> int:
    """Where the first pages of an Ogg file's tracks end; they stand together. A head is 27 bytes and its pieces' lengths."""
    here, at = file.tell(), begin
    while True:
        file.seek(at)
        head = file.read(27 + 255)
        if not head.startswith(_BEGINNING) or len(head) < 27:
            file.seek(here)
            return max(at, begin + 1)
        at += 27 + head[26] + sum(head[27 : 27 + head[26]])


def _next_beginning(file: SourceFile, first: int) -> int:
    """Where the next Ogg file begins, from byte `first` on; `_NONE`: there is none. The file's position stays."""
    here, place, kept = file.tell(), first, b""
    file.seek(first)
    begin = _NONE
    while begin == _NONE and (data := file.read(_PIECE)):
        found = (kept + data).find(_BEGINNING)
        if found >= 0:
            begin = place - len(kept) + found
        place += len(data)
        kept = (kept + data)[1 - len(_BEGINNING) :]
    file.seek(here)
    return begin

"""The packets of a container's tracks, in the file's order; damage to the container is passed by."""

from __future__ import annotations

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


def packets(
    container: InputContainer, tracks: Sequence[Any], file: SourceFile, count_damage: Callable[[], None]
) -> Iterator[Any]:
    """After an error of its own the container is asked again, until it has nothing more to give.

    Ogg files may follow each other in one file, as of a radio that goes from speech to music. Where the next one has another
    coding, rate or number of channels, FFmpeg refuses it. Then its packets come of a container of its own: `packet.stream` is a
    track of the same number there; where one alone is heard and there is none, the first one.

    Raises:
        PartFailed: UNREADABLE or CHANGED, see `SourceFile`.
    """
    wanted, tries = [track.index for track in tracks], _DEAD_END
    begin = yield from _packets(container, tracks, file, count_damage, 0)
    while begin is not None:
        try:
            further = open_from(file, begin)
        except PartFailed:
            file.check_read()
            count_damage()
            tries -= 1
            begin = _next_beginning(file, begin + 1) if tries else None
            continue
        with further:
            usable = [track for track in further.streams.audio if track.codec_context]
            tracks = [track for track in usable if track.index in wanted]
            if not tracks and len(wanted) == 1:  # there is no picture in front of it any more, say
                tracks = usable[:1]
            if not tracks:
                count_damage()
                return
            begin = yield from _packets(further, tracks, file, count_damage, begin)


def _packets(
    container: InputContainer,
    tracks: Sequence[Any],
    file: SourceFile,
    count_damage: Callable[[], None],
    begin: int,
) -> Generator[Any, None, int | None]:
    """Returns where the next Ogg file begins that the container refuses, if there is one; `begin`: where its own does."""
    errors, place = 0, None
    may_follow = container.format.name == "ogg"
    while errors < _DEAD_END:
        try:
            for packet in container.demux(tracks):
                errors = 0
                file.alive()
                if may_follow and packet.pos is not None:
                    place = packet.pos
                yield packet
            return None
        except IndexError:
            # PyAV at the end of a file with a track that appeared after opening: our own was flushed before
            # (https://github.com/PyAV-Org/PyAV/issues/692)
            return None
        except MemoryError:
            raise
        except (av.error.FFmpegError, OSError) as error:
            file.check_read()
            if not isinstance(error, av.error.FFmpegError):
                raise
            if may_follow and place is not None:
                following = _next_beginning(file, begin + place + 1)
                if following is not None:
                    return following
                may_follow = False
            errors += 1
            count_damage()
    return None


def _next_beginning(file: SourceFile, first: int) -> int | None:
    """Where the next Ogg file begins, from byte `first` on."""
    here, place, kept = file.tell(), first, b""
    file.seek(first)
    while data := file.read(_PIECE):
        found = (kept + data).find(_BEGINNING)
        if found >= 0:
            return place - len(kept) + found
        place += len(data)
        kept = (kept + data)[1 - len(_BEGINNING) :]
    file.seek(here)
    return None

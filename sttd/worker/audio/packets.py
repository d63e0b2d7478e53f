"""The packets of a container's tracks, in the file's order; damage to the container is passed by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import av
from av.container import InputContainer

from sttd.worker.audio.source_file import SourceFile

_DEAD_END = 64  # errors of the container in a row, without a packet between them


def packets(
    container: InputContainer, tracks: Sequence[Any], file: SourceFile, count_damage: Callable[[], None]
) -> Iterator[Any]:
    """After an error of its own the container is asked again, until it has nothing more to give.

    Raises:
        PartFailed: UNREADABLE or CHANGED, see `SourceFile`.
    """
    errors = 0
    while errors < _DEAD_END:
        try:
            for packet in container.demux(tracks):
                errors = 0
                file.alive()
                yield packet
            return
        except IndexError:
            # PyAV at the end of a file with a track that appeared after opening: our own was flushed before
            # (https://github.com/PyAV-Org/PyAV/issues/692)
            return
        except MemoryError:
            raise
        except (av.error.FFmpegError, OSError) as error:
            file.check_read()
            if not isinstance(error, av.error.FFmpegError):
                raise
            errors += 1
            count_damage()

"""From a path to a stream of sound: the file is checked and opened, and its track is chosen."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

from av.container import InputContainer

from sttd.part import Existing, Options
from sttd.worker.audio import embedded, heads, lengths, mp3, protection, tracks, transport
from sttd.worker.audio.apart import MOST
from sttd.worker.audio.container import open_container
from sttd.worker.audio.recording import Stream
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.errors import PartFailed

_LEAST_RATE = 64  # bytes a second; no coding of speech needs less, so a header that says so is broken


def open_recording(
    path: str,
    size: int,
    mtime_ns: int,
    options: Options,
    alive: Callable[[], None] = lambda: None,
    *,
    existing: Existing | None = None,
    below: str = "",
    handle: int | None = None,
) -> Stream:
    """Open a recording that was queued with this size and time of last change.

    `alive` is called for each packet, and now and then while FFmpeg looks for one. `below`, `handle`: see `SourceFile`.

    Raises:
        PartFailed: GONE, CHANGED, UNREADABLE or MACHINE, see `SourceFile`; BAD_FILE where it is no recording, has no
            sound, a sample rate that no recording has, or is longer than `options.max_audio`; EXISTING where it has
            subtitles that are enough for `existing`. The message is a sentence for a person, without the name.
        MemoryError: FFmpeg wants more than there is; see `bounds`.
    """
    file = SourceFile(path, size, mtime_ns, alive, below=below, handle=handle)
    try:
        head = _head(file)
        container = open_container(file)
        choice = tracks.choose(container.streams.audio, options, _following(container, file))
        if existing is not None:
            embedded.check(container, choice.groups[0][0], existing)
        told = lengths.promise(container, choice.groups[0], file, head)
        if told is not None and told.of_track and options.max_audio < told.seconds < size / _LEAST_RATE:
            raise lengths.too_long(options)
    except OSError:
        with contextlib.closing(file):
            file.check_read()
            raise
    except (PartFailed, MemoryError):
        file.close()
        raise
    choice, rows = _apart(choice, options)
    return Stream(file, container, choice, options, head=head, told=told, rows=rows)


def _following(container: InputContainer, file: SourceFile) -> Callable[[Any, Any], bool]:
    """The test whether one of two tracks is heard after the other; only television recordings are examined."""
    if container.format.name != "mpegts":
        return lambda _first, _second: False
    return lambda first, second: transport.one_after_the_other(file, first.id, second.id)


def _head(file: SourceFile) -> heads.Head:
    """What its head says; the file stands at its beginning again."""
    protection.check(file)
    head = heads.look(file)
    mp3.leave_out_tags(file)
    file.seek(0)
    return head


def _apart(choice: tracks.Choice, options: Options) -> tuple[tracks.Choice, int]:
    """How many channels are kept apart, 0 for none; with a remark where they cannot be."""
    count = max(track.channels or 1 for group in choice.groups for track in group)
    if options.channels == "mix" or count == 1:
        return choice, 0
    if count <= MOST:
        return choice, count
    text = f"{count} channels are too many to be kept apart: they were mixed"
    return dataclasses.replace(choice, remark=f"{choice.remark}; {text}" if choice.remark else text), 0

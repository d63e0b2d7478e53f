"""A recording is opened: FFmpeg is told what it may take the file for, and what it may spend on it."""

from __future__ import annotations

from collections.abc import Callable

import av
from av.container import InputContainer

from sttd.part import Cause, Options
from sttd.worker.audio import rates, riff, tracks
from sttd.worker.audio.recording import REMEDY, Stream, too_long
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.errors import PartFailed

# What FFmpeg may take a file for, and that it may open nothing else for it: a playlist, a concat script or a
# subtitle dressed as a recording is refused
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,dtshd,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,tta,truehd,w64,wav,wv"
)
_STREAMS = 256  # at most; a whole television channel multiplex has about a hundred
_OPTIONS = {"protocol_whitelist": "", "format_whitelist": _FORMATS, "max_streams": str(_STREAMS)}
_BUFFER = 256 * 1024  # bytes read at once
_LEAST_RATE = 64  # bytes a second; no coding of speech needs less, so a header that says so is broken


def open_recording(
    path: str, size: int, mtime_ns: int, options: Options, alive: Callable[[], None] = lambda: None
) -> Stream:
    """Open a recording that was queued with this size and time of last change.

    `alive` is called for each packet, and now and then while FFmpeg looks for one: it has come further.

    Raises:
        PartFailed: GONE, CHANGED, UNREADABLE or MACHINE, see `SourceFile`; BAD_FILE where it is no recording, has no
            sound, a sample rate that no recording has, or is longer than `options.max_audio`. The message is a sentence
            for a person, without the name.
        MemoryError: FFmpeg wants more than there is; see `bounds`.
    """
    file = SourceFile(path, size, mtime_ns, alive)
    try:
        missing = _missing_bytes(file)
        container = _open_container(file)
        track = tracks.choose(container.streams.audio, options)
        rates.check(track.rate)
        stream = Stream(file, container, track, options, missing)
        if stream.duration is not None and options.max_audio < stream.duration < size / _LEAST_RATE:
            raise too_long(options)
    except (PartFailed, MemoryError):
        file.close()
        raise
    return stream


def _open_container(file: SourceFile) -> InputContainer:
    try:
        return av.open(file, mode="r", options=_OPTIONS, metadata_errors="ignore", buffer_size=_BUFFER)
    except MemoryError:  # av.error.MemoryError is one, too
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        file.check_read()
        text = "this is no recording that can be read: it is damaged, incomplete, or of another kind"
        raise PartFailed(Cause.BAD_FILE, f"{text}; {REMEDY}") from error


def _missing_bytes(file: SourceFile) -> int:
    try:
        missing = riff.missing_bytes(file)
        file.seek(0)
    except OSError:
        file.check_read()
        raise
    return missing

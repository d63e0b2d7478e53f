"""Opens a recording with FFmpeg, which may use certain formats and decoders only."""

from __future__ import annotations

import functools
import os

import av
from av.container import InputContainer

from sttd.part import Cause
from sttd.worker.audio import transport
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.errors import PartFailed

REMEDY = "play it, and copy or export it again"
# The formats that FFmpeg may take a file for. No other file is opened for one: a playlist, a concat script or a
# subtitle dressed as a recording is refused
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dss,dts,dtshd,eac3,flac,flv,gsm,matroska,mov,mp3,mpeg,mpegts,mxf,ogg,rm,tta,truehd,"
    "voc,w64,wav,wv"
)
# Samples alone, without any head: only the suffix tells what they are. Asterisk and other telephone systems write them so, 8 kHz
# mono; suffix to FFmpeg's format
_RAW = {"sln": "sln", "ulaw": "mulaw", "ul": "mulaw", "pcmu": "mulaw", "alaw": "alaw", "al": "alaw", "pcma": "alaw"}
_RAW_RATE = "8000"  # Hz
_STREAMS = 256  # at most; a whole television channel multiplex has about a hundred
_BUFFER = 256 * 1024  # bytes read at once
_PLACES = 64  # of a television recording, that are looked at
# These name no tracks in their head: FFmpeg finds each by its first packet, and looks for them in the first 5 MB or 5 s.
# The number is the place of the first packet
_HEADLESS = {"flv": 13, "mpeg": 0, "mpegts": 0}
# the second look: through the whole file, without keeping what was read
_THOROUGH = {"probesize": str(2**40), "analyzeduration": str(10**15), "fflags": "+nobuffer"}


def open_container(file: SourceFile) -> InputContainer:
    """Open it, and find its tracks; also where the sound of a live stream or a film begins late.

    Raises:
        PartFailed: BAD_FILE, where it is no recording; UNREADABLE, see `SourceFile`.
        MemoryError: FFmpeg wants more than there is; see `bounds`.
    """
    try:
        container = _open(file, {})
        name = container.format.name
        if not container.streams.audio and name in _HEADLESS:
            return _again(container, file, _THOROUGH, _HEADLESS[name])
        if name == "mpegts" and (tables := _unknown_tables(container, file)):
            return _again(container, _Preceded(tables, file), {}, len(tables))
    except MemoryError:  # av.error.MemoryError is one, too
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        file.check_read()
        text = "this is no recording that can be read: it is damaged, incomplete, or of another kind"
        raise PartFailed(Cause.BAD_FILE, f"{text}; {REMEDY}") from error
    return container


def open_from(file: SourceFile, begin: int) -> InputContainer:
    """Open what begins at that byte of a file. Raises what `open_container` raises."""
    file.seek(begin)
    try:
        return _open(_Moved(file, -begin), {})
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        file.check_read()
        raise PartFailed(Cause.BAD_FILE, "what follows in the file cannot be read") from error


def _again(container: InputContainer, file: SourceFile | _Preceded, more: dict[str, str], begin: int) -> InputContainer:
    """Open the file once more to find its tracks in another way, then go to byte `begin`, where its packets begin."""
    container.close()
    file.seek(0)
    container = _open(file, more)
    container.seek(begin, unsupported_byte_offset=True)
    return container


def _unknown_tables(container: InputContainer, file: SourceFile) -> bytes:
    """The tables of programmes in mid-file whose sound FFmpeg has not found at the file's beginning or end."""
    here, known, found = file.tell(), {stream.id for stream in container.streams}, b""
    for place, data in list(transport.places(file, _PLACES)):
        unknown = transport.numbers_of_sound(data) - known
        if unknown:
            known |= unknown
            found += transport.tables(file, place)
    file.seek(here)
    return found


class _Moved:
    """A file whose places are moved by so many bytes, so that a later one of them counts as 0."""

    def __init__(self, file: SourceFile, by: int) -> None:
        self.name = file.name
        self._file, self._by = file, by

    def read(self, count: int = -1) -> bytes:
        return self._file.read(count)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET:
            offset -= self._by
        return self._file.seek(offset, whence) + self._by

    def tell(self) -> int:
        return self._file.tell() + self._by


class _Preceded:
    """A file with some bytes in front of it."""

    def __init__(self, before: bytes, file: SourceFile) -> None:
        self.name = file.name
        self._before, self._file, self._at = before, file, 0

    def read(self, count: int = -1) -> bytes:
        data = self._before[self._at : self._at + count]
        if not data:
            self._file.seek(self._at - len(self._before))
            data = self._file.read(count)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            offset += self._file.seek(0, os.SEEK_END) + len(self._before)
        self._at = max(0, offset + (self._at if whence == os.SEEK_CUR else 0))
        return self._at

    def tell(self) -> int:
        return self._at


def _open(file: SourceFile | _Preceded | _Moved, more: dict[str, str]) -> InputContainer:
    raw = _RAW.get(file.name.rpartition(".")[2].lower())
    options = {
        "protocol_whitelist": "",
        "format_whitelist": raw or _FORMATS,
        "codec_whitelist": audio_decoders(),
        "max_streams": str(_STREAMS),
        **({"sample_rate": _RAW_RATE} if raw else {}),
        **more,
    }
    return av.open(file, mode="r", format=raw, options=options, metadata_errors="ignore", buffer_size=_BUFFER)


@functools.cache
def audio_decoders() -> str:
    """The names of FFmpeg's, with commas. On opening, FFmpeg decodes some of each track: no video decoder need run."""
    return ",".join(sorted(name for name in av.codecs_available if _is_audio_decoder(name)))


def _is_audio_decoder(name: str) -> bool:
    try:
        return av.Codec(name, "r").type == "audio"
    except ValueError:  # it encodes only
        return False

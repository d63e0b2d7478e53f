"""How much of a WAV file is missing: FFmpeg takes the end of the file for the end of the sound, whatever the head says.

A copy that was broken off would be transcribed as if it were whole.
"""

from __future__ import annotations

import os
import struct

from sttd.worker.audio.source_file import SourceFile

_CHUNKS = 64  # looked at before the sound; recorders write a handful
_STREAMED = (
    0x7FFF_F000  # from here on a length is what programs write that do not know it (FFmpeg 2**32 - 1, SoX 2**31)
)


def missing_bytes(file: SourceFile) -> int:
    """Bytes of sound that the head of a WAV file promises beyond the file's end; 0 where it is no WAV file.

    Raises:
        OSError: it cannot be read.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    position = 12
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return 0
    for _ in range(_CHUNKS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            return 0
        name, length = struct.unpack("<4sI", chunk)
        position += 8 + length
        if name == b"data":
            return 0 if length >= _STREAMED else max(0, position - size)
        position += length % 2
    return 0

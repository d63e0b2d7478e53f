"""Samples without a head (16 bits, little endian, mono, 16 kHz), as clients of whisper-asr-webservice send them, as a WAV file."""

from __future__ import annotations

import struct

from sttd.part import SAMPLE_RATE

SUFFIX = ".wav"
HEAD = 44  # bytes
MOST = 2**32 - HEAD  # bytes of samples: WAV counts with 32 bits, which are 37 hours
SECOND = 2 * SAMPLE_RATE  # bytes


def head(size: int) -> bytes:
    """What a WAV file of so many bytes of samples begins with. Multimedia Programming Interface 1.0, 1991, pages 56 to 60."""
    form = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, SECOND, 2, 16)
    return struct.pack("<4sI4s4sI16s4sI", b"RIFF", HEAD - 8 + size, b"WAVE", b"fmt ", len(form), form, b"data", size)

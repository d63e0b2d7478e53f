"""What goes through a worker's pipes: orders one way, messages the other, as frames that anything foreign breaks.

`Connection.recv` blocks on a message whose sender was stopped or killed half way, and waits for gigabytes when foreign
bytes (a C library that writes to a wrong descriptor) come in as a length. A decoder that is fed what there is does
neither. It builds nothing but the words of `part.py` and of this module, so that the parent imports no library
that a worker's message happens to mention.
"""

from __future__ import annotations

import enum
import io
import pickle
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sttd.part import Cause, PartSpec

_HEADER = struct.Struct(">4sII")  # magic, length in bytes, CRC-32 of the body
_MAGIC = b"sttd"
MOST = 64 * 2**20  # bytes of one frame; a batch of 128 windows full of words has less than one of these MiB
_VOCABULARY = ("sttd.part", "sttd.sharing", __name__)


class WireError(Exception):
    """What came is no frame of ours: its sender cannot be trusted any further."""


@dataclass(frozen=True, slots=True)
class Took:
    """The worker has all it needs, and begins with the part: from here on a death may be the part's fault."""

    part_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Do:
    part: PartSpec


@dataclass(frozen=True, slots=True)
class Stop:
    """End this attempt at the end of its batch."""

    part_id: str
    attempt: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Clean:
    """Give memory back after the next batch."""


@dataclass(frozen=True, slots=True)
class Exit:
    """There is nothing more to do."""


Order = Do | Stop | Clean | Exit


def encode(message: object) -> bytes:
    """One frame.

    Raises:
        WireError: the message cannot be pickled, or is too large.
    """
    try:
        body = _pickled(message)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise WireError(f"{type(message).__name__} cannot be sent: {error}") from error
    if len(body) > MOST:
        raise WireError(f"{type(message).__name__} of {len(body)} bytes is too large")
    return _HEADER.pack(_MAGIC, len(body), zlib.crc32(body)) + body


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: object) -> Any:
        """A member of an enumeration is its class called with its value; Python 3.11.2 would send `getattr`."""
        return (type(obj), (obj.value,)) if isinstance(obj, enum.Enum) else NotImplemented


def _pickled(message: object) -> bytes:
    body = io.BytesIO()
    _Pickler(body, protocol=5).dump(message)
    return body.getvalue()


class Decoder:
    """Makes messages of the bytes that came so far, and keeps the beginning of what has not come whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are whole now.

        Raises:
            WireError: the bytes are no frame, or a frame holds anything but our own words.
        """
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            magic, length, checksum = _HEADER.unpack_from(self._buffer)
            if magic != _MAGIC or length > MOST:
                raise WireError(f"foreign bytes: {bytes(self._buffer[:16])!r}")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            if zlib.crc32(body) != checksum:  # damage can make pickle ask for gigabytes
                raise WireError("foreign bytes within a message")
            yield _load(body)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = getattr(sys.modules.get(module), name, None) if module in _VOCABULARY else None
        if not isinstance(found, type):
            raise pickle.UnpicklingError(f"a message may not hold {module}.{name}")
        return found


def _load(body: bytes) -> Any:
    try:
        return _Unpickler(io.BytesIO(body)).load()
    except (pickle.UnpicklingError, EOFError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise WireError(f"a message that cannot be read: {error}") from error

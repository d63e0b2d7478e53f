"""What goes through a worker's pipes: orders one way, messages the other, in frames that reveal foreign bytes.

`Connection.recv` blocks on a message whose sender was stopped or killed half way, and waits for gigabytes when foreign
bytes (a C library that writes to a wrong descriptor) come in as a length. A decoder that is fed the bytes that are there does
neither. It builds only the message classes of `part.py` and of this module, with the types that they declare (see `codec.py`):
the parent imports no library that a worker's message happens to mention, and no message breaks code of ours.
"""

from __future__ import annotations

import dataclasses
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sttd.part import Cause, Chunks, Done, Failed, Loaded, Notice, PartSpec, Progress, Started
from sttd.pool.codec import Codec, Unfit
from sttd.pool.sense import nonsense

_HEADER = struct.Struct(">4sII")  # magic, length in bytes, CRC-32 of the body
_MAGIC = b"sttd"
MOST = 16 * 2**20  # bytes of one frame at most: an order may have long hotwords
MOST_SAID = 4 * 2**20  # bytes of one frame of a worker at most; `AT_ONCE` windows full of words have less than 1 MiB
AT_ONCE = 32  # chunks in one message at most: the daemon does nothing else while it takes one in

MARK = (
    b"\0sttd worker\0"  # a far worker writes it once, before its first frame: a shell's profile may have printed before
)
PROTOCOL = 2  # version of what a far worker and its head send each other


class WireError(Exception):
    """Bytes that are no frame of ours, whose sender cannot be trusted any further; or a message that cannot be sent."""


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


@dataclass(frozen=True, slots=True)
class Die:
    """To a far worker: print the stacks of the worker's process, and kill it. The line stays."""


# What follows goes over the line to a worker on another machine; see `pool/far/`.


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of a far worker. It has one field of plain values, so that any version can read any other's.

    Keys: protocol, version, host, pid, gpus (names), memory (bytes), cores, models (names of those that are there).
    """

    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setup:
    """The answer to Hello: the settings of a far worker, sent once."""

    version: str
    protocol: int
    silence: float  # seconds without a byte from the head after which the far side ends
    beat: float  # seconds between two beats
    number: int = 0  # of the slot, from 0: it chooses the GPU
    slots: int = 1  # of the same command: they share the cores
    device: str = "auto"  # auto, cpu or cuda: what parts use there
    usual_device: str = ""  # the head's usual device: a part with it gets `device` there; "": every part does
    cpu_threads: int = 0  # 0: see `far.facts.threads`
    jobs_per_worker: int = 100  # parts after which its process is replaced by a new one
    cleanup_every_chunks: int = 50
    cleanup_cooldown: float = 60.0  # seconds
    model: str = ""  # this and the fallback are the head's; where neither is there, the answer is Refused
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The answer to Setup: parts are taken from now on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer to Setup where it cannot be met; the far side ends."""

    why: str  # a sentence for a person


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life. Any byte is one; both sides send beats so that there always are some."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The worker's process on the far side has ended. The next Do starts another one."""

    part_id: str  # of the part that it had, or that it was to get; "": none
    attempt: int
    exitcode: int | None  # as in `Death`
    problem: str
    oom: bool  # the kernel has killed for lack of memory there since the part began
    unborn: str = ""  # as in `Death`


@dataclass(frozen=True, slots=True)
class Ask:
    """The far side wants these bytes of the part's recording."""

    part_id: str
    attempt: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Block:
    """The answer to Ask."""

    part_id: str
    attempt: int
    offset: int
    data: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class NoBlock:
    """The other answer to Ask: the recording here is no longer what was queued, or cannot be read."""

    part_id: str
    attempt: int
    cause: Cause
    error: str


@dataclass(frozen=True, slots=True)
class Forget:
    """The job has ended: the far side drops what it was sent of this recording."""

    source: str  # as in PartSpec


Order = Do | Stop | Clean | Exit
FarOrder = Order | Die | Setup | Beat | Block | NoBlock | Forget


_SAID = (Started, Progress, Chunks, Notice, Done, Failed, Loaded)  # of part.py; the pool makes Lost itself
_OWN = [
    each for each in vars(sys.modules[__name__]).values()
    if isinstance(each, type) and dataclasses.is_dataclass(each) and each.__module__ == __name__
]  # fmt: skip
_CODEC = Codec([*_SAID, *_OWN])


def encode(message: object) -> bytes:
    """One frame.

    Raises:
        WireError: the message is of no class listed here, does not fit its class, or is too large.
    """
    try:
        body = _CODEC.pack(message) + b"\n"  # Slurm's srun passes on whole lines only
    except Unfit as error:
        raise WireError(f"{type(message).__name__} cannot be sent: {error}") from error
    if len(body) > MOST:
        raise WireError(f"{type(message).__name__} of {len(body)} bytes is too large")
    return _HEADER.pack(_MAGIC, len(body), zlib.crc32(body)) + body


class Decoder:
    """Turns the bytes that have come into messages, and keeps the beginning of an incomplete frame."""

    def __init__(self, most: int = MOST_SAID) -> None:
        """`most`: bytes of one frame."""
        self._most = most
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are complete now.

        Raises:
            WireError: the bytes are no frame, or a frame holds anything but a message of ours.
        """
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            magic, length, checksum = _HEADER.unpack_from(self._buffer)
            if magic != _MAGIC or length > self._most:
                raise WireError(f"foreign bytes: {bytes(self._buffer[:16])!r}")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            if zlib.crc32(body) != checksum:
                raise WireError("foreign bytes within a message")
            yield _load(body)


def _load(body: bytes) -> Any:
    try:
        message = _CODEC.unpack(body)
    except Unfit as error:
        raise WireError(f"a message that cannot be read: {error}") from error
    if wrong := nonsense(message):
        raise WireError(f"a {type(message).__name__} with {wrong}")
    return message

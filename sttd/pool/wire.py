"""What goes through a worker's pipes: orders one way, messages the other, as frames that anything foreign breaks.

`Connection.recv` blocks on a message whose sender was stopped or killed half way, and waits for gigabytes when foreign
bytes (a C library that writes to a wrong descriptor) come in as a length. A decoder that is fed what there is does
neither. It builds nothing but the words of `part.py` and of this module, each with the types of its class (see `codec.py`):
the parent imports no library that a worker's message happens to mention, and what a worker says breaks no code of ours.
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
MOST = 16 * 2**20  # bytes of one frame: an order, with hotwords of any length
MOST_SAID = (
    4 * 2**20
)  # bytes of one that a worker says; `AT_ONCE` windows full of words have less than one of these MiB
AT_ONCE = 32  # chunks that a worker says at once: what comes in one message keeps the daemon busy without a pause

MARK = (
    b"\0sttd worker\0"  # a far worker writes it once, before its first frame: a shell's profile may have spoken before
)
PROTOCOL = 2  # of what a far worker and its head say to each other


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


@dataclass(frozen=True, slots=True)
class Die:
    """To a far worker: print the stacks of the worker's process, and kill it. The line lives on."""


# What follows goes over the line to a worker on another machine; see `pool/far/`.


@dataclass(frozen=True, slots=True)
class Hello:
    """The first word of a far worker. It has one field of plain values, so that any version can read any other's.

    Keys: protocol, version, host, pid, gpus (names), memory (bytes), cores, models (names of those that are there).
    """

    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setup:
    """The answer to Hello: what a far worker is told once."""

    version: str
    protocol: int
    silence: float  # seconds without a byte from the head after which the far side ends
    beat: float  # seconds between two beats
    number: int = 0  # of the slot, from 0: it chooses the GPU
    slots: int = 1  # of the same command: they share the cores
    device: str = "auto"  # auto, cpu or cuda: what a part has there
    usual_device: str = ""  # what the head's parts say that mean no device in particular; "": all of them
    cpu_threads: int = 0  # 0: the cores of that side shared out
    jobs_per_worker: int = 100  # parts after which its process is replaced by a new one
    cleanup_every_chunks: int = 50
    cleanup_cooldown: float = 60.0  # seconds
    model: str = ""  # those that the head is configured with; where neither is there, the answer is Refused
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
    """Nothing is new, and the line lives. Any byte says so; both sides send these so that there are some."""


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


_SAID = (Started, Progress, Chunks, Notice, Done, Failed, Loaded)  # of part.py; Lost is never said, but found out
_OWN = [
    each for each in vars(sys.modules[__name__]).values()
    if isinstance(each, type) and dataclasses.is_dataclass(each) and each.__module__ == __name__
]  # fmt: skip
_CODEC = Codec([*_SAID, *_OWN])


def encode(message: object) -> bytes:
    """One frame.

    Raises:
        WireError: the message is none of our words, or not as its class says, or is too large.
    """
    try:
        body = _CODEC.pack(message) + b"\n"  # Slurm's srun passes on whole lines alone
    except Unfit as error:
        raise WireError(f"{type(message).__name__} cannot be sent: {error}") from error
    if len(body) > MOST:
        raise WireError(f"{type(message).__name__} of {len(body)} bytes is too large")
    return _HEADER.pack(_MAGIC, len(body), zlib.crc32(body)) + body


class Decoder:
    """Makes messages of the bytes that came so far, and keeps the beginning of what has not come whole."""

    def __init__(self, most: int = MOST_SAID) -> None:
        """`most`: bytes of one frame."""
        self._most = most
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are whole now.

        Raises:
            WireError: the bytes are no frame, or a frame holds anything but our own words.
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

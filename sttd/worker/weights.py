"""The type in which a model's weights are stored, and the type in which to compute.

CTranslate2's "default" computes in the type that a model is stored in; where a device does not support that type, it takes
float32 instead, and warns at each load. Nearly all Whisper models are stored as float16, which no CPU computes in: float32
takes twice the processor time of int8 for the same words (tests/bench/LOG.md has the figures).
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

# ctranslate2/specs/model_spec.py, `_serialize` (binary versions 4 to 6): little endian, strings with their length and a 0
_VERSIONS = range(4, 7)
_TYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
_MOST = 100_000  # variables: more is no model


def compute_type(wanted: str, device: str, stored: str, supported: Collection[str]) -> str:
    """What to ask CTranslate2 for.

    Args:
        wanted: `model.compute_type`. A person's own choice is kept; only for "default" is there something to decide.
        device: cpu or cuda.
        stored: see `stored_type`.
        supported: the types that the device computes in.

    Returns:
        `wanted`, unless it is "default" and the stored type is known, but not supported. Then "auto" for a CPU: int8 where it
        can. For a GPU, which is too old for that type, float32: every weight stays exact, and mostly fits into memory.
    """
    if wanted != "default" or not stored or stored in supported:
        return wanted
    return "auto" if device == "cpu" else "float32"


def stored_type(folder: Path) -> str:
    """The type that most bytes of a model's weights are stored in; "" if that cannot be read: the load will say why."""
    path = folder / "model.bin"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""  # a pipe: what is read here would be missing for the load
        with path.open("rb") as file:
            return _most_used(file)
    except (OSError, struct.error, LookupError, ValueError):
        return ""


def _most_used(file: BinaryIO) -> str:
    version = _number(file, "I")
    if version not in _VERSIONS:
        return ""
    _skip_text(file)  # the kind of the model
    _number(file, "I")  # its revision
    sizes = dict.fromkeys(_TYPES, 0)
    for _ in range(_bounded(_number(file, "I"))):
        _skip_text(file)
        file.seek(4 * _number(file, "B"), 1)  # the shape
        kind = _TYPES[_number(file, "B")]
        size = _number(file, "I")
        sizes[kind] += size
        file.seek(size, 1)
    return max(sizes, key=lambda kind: sizes[kind])


def _number(file: BinaryIO, kind: str) -> int:
    (value,) = struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))
    return int(value)


def _skip_text(file: BinaryIO) -> None:
    file.seek(_number(file, "H"), 1)


def _bounded(count: int) -> int:
    if count > _MOST:
        raise ValueError
    return count

"""Dataclasses to JSON and bytes, and back. A value that is not of the type that its class declares is an error.

A worker decodes recordings of strangers, and one of these may take it over. Two dozen bytes of pickle can use gigabytes of memory
or change a class of the daemon. This codec builds our own message classes only, in a few times the size of their bytes. No
library does that: msgspec and its like write UTF-8 only, and a file's name may be no valid UTF-8.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import struct
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_SIZE = struct.Struct(">I")  # length of the JSON in bytes; the contents of all `bytes` fields follow it
_LARGEST = 2**63  # the absolute value of an integer is smaller
_MANY = 400_000  # values of a message at most, roughly: each costs a hundred bytes of memory, and time
_LARGE = 2**96  # the limit where a field's metadata has `large`: some file systems have times of more than 2**63 ns

_Writer = Callable[[Any, Any], Any]
_Reader = Callable[[Any, Any], Any]


class Unfit(ValueError):
    """A value that does not fit its class, or bytes that are no message."""


class Codec:
    """For messages of the classes `words`; a message is sent with the name of its class."""

    def __init__(self, words: Iterable[type]) -> None:
        self._words = {each.__name__: each for each in words}

    def pack(self, message: object) -> bytes:
        """Raises Unfit."""
        name, data = type(message).__name__, bytearray()
        if self._words.get(name) is not type(message):
            raise Unfit(f"a message may not be a {name}")
        written = [name, _writer(self._words[name])(message, data)]
        text = json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        _are_few(text)
        return _SIZE.pack(len(text)) + text + data

    def unpack(self, body: bytes) -> Any:
        """Raises Unfit."""
        try:
            end = _SIZE.size + _SIZE.unpack_from(body)[0]
            text = body[_SIZE.size : end]
            _are_few(text)
            name, values = json.loads(text.decode("utf-8", "surrogatepass"))
            kind = self._words.get(name)
        except Unfit:
            raise
        except (struct.error, ValueError, TypeError, RecursionError) as error:
            raise Unfit(f"a message that cannot be read: {error}") from error
        if kind is None:
            raise Unfit(f"a message may not be a {name!r:.40}")
        return _reader(kind)(values, body[end:])


def _are_few(text: bytes) -> None:
    """Count the values before they take memory. Raises Unfit: there are too many."""
    if text.count(b",") + text.count(b"[") + text.count(b"{") > _MANY:
        raise Unfit("more values than any message has")


class _Large:
    """Marks the type of a field that may hold a large integer."""


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, Any], ...]:
    hints = typing.get_type_hints(kind)
    return tuple(
        (each.name, _Large if each.metadata.get("large") else hints[each.name]) for each in dataclasses.fields(kind)
    )


@functools.cache
def _writer(kind: Any) -> _Writer:
    """The function that turns a value of type `kind` into JSON, and appends its bytes to `data`."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        fields = [(name, _writer(each)) for name, each in _fields(kind)]
        return lambda value, data: _a(value, kind) and [write(getattr(value, name), data) for name, write in fields]
    if origin is types.UnionType:
        write = _writer(_beside_none(inner))
        return lambda value, data: None if value is None else write(value, data)
    if origin is tuple and inner[-1] is ...:
        write = _writer(inner[0])
        return lambda value, data: [write(each, data) for each in _a(value, tuple | list)]
    if origin is tuple:
        writers = [_writer(each) for each in inner]
        return lambda value, data: [
            write(each, data)
            for write, each in zip(writers, _long(list(_a(value, tuple | list)), len(writers)), strict=True)
        ]
    if origin in (dict, Mapping):
        key, write = (_writer(each) for each in inner)
        return lambda value, data: [[key(name, data), write(each, data)] for name, each in _a(value, Mapping).items()]
    if kind is bytes:
        return _put
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return lambda value, _: _a(value, kind).value
    return _reader_of_one(kind)


def _a(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise Unfit(f"a {type(value).__name__} where {getattr(kind, '__name__', kind)} is due")
    return value


def _put(value: Any, data: bytearray) -> list[int]:
    data += _a(value, bytes)
    return [len(data) - len(value), len(value)]


def _beside_none(inner: tuple[Any, ...]) -> Any:
    """The type in a union with None; our messages have no other unions."""
    (kind,) = (each for each in inner if each is not types.NoneType)
    return kind


@functools.cache
def _reader(kind: Any) -> _Reader:
    """The function that turns JSON into a value of type `kind`."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass_reader(kind)
    if origin is types.UnionType:
        read = _reader(_beside_none(inner))
        return lambda value, data: None if value is None else read(value, data)
    if origin is tuple and inner[-1] is ...:
        read = _reader(inner[0])
        return lambda value, data: tuple([read(each, data) for each in _a(value, list)])
    if origin is tuple:
        readers = [_reader(each) for each in inner]
        return lambda value, data: tuple(
            [read(each, data) for read, each in zip(readers, _long(value, len(readers)), strict=True)]
        )
    if origin in (dict, Mapping):
        key, read = (_reader(each) for each in inner)
        return lambda value, data: {
            key(name, data): read(each, data) for name, each in (_long(pair, 2) for pair in _a(value, list))
        }
    return _reader_of_one(kind)


def _reader_of_one(kind: Any) -> _Reader:
    if kind is bytes:
        return _taken
    if kind is Any:
        return lambda value, _: value
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return lambda value, _: _member(kind, value)
    if kind is float:
        return lambda value, _: _number(value)
    if kind is int:
        return lambda value, _: _integer(value)
    if kind is _Large:
        return lambda value, _: _integer(value, _LARGE)
    return lambda value, _: _a(value, kind)


def _dataclass_reader(kind: Any) -> _Reader:
    names = [name for name, _ in _fields(kind)]
    readers = [_reader(each) for _, each in _fields(kind)]

    def make(value: Any, data: bytes) -> Any:
        values = [read(each, data) for read, each in zip(readers, _long(value, len(readers)), strict=True)]
        return kind(**dict(zip(names, values, strict=True)))

    return make


def _long(value: Any, length: int) -> list[Any]:
    found: list[Any] = _a(value, list)
    if len(found) != length:
        raise Unfit(f"{len(found)} values where {length} are due")
    return found


def _member(kind: type[enum.Enum], value: Any) -> enum.Enum:
    try:
        return kind(value)
    except (ValueError, TypeError) as error:  # TypeError: what cannot be hashed
        raise Unfit(f"no {kind.__name__}: {value!r:.40}") from error


def _integer(value: Any, largest: int = _LARGEST) -> int:
    if type(value) is not int or not -largest < value < largest:
        raise Unfit("something else where an integer is due")
    return value


def _number(value: Any) -> float:
    if type(value) is int:
        return _integer(value)
    if type(value) is not float or math.isnan(value):
        raise Unfit("something else where a number is due")
    return value


def _taken(value: Any, data: bytes) -> bytes:
    start, length = (_integer(each) for each in _long(value, 2))
    if not 0 <= start <= start + length <= len(data):
        raise Unfit("bytes that are not there")
    return data[start : start + length]

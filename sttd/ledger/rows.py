"""Jobs as rows: paths are bytes in SQLite, because a name need not be valid text."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from sttd.job import Job, Overrides, State

COLUMNS = tuple(field.name for field in dataclasses.fields(Job))


def _path(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


def _overrides(value: Overrides) -> str:
    return json.dumps(dataclasses.asdict(value))


def _text(value: str | None) -> str | None:
    """Text without lone surrogates, which SQLite does not take: an error may quote a file's name."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()


def _wide(value: int) -> int | bytes:
    """SQLite's integers end with 64 bits: a time of change behind the year 2262 in nanoseconds is kept as its digits."""
    return value if -(2**63) <= value < 2**63 else str(value).encode()


def _plan(value: str | None) -> dict[str, Any] | None:
    """A promise that is torn is none that can be kept, and costs nobody else's job anything."""
    if value is None:
        return None
    try:
        plan = json.loads(value)
    except ValueError:
        return {}
    return plan if isinstance(plan, dict) else {}


_TO_ROW: dict[str, Callable[[Any], Any]] = {
    "source": _path,
    "mtime_ns": _wide,
    "location": _path,
    "state": str,
    "overrides": _overrides,
    "outputs": lambda value: json.dumps(list(value)),
    "warnings": lambda value: json.dumps(list(value)),
    "plan": lambda value: None if value is None else json.dumps(value),
    "error": _text,
    "fallback_reason": _text,
}
_FROM_ROW: dict[str, Callable[[Any], Any]] = {
    "source": os.fsdecode,
    "mtime_ns": int,
    "location": lambda value: None if value is None else os.fsdecode(value),
    "state": State,
    "overrides": lambda value: Overrides(**json.loads(value)),
    "no_copy": bool,
    "outputs": lambda value: tuple(json.loads(value)),
    "warnings": lambda value: tuple(json.loads(value)),
    "plan": _plan,
}


def to_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a job as SQLite stores them."""
    return {name: _TO_ROW[name](value) if name in _TO_ROW else value for name, value in values.items()}


def from_row(row: tuple[Any, ...]) -> Job:
    """The job of a row that was selected with `COLUMNS`."""
    pairs = zip(COLUMNS, row, strict=True)
    return Job(**{name: _FROM_ROW[name](value) if name in _FROM_ROW else value for name, value in pairs})


_BARE = Job(0, "", 0, 0)
# the columns of a new job that may not be NULL, for `add` to put over what it knows
NEW = to_row({name: value for name in COLUMNS if name != "id" and (value := getattr(_BARE, name)) is not None})

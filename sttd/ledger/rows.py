"""Jobs as rows: paths are bytes in SQLite, because a name need not be valid text.

Nothing in a row is trusted: SQLite stores any value in any column, and a disk or a person may have put it there.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

from sttd.job import FolderOptions, Job, Overrides, Shared, State

Read = tuple[Job, list[str]]  # a job as its row says, and the columns with an impossible value; mostly none
COLUMNS = tuple(field.name for field in dataclasses.fields(Job))
MOST_PARTS = 100_000  # of one recording: `limits.max_audio` in the shortest parts has fewer


def _path(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


def _overrides(value: Overrides) -> str:
    return json.dumps(dataclasses.asdict(value))


def _folder_options(value: FolderOptions) -> str | None:
    return json.dumps(dataclasses.asdict(value)) if value else None


def text_or_none(value: str | None) -> str | None:
    """Text without lone surrogates, which SQLite does not take: an error may quote a file's name."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()


def _wide(value: int) -> int | bytes:
    """SQLite's integers have 64 bits: a modification time (in ns) after the year 2262 is stored as its digits."""
    return value if -(2**63) <= value < 2**63 else str(value).encode()


_TO_ROW: dict[str, Callable[[Any], Any]] = {
    "source": _path,
    "mtime_ns": _wide,
    "location": _path,
    "state": str,
    "overrides": _overrides,
    "folder_options": _folder_options,
    "outputs": lambda value: json.dumps(list(value)),
    "hashes": lambda value: json.dumps(list(value)),
    "warnings": lambda value: json.dumps(list(value)),
    "plan": lambda value: None if value is None else json.dumps(value),
    "error": text_or_none,
    "model": text_or_none,
    "requested_model": text_or_none,
    "fallback_reason": text_or_none,
    "shared": lambda value: None if value is None else json.dumps(dataclasses.asdict(value)),
}


def to_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a job as SQLite stores them."""
    return {name: _TO_ROW[name](value) if name in _TO_ROW else value for name, value in values.items()}


_BARE = Job(0, "", 0, 0)
# defaults for the columns that may not be NULL; `Ledger.add` puts what it knows over them
_SET = {name: value for name in COLUMNS if name != "id" and (value := getattr(_BARE, name)) is not None}
NEW = {name: value for name, value in to_row(_SET).items() if value is not None}


def from_row(row: tuple[Any, ...]) -> Read:
    """The job of a row that was selected with `COLUMNS`, and the columns with an impossible value.

    Such a column gets the value of a new job; but an unknown state becomes FAILED, and a lost location means that the
    source is gone. `error` names the damaged columns.
    """
    values, damaged = {}, []
    for name, value in zip(COLUMNS, row, strict=True):
        try:
            values[name] = _FROM_ROW[name](value)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            values[name] = _LOST.get(name, getattr(_BARE, name))
            damaged.append(name)
    if damaged:
        values["error"] = f"its row in the ledger was damaged ({', '.join(damaged)})"
    return Job(**values), damaged


def path_of(value: Any) -> str:
    """A path as it is stored. Raises ValueError where it cannot be one."""
    if not isinstance(value, bytes) or b"\0" in value:
        raise ValueError("not a path")
    return os.fsdecode(value)


def _source(value: Any) -> str:
    if value == b"":
        raise ValueError("no path")
    return path_of(value)


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def _count(value: Any) -> int:
    if _whole(value) < 0:
        raise ValueError("less than nothing")
    return value  # type: ignore[no-any-return]


def _figure(value: Any) -> float:
    if not isinstance(value, float | int):
        raise TypeError("not a number")
    return value


def _words(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _maybe(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _overrides_of(value: Any) -> Overrides:
    asked = json.loads(value)
    return Overrides(**{name: _maybe(_words)(each) for name, each in asked.items()})


def _folder_options_of(value: Any) -> FolderOptions:
    return FolderOptions() if value is None else folder_options(json.loads(value))


def folder_options(value: Any) -> FolderOptions:
    """What JSON says of them. Raises ValueError, TypeError, KeyError or AttributeError where it cannot be that."""
    return FolderOptions(tuple(map(_words, value["files"])), dict(value["values"].items()))


def shared_of(value: Any) -> Shared:
    """What JSON says of it. Raises ValueError, TypeError, KeyError or OverflowError where it cannot be that."""
    found = Shared(_whole(value["parts"]), _figure(value["after"]), _figure(value["length"]))
    if not (2 <= found.parts <= MOST_PARTS and 0 < found.length < math.inf):
        raise ValueError("nothing is shared out like that")
    return found


def cause_or_none(value: Any) -> str | None:
    """A cause as it is stored. Raises ValueError for one that does not exist."""
    if value is None:
        return None
    from sttd.part import Cause  # noqa: PLC0415 - `sttd status` is there sooner without, and most rows have none

    return Cause(value)


def texts_of(value: Any) -> tuple[str, ...]:
    """A list of texts as it is stored. Raises ValueError, TypeError or RecursionError where it cannot be one."""
    found = json.loads(value)
    if not isinstance(found, list):
        raise TypeError("not a list")
    return tuple(map(_words, found))


def _plan_of(value: Any) -> dict[str, Any]:
    """The plan; {} for a damaged one, which cannot be carried out: the job goes on from its checkpoint (daemon/filing.py)."""
    try:
        plan = json.loads(value)
    except (ValueError, TypeError, RecursionError):
        return {}
    return plan if isinstance(plan, dict) else {}


BY_TYPE: dict[str, Callable[[Any], Any]] = {
    "int": _count,
    "float": _figure,
    "int | None": _maybe(_count),
    "float | None": _maybe(_figure),
    "str | None": _maybe(_words),
}
_OWN_WAY: dict[str, Callable[[Any], Any]] = {
    "source": _source,
    "location": _maybe(path_of),
    "mtime_ns": lambda value: int(value) if isinstance(value, bytes) else _whole(value),
    "owner": _whole,
    "state": State,
    "cause": cause_or_none,
    "overrides": _overrides_of,
    "folder_options": _folder_options_of,
    "shared": _maybe(lambda value: shared_of(json.loads(value))),
    "no_copy": bool,
    "outputs": texts_of,
    "hashes": texts_of,
    "warnings": texts_of,
    "plan": _maybe(_plan_of),
}
_FROM_ROW = {field.name: _OWN_WAY.get(field.name) or BY_TYPE[str(field.type)] for field in dataclasses.fields(Job)}
_LOST: dict[str, Any] = {"source": "unknown", "state": State.FAILED, "location": ""}

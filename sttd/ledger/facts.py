"""Facts: single values in the ledger, each with a name and a fixed shape.

As with rows, nothing that is stored is trusted: a disk or a person may have put any JSON there, or none. A reader always
gets a value of the right shape. A damaged one is replaced, and logged once with what follows from the loss.
"""

from __future__ import annotations

import json
import math
import os
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_SHOWN = 80  # characters of a damaged value in the log
_LARGEST = 2**63  # SQLite counts no further


@dataclass(frozen=True)
class Fact(Generic[T]):
    """The name, shape and defaults of one value."""

    name: str
    read: Callable[[Any], T]  # from JSON; raises an error of `_WRONG` for any other shape
    default: T  # where none was stored
    damaged: T  # what is stored instead of a damaged one
    instead: str  # what follows from that, in words
    lasts: bool = False  # it is in the manifest too, so that a rebuilt ledger has it


_WRONG = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def read(db: sqlite3.Connection, fact: Fact[T]) -> tuple[T, str | None]:
    """The value of a fact; and, if it is damaged, the text that is stored there, cut to fit a log line."""
    row = db.execute("SELECT value FROM facts WHERE name = ?", (fact.name,)).fetchone()
    if row is None:
        return fact.default, None
    try:
        value = json.loads(row[0])
        return (fact.default if value is None else fact.read(value)), None
    except _WRONG:
        return fact.damaged, str(row[0])[:_SHOWN]


def _require(is_right: bool) -> None:
    if not is_right:
        raise ValueError("not such a value")


def _flag(value: Any) -> bool:
    _require(isinstance(value, bool))
    return bool(value)


def _whole(value: Any) -> int:
    """Of any size: inode numbers are unsigned, with 64 bits."""
    _require(isinstance(value, int) and not isinstance(value, bool) and value >= 0)
    return int(value)


def _job(value: Any) -> int:
    _require(_whole(value) < _LARGEST)
    return _whole(value)


def _number(value: Any) -> float:
    _require(isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value))
    return float(value)


def _text(value: Any) -> str:
    _require(isinstance(value, str))
    return str(value)


def _word(value: Any) -> str:
    """The random word in a folder's mark file. The file is read as such a word, so any other text could never match it."""
    _require(re.fullmatch("[0-9a-f]{32}", _text(value)) is not None)
    return _text(value)


def _name(value: Any) -> str:
    """A file name that can be opened: it has no NUL byte."""
    _require(b"\0" not in os.fsencode(_text(value)))
    return _text(value)


def _path(value: Any) -> str:
    _require(_name(value).startswith("/"))
    return _text(value)


def _list_of(each: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    def read(value: Any) -> tuple[T, ...]:
        _require(isinstance(value, list))
        return tuple(map(each, value))

    return read


def _numbers(value: Any) -> list[int]:
    """A list, as stored: it is compared with a list of the numbers seen now."""
    return list(_list_of(_whole)(value))


def _dict_of(each: Callable[[Any], T]) -> Callable[[Any], dict[str, T]]:
    return lambda value: {name: each(one) for name, one in value.items()}


def _with(**keys: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    """A JSON object with at least these keys; other keys are dropped."""
    return lambda value: {name: each(value[name]) for name, each in keys.items()}


def _clock(value: Any) -> dict[str, float | None]:
    doubted = value.get("doubted")
    return {"believed": _number(value["believed"]), "doubted": None if doubted is None else _number(doubted)}


def _daemon(value: Any) -> dict[str, Any]:
    read = {"pid": _whole, "since": _number, "version": _text, "live": _name, "models": _name}
    return {name: each(value[name]) for name, each in read.items() if value.get(name) is not None}


def _watched(value: Any) -> dict[str, Any]:
    folder = _with(path=_path, mark=_text, device=_whole, inode=_whole)(value)
    return folder | {"inbox": None if value["inbox"] is None else _text(value["inbox"])}


PAUSED = Fact[bool]("paused", _flag, False, False, "the queue is not paused", lasts=True)
FIRST = Fact[tuple[int, ...]]("first", _list_of(_job), (), (), "no job comes before the others")
IGNORED = Fact[dict[str, int]]("ignored", _dict_of(_whole), {}, {}, "what the inbox leaves alone is counted again")
EXAMPLES = Fact[dict[str, str]](  # of what is ignored, by reason
    "left alone", _dict_of(_name), {}, {}, "what the inbox leaves alone is named again"
)
DAEMON = Fact[dict[str, Any]]("daemon", _daemon, {}, {}, "the next start of the daemon writes it again")
# UTC seconds of the end of the last job whose source was looked at again, by age (see daemon/lookback.py)
LOOKED_BACK = Fact[tuple[float, ...] | None](
    "looked back", _list_of(_number), None, (), "what was filed away in the last days is looked at again"
)
PLACES = Fact[dict[str, dict[str, Any]]](  # see outbox/places.py
    "places", _dict_of(_with(path=_path, word=_word, numbers=_numbers)), {}, {},
    "transcripts/, archive/ and failed/ are taken as they are there now",
)  # fmt: skip
# UTC seconds since when the manifest has had names of forgotten jobs; 0: not known, since long ago
FORGOTTEN = Fact[float | None]("forgotten since", _number, None, 0.0, "the manifest is rewritten soon")
CLOCK = Fact[dict[str, float | None] | None](  # a `rules.clock.ClockState`
    "clock", _clock, None, None, "the clock is compared with the newest job"
)
INBOX_FOLDER = Fact[dict[str, Any] | None](  # an `inbox.FolderIdentity`
    "inbox folder", _with(path=_path, mark=_text, device=_whole, inode=_whole), None, None,
    "the folder that paths.inbox names is taken as it is there now", lasts=True,
)  # fmt: skip
WATCHED = Fact[dict[str, dict[str, Any]]](  # by path: an `inbox.FolderIdentity` and the inbox's name; null: no longer an inbox
    "watched folders", _dict_of(_watched), {}, {},
    "the folders of the [[watch]] tables are taken as they are there now", lasts=True,
)  # fmt: skip
# the only thing that versions before `INBOX_FOLDER` stored
INBOX_MARK = Fact[str | None]("inbox mark", _text, None, None, "the inbox is taken as it is there now", lasts=True)
FORMER_INBOXES = Fact[tuple[str, ...]](
    "former inboxes", _list_of(_path), (), (), "jobs that wait in a former inbox are tried like all others", lasts=True
)
ALL: tuple[Fact[Any], ...] = (
    PAUSED, FIRST, IGNORED, EXAMPLES, DAEMON, LOOKED_BACK, PLACES, FORGOTTEN, CLOCK, INBOX_FOLDER, WATCHED, INBOX_MARK,
    FORMER_INBOXES,
)  # fmt: skip
LASTING = frozenset(fact.name for fact in ALL if fact.lasts)

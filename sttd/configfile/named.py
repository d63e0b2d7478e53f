"""Tables that each have a name and describe one object: [[notify]] a receiver, [[pool.remote]] a worker on another machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sttd.configfile import values
from sttd.configfile.sources import Table

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Naming:
    """Which names such a table may have."""

    pattern: str  # a regular expression for the whole name
    words: str  # the same in words, for messages
    example: str
    taken: Mapping[str, str] = field(default_factory=dict)  # reserved names, and what each means
    folded: Callable[[str], str] = str  # two names with the same result count as equal

    def mistake(self, name: Any, others: Iterable[str]) -> str:
        """What is wrong with the name of a table, where `others` are taken; "": nothing."""
        if name is None:
            return f'has no name: write one, such as name = "{self.example}"'
        if not self.fits(name):
            return f"name: must be {self.words}, not {name!r}"
        if self.folded(name) in self.taken:
            return f"{self.folded(name)} is {self.taken[self.folded(name)]}: choose another"
        if self.folded(name) in map(self.folded, others):
            return "another table has that name: give each its own"
        return ""

    def fits(self, name: Any) -> bool:
        return isinstance(name, str) and re.fullmatch(self.pattern, name) is not None


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How all tables with the same header are read."""

    header: str  # as it is written, without brackets
    make: Callable[..., T]  # makes the object, from its name and the values of the keys
    naming: Naming
    keys: Mapping[str, Mapping[str, Any]]  # with the rules of each
    own: Mapping[str, Callable[[Any], Any]]  # keys that have their own reader; it raises ValueError with a sentence
    # Checks the whole table: yields what is missing or does not go together, as the end of a sentence. Arguments: the table as
    # written; the values that were read, which it may complete; whether each value was right
    lacks: Callable[[Mapping[str, Any], dict[str, Any], bool], Iterable[str]]

    def built(self, tables: Sequence[Table]) -> tuple[tuple[T, ...], list[str]]:
        """The objects that the tables describe, and all mistakes, a sentence each."""
        found: dict[str, T] = {}
        problems: list[str] = []
        for table in tables:
            name = table.values.get("name")
            mistake = self.naming.mistake(name, found)
            where = f"{table.origin}: [[{self.header}]]" + (f" {name}" if self.naming.fits(name) else "")
            chosen, mistakes = self._read(table.values, where)
            problems += [f"{where}: {mistake}"] if mistake else []
            problems += mistakes
            if not mistake and not mistakes:
                found[str(name)] = self.make(name, **chosen)
        return tuple(found.values()), problems

    def _read(self, table: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
        """The values of its keys, and all mistakes."""
        chosen: dict[str, Any] = {}
        problems: list[str] = []
        for key, value in table.items():
            try:
                if key in self.own:
                    chosen[key] = self.own[key](value)
                elif key in self.keys:
                    chosen[key] = values.read(value, self.keys[key]["kind"], self.keys[key])
                elif key != "name":
                    known = dict.fromkeys(("name", *self.own, *self.keys))
                    problems.append(f"{where} {key}: there is no such key{values.nearest(key, tuple(known))}")
            except ValueError as error:
                problems.append(f"{where} {key}: {error}")
        problems += [f"{where}{text}" for text in self.lacks(table, chosen, not problems)]
        return chosen, problems

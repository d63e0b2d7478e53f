"""[[watch]] tables: further inboxes, each with keys of its own. A key that a table does not set has its global value.

In TOML a name is either a section or a list of tables. So if there are [[watch]] tables, the section [watch] is one of them:
the one without name and inbox. In a table the keys are written without their section; each belongs to only one section.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sttd.config import Config, Watched, sections
from sttd.configfile import relations, values, written
from sttd.configfile.sources import Table

LONGEST = 64  # bytes of a name
_PATH = {"kind": "path"}
_ALL = {section.name: section.default_factory for section in sections()}
_LEFT_OUT = {"watch": {"dedupe"}, "transcribe": {"batch_size", "replace"}}  # these concern the daemon or the machine
# the keys of a table, each with its section and its rules
KEYS: dict[str, tuple[str, Mapping[str, Any]]] = {
    key.name: (section, key.metadata)
    for section in ("watch", "output", "transcribe")
    for key in dataclasses.fields(_ALL[section])  # type: ignore[arg-type]
    if key.name not in _LEFT_OUT.get(section, ())
}
_PAIR = ("language", "languages")  # a table that sets one of them clears the other one of [transcribe]


def built(config: Config, tables: Sequence[Table]) -> tuple[Config, list[str]]:
    """`config` with the inboxes of `tables`, and all mistakes, a sentence each. The paths of `config` must be absolute."""
    found: dict[str, Watched] = {}
    nowhere = Path()
    problems: list[str] = []
    for table in tables:
        name, mistakes = _name(table, found)
        where = f"{table.origin}: [[watch]]" + (f" {name}" if name else "")
        chosen, bad = _read(table, where)
        problems += mistakes + bad
        if name and not mistakes:
            found[name] = Watched(name, chosen.get("inbox", nowhere), _values(chosen))
            about = {f"{KEYS[key][0]}.{key}" for key in chosen if key in KEYS}
            wrong = relations.errors(config.over(found[name]))
            problems += [f"{where}: {text}" for keys, text in wrong if keys & about]
    return dataclasses.replace(
        config, watched=tuple(each for each in found.values() if each.inbox != nowhere)
    ), problems


def _name(table: Table, others: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The name of a table, "" if it has no valid one, and what is wrong with it."""
    name, where = table.values.get("name"), f"{table.origin}: [[watch]]"
    if name is None:
        return "", [f'{where} {table.values.get("inbox")!r}: has no name: write one, such as name = "movies"']
    if not isinstance(name, str) or not _is_name(name):
        words = f"must be a name for folders, of at most {LONGEST} bytes and without / or a dot in front, not {name!r}"
        return "", [f"{where} name: {words}"]
    if _folded(name) in map(_folded, others):
        return name, [f"{where} {name}: another table has that name: give each its own"]
    return name, []


def _is_name(name: str) -> bool:
    is_plain = name.isprintable() and name == name.strip() and "/" not in name and not name.startswith((".", "~"))
    return bool(name) and is_plain and len(name.encode("utf-8", "surrogatepass")) <= LONGEST


def _folded(name: str) -> str:
    """Equal for two names that are the same to a file system of Windows or macOS."""
    return unicodedata.normalize("NFC", name).casefold()


def _read(table: Table, where: str) -> tuple[dict[str, Any], list[str]]:
    """The values of its keys, and all mistakes."""
    chosen: dict[str, Any] = {}
    problems = (
        [] if table.values.get("inbox") else [f'{where}: has no inbox: write one, such as inbox = "/media/movies"']
    )
    for key, value in table.values.items():
        if key == "name":
            continue
        if key != "inbox" and key not in KEYS:
            problems.append(f"{where} {key}: there is no such key for an inbox{_hint(key)}")
            continue
        rules = _PATH if key == "inbox" else KEYS[key][1]
        try:
            chosen[key] = values.read(value, rules["kind"], rules)
        except ValueError as error:
            problems.append(f"{where} {key}: {error}")
    return chosen, problems


def _hint(key: str) -> str:
    homes = [name for name, section in _ALL.items() if key in {each.name for each in dataclasses.fields(section)}]  # type: ignore[arg-type]
    return f": {key} in [{homes[0]}] is for all of them" if homes else values.nearest(key, ("name", "inbox", *KEYS))


def _values(chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a table sets, by section."""
    found: dict[str, dict[str, Any]] = {"watch": {}, "output": {}, "transcribe": {}}
    if set(_PAIR) & chosen.keys():
        found["transcribe"] |= {"language": "", "languages": ()}
    for key, value in chosen.items():
        if key in KEYS:
            found[KEYS[key][0]][key] = value
    return {section: keys for section, keys in found.items() if keys}


def lines(config: Config) -> Iterator[str]:
    """The tables of a configuration as TOML."""
    for table in config.watched:
        yield "\n[[watch]]"
        yield f"name = {written.write(table.name, 'str')}"
        yield f"inbox = {written.write(table.inbox, 'path')}"
        for keys in table.values.values():
            yield from (f"{key} = {written.write(value, KEYS[key][1]['kind'])}" for key, value in keys.items())

"""[[pool.remote]] tables: workers on other machines, each behind a command."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sttd.config.remote import Remote
from sttd.configfile import values, written
from sttd.configfile.sources import Table

SECTION, KEY = "pool", "remote"
HEADER = f"{SECTION}.{KEY}"
KEYS = {each.name: each.metadata for each in dataclasses.fields(Remote) if each.metadata}
_LONGEST = 32  # characters of a name


def built(tables: Sequence[Table]) -> tuple[tuple[Remote, ...], list[str]]:
    """The remote workers, and all mistakes, a sentence each."""
    found: dict[str, Remote] = {}
    problems: list[str] = []
    for table in tables:
        name, mistake = _name(table.values.get("name"), found)
        where = f"{table.origin}: [[{HEADER}]]" + (f" {name}" if name else "")
        chosen, mistakes = _read(table.values, where)
        problems += [f"{where}: {mistake}"] if mistake else []
        problems += mistakes
        if not mistake and not mistakes:
            found[name] = Remote(name, **chosen)
    return tuple(found.values()), problems


def _name(name: Any, others: Mapping[str, Any]) -> tuple[str, str]:
    """The name, as far as there is one, and what is wrong with it."""
    if name is None:
        return "", 'has no name: write one, such as name = "gpu1"'
    if not isinstance(name, str) or not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{_LONGEST - 1}}}", name):
        return "", f"name: must be letters, digits, _, - and dots, at most {_LONGEST}, not {name!r}"
    if name.lower() == "local":
        return name, "local is the name of this machine's own workers: choose another"
    if name.lower() in map(str.lower, others):
        return name, "another table has that name: give each its own"
    return name, ""


def _read(table: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """The values of its keys, and all mistakes."""
    chosen: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in table.items():
        try:
            if key == "command":
                chosen[key] = _command(value)
            elif key in KEYS:
                chosen[key] = values.read(value, KEYS[key]["kind"], KEYS[key])
            elif key != "name":
                problems.append(f"{where} {key}: there is no such key{values.nearest(key, ('name', 'command', *KEYS))}")
        except ValueError as error:
            problems.append(f"{where} {key}: {error}")
    if "command" not in table:
        problems.append(
            f'{where}: has no command: write one, such as command = ["ssh", "gpu1", "/opt/sttd/bin/sttd", "worker"]'
        )
    return chosen, problems


def _command(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise ValueError(
            'must be a list of words such as ["ssh", "gpu1", "/opt/sttd/bin/sttd", "worker"]; no shell reads it'
        )
    if any("\0" in word for word in value):
        raise ValueError("must not hold a NUL character")
    if not re.fullmatch(r"/.*|[^/\s]+", value[0], re.DOTALL):
        raise ValueError(f"must begin with a program, by its name or its absolute path, not {value[0]!r}")
    return tuple(value)


def lines(remotes: Sequence[Remote]) -> Iterator[str]:
    """The tables as TOML."""
    for each in remotes:
        yield f"\n[[{HEADER}]]"
        yield f"name = {written.write(each.name, 'str')}"
        yield f"command = {written.write(each.command, 'list')}"
        default = Remote(each.name, each.command)
        for key, rules in KEYS.items():
            if getattr(each, key) != getattr(default, key):
                yield f"{key} = {written.write(getattr(each, key), rules['kind'])}"

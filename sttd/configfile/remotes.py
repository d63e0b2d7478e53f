"""[[pool.remote]] tables: workers on other machines, each behind a command."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sttd.config.remote import Remote
from sttd.configfile import written
from sttd.configfile.named import Kind, Naming

SECTION, KEY = "pool", "remote"
HEADER = f"{SECTION}.{KEY}"
KEYS = {each.name: each.metadata for each in dataclasses.fields(Remote) if each.metadata}
_LONGEST = 32  # characters of a name


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


def _lacks(table: Mapping[str, Any], _chosen: dict[str, Any], _is_sound: bool) -> Iterator[str]:
    if "command" not in table:
        yield ': has no command: write one, such as command = ["ssh", "gpu1", "/opt/sttd/bin/sttd", "worker"]'


_NAMING = Naming(
    rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{_LONGEST - 1}}}",
    f"letters, digits, _, - and dots, at most {_LONGEST}",
    example="gpu1",
    taken={"local": "the name of this machine's own workers"},
    folded=str.lower,
)
KIND = Kind(HEADER, Remote, _NAMING, KEYS, {"command": _command}, _lacks)


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

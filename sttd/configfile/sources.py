"""Collects values from the file, the environment and the command line. They are not checked here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttd.errors import ConfigError

PREFIX = "STTD_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, as it was written, and where it was written."""

    section: str
    key: str
    value: Any
    origin: str  # for the messages: a file's path, "the environment: STTD_POOL__WORKERS" or "--set pool.workers"
    is_option: bool = False  # of a command, such as --model: who typed it need not know the key

    @property
    def where(self) -> str:
        return self.origin if self.is_option else f"{self.origin}: [{self.section}] {self.key}"


@dataclass(frozen=True, slots=True)
class Table:
    """One table as it was written.

    [[watch]] is a further inbox (tables.py), [[notify]] a receiver (receivers.py), [[pool.remote]] a worker (remotes.py).
    """

    values: Mapping[str, Any]
    origin: str
    section: str = "watch"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is no setting at all; `text` is the message about it."""

    text: str


def from_file(path: Path) -> Iterator[Setting | Problem | Table]:
    """The settings of a TOML file.

    Raises:
        ConfigError: it is not there, cannot be read, or is no TOML.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file: name another one with --config, or leave it out"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}): give this user the right to read it"]) from None
    yield from in_toml(data, str(path))


def in_toml(data: bytes, origin: str, example: str = "pool") -> Iterator[Setting | Problem | Table]:
    """The settings of a TOML file with this content. `example`: a section that messages suggest.

    Raises:
        ConfigError: it is no TOML.
    """
    for section, content in _parse(data, origin).items():
        tables = [content] if section == "notify" and isinstance(content, dict) else content
        if section == "watch" and _are_tables(content):
            yield from _in_tables(content, origin)
        elif section == "notify" and _are_tables(tables):
            yield from (Table(table, origin, section) for table in tables)
        elif isinstance(content, dict):
            yield from _in_section(section, content, origin)
        else:
            yield Problem(f"{origin}: {section} stands outside a section: write it below a line such as [{example}]")


def _in_section(section: str, content: Mapping[str, Any], origin: str) -> Iterator[Setting | Table]:
    for key, value in content.items():
        tables = [value] if isinstance(value, dict) else value
        if (section, key) == ("pool", "remote") and _are_tables(tables):
            yield from (Table(table, origin, "pool.remote") for table in tables)
        elif (section, key) == ("pool", "ray") and isinstance(value, dict):
            yield from (Setting("pool.ray", each, given, origin) for each, given in value.items())
        else:
            yield Setting(section, key, value, origin)


def _are_tables(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(each, dict) for each in content)


def _in_tables(tables: Sequence[dict[str, Any]], origin: str) -> Iterator[Setting | Table]:
    """[[watch]] tables: each is a further inbox, or if it has neither name nor inbox, the section [watch] itself."""
    for table in tables:
        if {"name", "inbox"} & table.keys():
            yield Table(table, origin)
        else:
            yield from (Setting("watch", key, value, origin) for key, value in table.items())


def _parse(data: bytes, origin: str) -> dict[str, Any]:
    text = ""
    try:
        text = data.decode("utf-8-sig")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError([f"{origin}: is not UTF-8 text (byte {error.start})"]) from None
    except ValueError as error:  # TOMLDecodeError, or a number of more digits than Python reads
        raise ConfigError([f"{origin}: is not valid TOML: {error}{_hint(text)}"]) from None
    except RecursionError:
        raise ConfigError([f"{origin}: brackets are nested too deeply: no key takes more than a list"]) from None


def _hint(text: str) -> str:
    """A hint what is probably wrong with a file that is no valid TOML."""
    lines = {line.split("#")[0].strip() for line in text.splitlines()}
    if {"[watch]", "[[watch]]"} <= lines:
        return ": where there are [[watch]] tables, write [[watch]] for the section [watch] too"
    return ""


def from_environ(environ: Mapping[str, str]) -> Iterator[Setting]:
    """`STTD_SECTION__KEY=value`, and `STTD_POOL__RAY__KEY`. Other variables are ignored, also STTD_... without a double `_`."""
    for name, value in environ.items():
        if name.startswith(PREFIX) and "__" in name:
            section, _, key = name.removeprefix(PREFIX).lower().rpartition("__")
            yield Setting(section.replace("__", "."), key, value, f"the environment: {name}")


def from_option(name: str, key: str, value: str) -> Setting:
    """The setting of `section.key` by an option of a command, such as --model."""
    section, _, rest = key.rpartition(".")
    return Setting(section, rest, value, name, is_option=True)


def from_sets(sets: Sequence[str]) -> Iterator[Setting | Problem]:
    """`section.key=value`, as typed after `--set`."""
    for text in sets:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().rpartition(".")
        if equals and dot:
            yield Setting(section, key, value, f"--set {name.strip()}")
        else:
            yield Problem(f"--set {text}: write it as section.key=value, for example --set pool.workers=2")

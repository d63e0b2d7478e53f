"""`config show`: each key with its value, and where that comes from."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from sttd.cli.options import given, shared
from sttd.cli.screen import is_terminal
from sttd.text import printable
from sttd.view import figures

if TYPE_CHECKING:
    from sttd.config import Config

DEFAULT = "default"
Row = tuple[str, str, str, str]  # section, key, value as TOML has it, where it comes from
TABLES = ("watch", "pool.remote", "notify")
Table = tuple[str, str]  # one of TABLES, and its keys as TOML


@click.group()
@shared
def config() -> None:
    """The configuration that counts here."""


@config.command(short_help="Each key with its value, and where that comes from.")
@click.option("--defaults", is_flag=True, help="The defaults instead, whatever is configured.")
@click.option("--changed", is_flag=True, help="Only the keys that are set somewhere.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@shared
def show(*, defaults: bool, changed: bool, as_json: bool) -> None:
    """Each key with its value, and where that comes from: a line of the file, the environment, --set, or the default.

    In a pipe it is a TOML file, but for addresses of receivers, which are cut: they hold passwords. It is what this command would be given: settings after `sttd run` are not known here.
    """
    from sttd.config import Config

    words = given()
    loaded = words.load()
    rows = list(_rows(Config(), {}) if defaults else _rows(loaded, words.origins()))
    rows = [row for row in rows if not changed or row[3] != DEFAULT]
    tables = [] if defaults else list(_tables(loaded))
    if as_json:
        further = {name: [tomllib.loads(text) for each, text in tables if each == name] for name in TABLES}
        print(figures.text({"keys": _json(rows), **further}))
    elif is_terminal():
        from sttd.cli import term

        screen = term.console()
        screen.print(term.settings(rows, tables, screen.width))
    else:
        print("\n".join(_plain(rows, tables)))


def _rows(config: Config, origins: Mapping[tuple[str, str], str]) -> Iterator[Row]:
    from sttd.config import sections
    from sttd.configfile.written import write

    for section in sections():
        chosen = section.of(config)
        for key in dataclasses.fields(chosen):
            value = write(getattr(chosen, key.name), key.metadata["kind"])
            yield section.name, key.name, value, origins.get((section.name, key.name), DEFAULT)


def _tables(config: Config) -> Iterator[Table]:
    """The tables of each kind; [[notify]] without what is secret of an address."""
    from sttd.configfile import receivers, remotes, tables

    text = "\n".join(tables.lines(config))
    yield from (("watch", table.strip()) for table in text.split("[[watch]]")[1:])
    for remote in config.remotes:
        _, *lines = remotes.lines([remote])
        yield remotes.HEADER, "\n".join(lines)
    for each in config.receivers:
        _, *lines = receivers.lines([each])
        yield receivers.SECTION, "\n".join(lines)


def _json(rows: list[Row]) -> dict[str, dict[str, Any]]:
    """By section.key."""
    from sttd.config import Config

    defaults = {(section, key): value for section, key, value, _ in _rows(Config(), {})}
    return {
        f"{section}.{key}": {
            "value": _value(value), "default": _value(defaults[section, key]), "from": None if where == DEFAULT else where,
        }
        for section, key, value, where in rows
    }  # fmt: skip


def _value(written: str) -> Any:
    return tomllib.loads(f"value = {written}")["value"]


def _plain(rows: list[Row], tables: list[Table]) -> Iterator[str]:
    """TOML, with a comment on each value."""
    before = ""
    for section, key, value, where in rows:
        if section != before:
            is_first = any(name == section for name, _ in tables)  # of several
            header = f"[[{section}]]" if is_first else f"[{section}]"
            yield f"\n{header}" if before else header
            before = section
        yield f"{key} = {value}  # {printable(where)}"
    for name, table in tables:
        yield f"\n[[{name}]]\n{table}"

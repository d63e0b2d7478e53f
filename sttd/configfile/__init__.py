"""Reads and checks the configuration: `--set` overrides the environment, which overrides the file, then the defaults.

All mistakes are reported at once: one sentence for each key, with its place and the nearest right name.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sttd.config import Config, Paths, sections
from sttd.configfile import receivers, relations, remotes, sources, tables, values
from sttd.configfile.sources import Problem, Setting, Table, from_option
from sttd.configfile.text import render
from sttd.errors import ConfigError

__all__ = ["KEYS", "from_option", "load", "render", "unknown", "warnings"]

_SECTIONS = {section.name: section.default_factory for section in sections()}
KEYS = {name: {key.name: key for key in dataclasses.fields(section)} for name, section in _SECTIONS.items()}  # type: ignore[arg-type]


def load(
    path: Path | None = None,
    root: Path | None = None,
    sets: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    options: Sequence[Setting] = (),
) -> Config:
    """The configuration, with every path absolute.

    Args:
        path: the TOML file; None: none.
        root: `--root`; overrides `paths.root`, and puts the state folder below it even where $STATE_DIRECTORY is set.
        sets: `section.key=value`, as typed after `--set`.
        environ: the environment.
        options: of a command; each overrides all else. See `sources.from_option`.

    Raises:
        ConfigError: something is wrong; `problems` holds a sentence for each.
    """
    found: list[Setting | Problem | Table] = list(sources.from_file(path)) if path is not None else []
    found += sources.from_environ(environ)
    if root is not None:
        found.append(from_option("--root", "paths.root", os.path.abspath(root)))  # noqa: PTH100 - links stay as typed
    found += [*sources.from_sets(sets), *options]
    chosen, bad, problems = _read([each for each in found if not isinstance(each, Table)])
    config = _resolve(_build(chosen), None if root is not None else environ.get("STATE_DIRECTORY"))
    written = [each for each in found if isinstance(each, Table)]
    config, mistakes = tables.built(config, [each for each in written if each.section == "watch"])
    told, more = receivers.KIND.built([each for each in written if each.section == receivers.SECTION])
    far, others = remotes.KIND.built([each for each in written if each.section == remotes.HEADER])
    config = dataclasses.replace(config, receivers=told, remotes=far)
    problems += [*mistakes, *more, *others]
    problems += [sentence for keys, sentence in relations.errors(config) if not keys & bad]
    if problems:
        raise ConfigError(problems)
    return config


def warnings(config: Config) -> list[str]:
    """What works but is probably not meant, one sentence each."""
    return list(relations.warnings(config))


def _read(found: Iterable[Setting | Problem]) -> tuple[dict[tuple[str, str], Any], set[str], list[str]]:
    """The values by (section, key), where later ones override earlier ones; the keys with a bad value; all mistakes."""
    chosen: dict[tuple[str, str], Any] = {}
    bad: set[str] = set()
    problems: list[str] = []
    for setting in found:
        if isinstance(setting, Problem):
            problems.append(setting.text)
            continue
        stray = unknown(setting)
        if stray:
            problems.append(stray)
            continue
        rules = KEYS[setting.section][setting.key].metadata
        try:
            chosen[setting.section, setting.key] = values.read(setting.value, rules["kind"], rules)
        except ValueError as error:
            problems.append(f"{setting.where}: {error}")
            bad.add(f"{setting.section}.{setting.key}")
    return chosen, bad, problems


def unknown(setting: Setting) -> str | None:
    """The message about a section or a key that does not exist; None: it exists."""
    section, key = setting.section, setting.key
    if section not in KEYS:
        return f"{setting.where}: there is no section [{section}]{_home(key) or values.nearest(section, KEYS)}"
    if (section, key) == (remotes.SECTION, remotes.KEY):
        return f"{setting.where}: is a table of the configuration file: write [[{remotes.HEADER}]] there"
    if key not in KEYS[section]:
        return f"{setting.where}: there is no such key{_home(key) or values.nearest(key, KEYS[section])}"
    return None


def _home(key: str) -> str:
    """A hint for a key in a wrong section: the section that it belongs to."""
    homes = [f"[{section}]" for section, keys in KEYS.items() if key in keys]
    return f"; {key} belongs to {' or '.join(homes)}" if homes else ""


def _build(chosen: Mapping[tuple[str, str], Any]) -> Config:
    made = {
        section.field: _SECTIONS[section.name](
            **{key: value for (home, key), value in chosen.items() if home == section.name}
        )
        for section in sections()
    }
    return Config(**made)


def _resolve(config: Config, state_directory: str | None) -> Config:
    """Every path that is not set becomes a folder of the root; the state may be systemd's StateDirectory= (systemd.exec(5))."""
    paths = config.paths
    root = paths.root if paths.root != Path() else Paths().root
    folders = {name: root / name for name in ("inbox", "transcripts", "archive", "failed", "state")}
    if state_directory:
        folders["state"] = Path(state_directory.split(":")[0])  # several are separated by colons
    missing = {name: folder for name, folder in folders.items() if getattr(paths, name) == Path()}
    return dataclasses.replace(config, paths=dataclasses.replace(paths, root=root, **missing))

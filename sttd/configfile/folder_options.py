"""Options by folder: what a `.sttd.toml` in a folder of the inbox may set for the recordings in it and below it.

Anybody who drops files may write one, so it may set only how recordings are transcribed and how the text is written: no
path, no command, nothing that concerns the machine or other people's recordings. Each value has the same limits as in the
configuration. A key that the file does not set keeps its value from the folder above, and at last from the configuration.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

from sttd.config import Config
from sttd.configfile import KEYS, relations, sources, unknown, values
from sttd.configfile.sources import Problem, Setting, Table
from sttd.configfile.written import write
from sttd.errors import ConfigError, UsageError
from sttd.hub.names import require_name

NAME = ".sttd.toml"
LARGEST = 65_536  # bytes of all files that apply to one folder together
_LONGEST = 5000  # characters of a line: a key of 30,000 names takes tomllib 12 s
_SHOWN, _SENTENCE = 5, 300  # mistakes that are reported, and characters of each
# Not batch_size: it concerns the machine's memory. Not replace: it is a path. Not source: it may delete recordings
_ALLOWED = {
    "transcribe": frozenset(KEYS["transcribe"]) - {"batch_size", "replace"},
    "output": frozenset({"formats"}),
    "subtitles": frozenset(KEYS["subtitles"]),
    "model": frozenset({"name"}),
}
_NOT_HERE = "is not for a folder to set: [transcribe] without batch_size and replace, [subtitles], [output] formats and [model] name are"
_PAIR = ("transcribe.language", "transcribe.languages")  # a file that sets one clears the other of the folder above


def read(data: bytes, origin: str) -> dict[str, Any]:
    """The values that a file sets, by `section.key`, as they can be stored in JSON.

    Args:
        data: the content of the file.
        origin: its name, for the messages.

    Raises:
        ConfigError: it has mistakes; `problems` has a short sentence for each of the first few.
    """
    chosen: dict[str, Any] = {}
    problems: list[str] = []
    for setting in _settings(data, origin):
        problem = _refusal(setting)
        if problem is None and isinstance(setting, Setting):
            rules = KEYS[setting.section][setting.key].metadata
            try:
                value = values.read(setting.value, rules["kind"], rules)
                chosen[f"{setting.section}.{setting.key}"] = _as_json(value, rules["kind"])
            except ValueError as error:
                problem = f"{setting.where}: {error}"
        if problem is not None:
            problems.append(problem)
    _raise(problems)
    if set(_PAIR) & chosen.keys():
        chosen = {_PAIR[0]: "", _PAIR[1]: []} | chosen
    return chosen


def overlaid(config: Config, chosen: Mapping[str, Any]) -> Config:
    """The configuration for recordings of a folder that sets `chosen`.

    An unknown option or a bad value is ignored: `chosen` comes from the ledger, and another version may have written it.
    """
    sections: dict[str, dict[str, Any]] = {}
    for name, value in chosen.items():
        section, _, key = name.partition(".")
        if key in _ALLOWED.get(section, ()):
            rules = KEYS[section][key].metadata
            with contextlib.suppress(ValueError):
                sections.setdefault(section, {})[key] = values.read(value, rules["kind"], rules)
    changed = {name: dataclasses.replace(getattr(config, name), **keys) for name, keys in sections.items()}
    return dataclasses.replace(config, **changed)


def check(config: Config, chosen: Mapping[str, Any], origin: str) -> None:
    """Check that `chosen` can be used with this configuration.

    Raises:
        ConfigError: two keys do not go together, or the model is not allowed.
    """
    keys = chosen.keys()
    problems = [f"{origin}: {text}" for about, text in relations.errors(overlaid(config, chosen)) if about & keys]
    if "model.name" in chosen:
        try:
            require_name(chosen["model.name"], (config.model.name, config.model.fallback))
        except UsageError as error:
            problems.append(f"{origin}: [model] name: {error}")
    _raise(problems)


def written(chosen: Mapping[str, Any]) -> list[str]:
    """Each option as a line of TOML: `transcribe.language = "th"`. Ignores unknown options and bad values, as `overlaid`."""
    found = []
    for name, value in chosen.items():
        section, _, key = name.partition(".")
        if key in _ALLOWED.get(section, ()):
            rules = KEYS[section][key].metadata
            with contextlib.suppress(ValueError):
                found.append(f"{name} = {write(values.read(value, rules['kind'], rules), rules['kind'])}")
    return found


def _settings(data: bytes, origin: str) -> list[Setting | Problem | Table]:
    if len(data) > LARGEST:
        raise ConfigError([f"{origin}: is over {LARGEST >> 10} KiB"])
    lengths = map(len, data.decode("utf-8", "replace").split("\n"))
    too_long = next((number for number, length in enumerate(lengths, 1) if length > _LONGEST), None)
    if too_long is not None:
        remedy = 'write a long text over several lines, within """'
        raise ConfigError([f"{origin}: line {too_long} has more than {_LONGEST:,} characters: {remedy}"])
    return list(sources.in_toml(data, origin, "transcribe"))


def _refusal(setting: Setting | Problem | Table) -> str | None:
    """The message about a key that does not exist, or that a folder may not set; None: it may."""
    if isinstance(setting, Problem):
        return setting.text
    if isinstance(setting, Table):
        return f"{setting.origin}: [[{setting.section}]] {_NOT_HERE}"
    section, key = setting.section, setting.key
    if key in _ALLOWED.get(section, ()):
        return None
    if section in _ALLOWED or section not in KEYS:
        stray = unknown(setting)
        if stray is not None:
            return stray
    return f"{setting.where}: {_NOT_HERE}"


def _as_json(value: Any, kind: str) -> Any:
    if kind == "auto" and value == 0:
        return "auto"
    return list(value) if isinstance(value, tuple) else value


def _raise(problems: list[str]) -> None:
    if not problems:
        return
    told = [text if len(text) <= _SENTENCE else f"{text[:_SENTENCE]}…" for text in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        told.append(f"and {len(problems) - _SHOWN} more mistakes")
    raise ConfigError(told)

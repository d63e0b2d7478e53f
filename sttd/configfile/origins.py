"""Where each value of the configuration comes from: a line of the file, the environment, an option; else it is the default."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sttd.configfile.sources import PREFIX, Problem, Table, from_environ, from_file, from_sets

Key = tuple[str, str]  # section and key
_HEADER = re.compile(r"\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}\s*(#.*)?")
_KEY = re.compile(r"\s*[\"']?(\w+)[\"']?(?:\s*\.\s*[\"']?(\w+)[\"']?)?\s*=")


def origins(path: Path | None, sets: Sequence[str], environ: Mapping[str, str], *, has_root: bool) -> dict[Key, str]:
    """The keys that are set somewhere, each with the place that counts: `/etc/sttd/sttd.toml:12`, `STTD_POOL__WORKERS`, `--set`.

    The configuration must have been loaded from the same sources before: mistakes are not looked for again.
    """
    found: dict[Key, str] = {}
    if path is not None:
        lines: dict[Key, int] = {}
        for key, line in _lines(path.read_text("utf-8-sig")):
            lines.setdefault(key, line)  # if there are several [[watch]] tables, the first line counts
        for setting in from_file(path):
            if not isinstance(setting, Problem | Table):
                key = (setting.section, setting.key)
                found[key] = f"{path}:{lines[key]}" if key in lines else str(path)
    for setting in from_environ(environ):
        found[setting.section, setting.key] = f"{PREFIX}{setting.section.upper()}__{setting.key.upper()}"
    if "STATE_DIRECTORY" in environ and not has_root and ("paths", "state") not in found:
        found["paths", "state"] = "STATE_DIRECTORY"
    if has_root:
        found["paths", "root"] = "--root"
    for setting in from_sets(sets):
        if not isinstance(setting, Problem):
            found[setting.section, setting.key] = "--set"
    return found


def _lines(text: str) -> Iterator[tuple[Key, int]]:
    """The line of each key, from 1. Only headers and the beginnings of lines are looked at: the TOML is known to be valid."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.fullmatch(line), _KEY.match(line)
        if header:
            section = header[1]
        elif key:
            yield ((section, key[1]) if section else (key[1], key[2] or "")), number

"""Writes one value of the configuration as TOML."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sttd.units import format_duration, format_size


def write(value: Any, kind: str) -> str:
    """`value` as TOML; `values.read` can read it back."""
    match kind:
        case "duration":
            return _quoted(format_duration(value))
        case "durations":
            return _array(format_duration(each) for each in value)
        case "size":
            return _quoted(format_size(value))
        case "bool":
            return "true" if value else "false"
        case "auto":
            return str(max(0, value)) if value else '"auto"'
        case "tracks":
            return value if value.isdecimal() else _quoted(value)
        case "percent":
            return _quoted(f"{value:g}%" if float(f"{value:g}") == value else f"{value!r}%")
        case "path":
            return _quoted("" if value == Path() else str(value))
        case "list" | "formats" | "languages" | "names" | "hosts":
            return _array(value)
        case "fractions":
            return "[" + ", ".join(map(repr, value)) + "]"
        case "int" | "number" | "fraction":
            return repr(value)
        case _:
            return _quoted(str(value))


def _quoted(text: str) -> str:
    # JSON's escapes are valid in TOML, too; only DEL must be escaped in TOML and is not in JSON
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _array(items: Iterable[str]) -> str:
    return "[" + ", ".join(_quoted(item) for item in items) + "]"

"""The files that are shipped with the code: units, drop-ins, man page, message catalogue."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
DOCS = _PACKAGE / "share" / "docs"  # the topics of `sttd help`
_WHEEL = _PACKAGE / "share" / "systemd"  # hatch puts the top-level folder there, see pyproject.toml


def folder() -> Path:
    """Where these files lie: in the installed package, or in the checkout of an editable installation."""
    return _WHEEL if _WHEEL.is_dir() else _PACKAGE.parent / "systemd"


def text(name: str) -> str:
    return (folder() / name).read_text("utf-8")


def drop_ins() -> list[str]:
    """The names of the drop-ins that can be asked for."""
    return sorted(path.stem for path in (folder() / "drop-ins").glob("*.conf"))


def catalogues() -> list[Path]:
    """The journal's message catalogues."""
    return sorted(folder().glob("*.catalog"))

"""What can be left out of an installation: the extras of pyproject.toml, by the modules that they bring."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from sttd.errors import SttdError

WEB = ("starlette", "uvicorn", "jinja2", "prometheus_client", "python_multipart")
RAY = ("ray",)


class NoExtra(SttdError):
    """The packages of an extra are not installed."""


def missing(modules: Sequence[str]) -> list[str]:
    """Those that are not installed. None of them is imported."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def require(command: str, extra: str, modules: Sequence[str]) -> None:
    """Raises NoExtra, with how to get it."""
    absent = missing(modules)
    if absent:
        what = f"{command} needs packages that are not installed ({', '.join(absent)})"
        raise NoExtra(f"{what}: pip install 'sttd[{extra}]'")

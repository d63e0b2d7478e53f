"""The names of models: a size, an alias, or a repository of the hub. Pure."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

from sttd.errors import UsageError
from sttd.fs.model_folder import is_folder, is_repository

# faster_whisper.utils._MODELS of 1.2: the sizes that are known by name, and where they come from
SIZES = {
    **{size: f"Systran/faster-whisper-{size}" for size in (
        "tiny tiny.en base base.en small small.en medium medium.en large-v1 large-v2 large-v3"
    ).split()},
    **{f"distil-{size}": f"Systran/faster-distil-whisper-{size}" for size in "small.en medium.en large-v2 large-v3".split()},
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}  # fmt: skip
ALIASES = {"large": "large-v3", "turbo": "large-v3-turbo"}


def canonical(name: str) -> str:
    """The name under which a model is listed: `turbo` and its hub name are both `large-v3-turbo`."""
    known = {repository: size for size, repository in SIZES.items()}
    return known.get(name, ALIASES.get(name, name))


def repository(name: str) -> str:
    """The repository that a model comes from.

    Raises:
        UsageError: no repository can have that name; the message suggests the nearest known one.
    """
    found = SIZES.get(canonical(name))
    if found is None and is_repository(name):
        return name
    if found is None:
        raise UsageError(f"{name!r} is neither a size nor OWNER/NAME of the hub{nearest(name)}")
    return found


def nearest(name: str) -> str:
    """`; did you mean ...?` if a known name is similar, else ""."""
    known = [*SIZES, *ALIASES, *SIZES.values()]
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean {found[0]!r}?" if found else ""


def require_name(name: str, configured: Iterable[str]) -> None:
    """Check the model that a request names for one job: a folder must be one that the configuration allows.

    Args:
        name: what was asked for.
        configured: `model.name` and `model.fallback`. If one is a folder, folders below it are allowed too.

    Raises:
        UsageError: it is neither a model's name nor such a folder; the message suggests a similar name.
    """
    if name == "demo":
        return
    if not is_folder(name):
        repository(name)
        return
    folder = os.path.normpath(name)
    for allowed in (os.path.normpath(one) for one in configured if one.startswith("/")):
        if folder == allowed or folder.startswith(f"{allowed.rstrip('/')}/"):
            return
    raise UsageError(
        f"{name!r} lies below no folder that the configuration names as a model: name a size, or OWNER/NAME"
    )

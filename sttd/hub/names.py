"""What a model can be called: a size, an alias, or a repository of the hub; pure."""

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
    """Where a model comes from.

    Raises:
        UsageError: the hub can have nothing of that name; the nearest that is known is named.
    """
    found = SIZES.get(canonical(name))
    if found is None and is_repository(name):
        return name
    if found is None:
        raise UsageError(f"{name!r} is neither a size nor OWNER/NAME of the hub{nearest(name)}")
    return found


def nearest(name: str) -> str:
    """`; did you mean ...?` where a known name is like it, else nothing."""
    known = [*SIZES, *ALIASES, *SIZES.values()]
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean {found[0]!r}?" if found else ""


def require_name(name: str, configured: Iterable[str]) -> None:
    """Whoever may leave a request may name a model for one job, but no folder that the configuration does not.

    Args:
        name: what was asked for.
        configured: `model.name` and `model.fallback`. Of those that are folders, folders below them are allowed too.

    Raises:
        UsageError: it is neither a model's name nor such a folder; the message says what is near.
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

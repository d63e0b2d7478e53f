"""The models that are on this machine, found by looking at folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sttd.errors import SttdError, UsageError
from sttd.fs.model_folder import current, hint, is_folder, storage
from sttd.fs.readable import closed, closed_words
from sttd.hub.names import SIZES, canonical, repository

DEMO = Path(__file__).resolve().parent.parent / "demo" / "model"
NEEDED = ("model.bin", "config.json", "tokenizer.json")
VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
# the files of a model, which a worker looks for in the cache (faster_whisper.utils.download_model)
FILES = re.compile(r"config\.json|preprocessor_config\.json|model\.bin|tokenizer\.json|vocabulary\.[^/]*")


class NotHere(SttdError):
    """A model is not on this machine, or incomplete."""


@dataclass(frozen=True, slots=True)
class Found:
    """A model folder on this machine."""

    name: str  # as `model.name` takes it
    folder: Path
    size: int  # bytes
    missing: tuple[str, ...]  # files that a worker needs to load it, and that are not there


def cache(environ: Mapping[str, str]) -> Path:
    """Where huggingface_hub keeps downloads (see its page on environment variables). Without a home, `~` is left as it is."""
    home = environ.get("XDG_CACHE_HOME") or "~/.cache"
    hub = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    place = hub or os.path.join(environ.get("HF_HOME") or f"{home}/huggingface", "hub")  # noqa: PTH118 - as it does
    return Path(os.path.expanduser(os.path.expandvars(place)))  # noqa: PTH111 - as it does


def scan(hub: Path) -> Iterator[Found]:
    """The Whisper models in a cache of the layout `models--OWNER--NAME/snapshots/REVISION`, by name.

    A worker uses the revision that `refs/main` names, so a folder without that file is left out. So is a folder that has
    neither weights nor the name of a known size: it belongs to another program.
    """
    for folder in sorted(hub.glob("models--*--*")):
        name = "/".join(folder.name.split("--")[1:])
        snapshot = current(folder)
        if snapshot is not None and (name in SIZES.values() or (snapshot / "model.bin").exists()):
            yield look(canonical(name), snapshot)


def look(name: str, folder: Path) -> Found:
    """What a model folder holds, and which files are missing."""
    files = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    files |= {
        path.name: 1 for path in folder.iterdir() if path.is_fifo()
    }  # a FIFO counts as there, as for a worker: loading a model has a time limit
    missing = [needed for needed in NEEDED if not files.get(needed)]
    if not any(files.get(vocabulary) for vocabulary in VOCABULARIES):
        missing.append(" or ".join(VOCABULARIES))
    return Found(name, folder, sum(files.values()), tuple(missing))


def find(name: str, hub: Path) -> Found:
    """The folder that a worker loads for `name`.

    Raises:
        NotHere: there is none, or it lacks a file.
        UsageError: no model can have that name.
    """
    folder: Path | None
    if name == "demo":
        folder = DEMO
    elif is_folder(name):
        folder = Path(name)
        if not folder.is_dir():
            raise NotHere(f"no folder {name!r}: name one that holds a Whisper model for CTranslate2")
    else:
        try:
            home = storage(hub, repository(name))
        except UsageError as error:
            raise UsageError(f"{error}{hint(name)}") from None
        path = closed((home, home / "refs" / "main", home / "snapshots"))
        if path is not None:
            raise NotHere(closed_words(path))
        folder = current(home)
    if folder is None:
        raise NotHere(f"{name!r} is not in {hub}; get it with: sttd model pull {name}{hint(name)}")
    found = look(name, folder)
    if found.missing:
        raise NotHere(f"{name!r} in {folder} is incomplete: no {', no '.join(found.missing)}")
    return found


def why_missing(name: str, hub: Path) -> str:
    """Why a worker would not find the model `name`, in a sentence; "": it is there."""
    try:
        find(name, hub)
    except SttdError as error:
        return str(error)
    except OSError as error:
        return f"{name!r} cannot be looked at: {error.strerror}"
    return ""

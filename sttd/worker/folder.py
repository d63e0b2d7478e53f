"""Finds the folder of a model on this machine by its name, and checks it before the load.

Nothing here may reach the network: a name is looked for in the local cache alone.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path

from faster_whisper.utils import _MODELS as SIZES
from huggingface_hub import constants

from sttd.fs.model_folder import current, hint, is_folder, is_repository, storage
from sttd.fs.readable import closed, closed_words
from sttd.worker.errors import NoModel, one_line

DEMO = Path(__file__).resolve().parent.parent / "demo" / "model"
REPAIR = "get the model again with `sttd model pull`, or convert it again"
_NEEDED = ("config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")


def resolve(name: str, cache: Path | None = None) -> Path:
    """The folder of a model on this machine.

    A bare name never means a folder below the current one, which may be an inbox; see `is_folder`.

    Args:
        name: "demo", a folder, a size such as "small", or a hub name such as "Systran/faster-whisper-small".
        cache: where downloaded models lie; None: huggingface_hub's place (HF_HOME, HF_HUB_CACHE).

    Raises:
        NoModel: it is not on this machine; the message says how to get it.
    """
    if name == "demo":
        return DEMO
    if not name or is_folder(name):
        return _folder(name)
    repository = name if "/" in name else SIZES.get(name)
    if repository is None or not is_repository(repository):
        raise NoModel(f"{name!r} is no model: there are {', '.join(SIZES)}, and OWNER/NAME of the hub{hint(name)}")
    entry = storage(Path(constants.HF_HUB_CACHE) if cache is None else cache, repository)
    found = current(entry)
    if found is None:
        _check_cache(entry)
        raise NoModel(f"{name!r} is not on this machine; get it with: sttd model pull {name}{hint(name)}")
    return found


def _folder(name: str) -> Path:
    try:
        kind = Path(name).stat().st_mode if name else 0
    except (FileNotFoundError, NotADirectoryError, ValueError):
        kind = 0
    except PermissionError:
        raise _closed(Path(name)) from None
    except OSError as error:  # not reachable, or longer than a path can be
        raise NoModel(f"the model {name!r} cannot be looked up: {one_line(error)}") from None
    if not stat.S_ISDIR(kind):
        raise NoModel(f"no folder {name!r}; set model.name to a folder that holds a CTranslate2 Whisper model")
    return Path(name)


def preflight(folder: Path) -> None:
    """Check that `folder` holds what a load needs, without reading the weights.

    A missing tokenizer.json would make faster-whisper ask the hub. model.bin may be a pipe: the load, which reads it, has a
    time limit.

    Raises:
        NoModel: something is missing or damaged.
    """
    if not _is_there(folder / "model.bin", pipe=True):
        raise NoModel(f"{str(folder)!r} has no model.bin, or an empty one: {REPAIR}")
    for name in _NEEDED:
        if not _is_there(folder / name):
            raise NoModel(f"{str(folder)!r} has no {name}, or an empty one: {REPAIR}")
    if not any(_is_there(folder / name) for name in _VOCABULARIES):
        raise NoModel(f"{str(folder)!r} has neither {' nor '.join(_VOCABULARIES)}: {REPAIR}")
    for name in ("config.json", "preprocessor_config.json"):
        _check_json(folder / name)


def _check_cache(entry: Path) -> None:
    """Raise NoModel if a model was not found because permissions hide its `storage`."""
    path = closed((entry, entry / "refs" / "main", entry / "snapshots"))
    if path is not None:
        raise _closed(path)


def _is_there(path: Path, *, pipe: bool = False) -> bool:
    if closed([path]):
        raise _closed(path)
    try:
        found = path.stat()
    except (OSError, ValueError):  # missing, a dangling link, or no path at all
        return False
    return found.st_size > 0 if stat.S_ISREG(found.st_mode) else pipe and stat.S_ISFIFO(found.st_mode)


def _closed(path: Path) -> NoModel:
    return NoModel(closed_words(path))


def _check_json(path: Path) -> None:
    """faster-whisper only warns of a damaged preprocessor_config.json, and goes on with features of the wrong size."""
    if not _is_there(path):
        return  # preprocessor_config.json may be missing; config.json was checked before
    try:
        json.loads(path.read_bytes())
    except PermissionError:
        raise _closed(path) from None
    except OSError as error:
        raise NoModel(
            f"{str(path)!r} cannot be read ({one_line(error)}): look at its disk, and at journalctl -k"
        ) from None
    except ValueError as error:
        raise NoModel(f"{str(path)!r} is damaged ({one_line(error)}): {REPAIR}") from None

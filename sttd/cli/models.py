"""`model list`: which models are on this machine. Only folders are looked at; faster-whisper is not imported."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from sttd.cli.options import given, shared
from sttd.cli.plain import size
from sttd.text import printable

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
DEMO = Path(__file__).resolve().parent.parent / "demo" / "model"
NEEDED = ("model.bin", "config.json", "tokenizer.json")
VOCABULARIES = ("vocabulary.json", "vocabulary.txt")


@dataclass(frozen=True, slots=True)
class Found:
    """A model folder on this machine."""

    name: str  # as `model.name` takes it
    folder: Path
    size: int  # bytes
    missing: tuple[str, ...]  # files that a load would look for in vain


def cache(environ: Mapping[str, str]) -> Path:
    """Where huggingface_hub keeps what it downloads (its environment variables page)."""
    home = environ.get("XDG_CACHE_HOME") or "~/.cache"
    hub = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(hub or Path(environ.get("HF_HOME") or f"{home}/huggingface", "hub")).expanduser()


def scan(hub: Path) -> Iterator[Found]:
    """The Whisper models in a cache of the layout `models--OWNER--NAME/snapshots/REVISION`, by name.

    The revision that `refs/main` names is the one that is used; a cache without it counts the newest. What holds
    neither weights nor the name of a known size is some other program's.
    """
    known = {repository: size for size, repository in SIZES.items()}
    for folder in sorted(hub.glob("models--*--*")):
        repository = "/".join(folder.name.split("--")[1:])
        snapshot = _snapshot(folder)
        if snapshot is not None and (repository in known or (snapshot / "model.bin").exists()):
            yield look(known.get(repository, repository), snapshot)


def _snapshot(folder: Path) -> Path | None:
    revisions = sorted(folder.glob("snapshots/*"), key=lambda one: one.stat().st_mtime)
    try:
        named = folder / "snapshots" / (folder / "refs" / "main").read_text("utf-8").strip()
    except (OSError, UnicodeError):
        return revisions[-1] if revisions else None
    return named if named in revisions else None


def look(name: str, folder: Path) -> Found:
    """What a model folder holds, and lacks."""
    files = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    missing = [needed for needed in NEEDED if not files.get(needed)]
    if not any(files.get(vocabulary) for vocabulary in VOCABULARIES):
        missing.append(" or ".join(VOCABULARIES))
    return Found(name, folder, sum(files.values()), tuple(missing))


@click.group()
@shared
def model() -> None:
    """Models: which ones are here."""


@model.command("list")
@shared
def list_() -> None:
    """The models on this machine, and the sizes that are known by name."""
    settings = given().load().model
    hub = cache(os.environ)
    found = [look("demo", DEMO), *scan(hub)]
    wanted = {"model.name": settings.name, "model.fallback": settings.fallback}
    found += [
        look(name, Path(name)) for name in dict.fromkeys(wanted.values()) if name != "demo" and Path(name).is_dir()
    ]
    width = max(len(printable(one.name)) for one in found)
    for one in found:
        roles = ", ".join(key for key, name in wanted.items() if one.name == canonical(name))
        state = f"incomplete: no {', no '.join(one.missing)}" if one.missing else printable(str(one.folder))
        print(f"{printable(one.name):<{width}}  {size(one.size):>9}  {state}" + (f"  ({roles})" if roles else ""))
    here = {one.name for one in found}
    print(f"\nknown by name, not in {printable(str(hub))}:\n  {' '.join(name for name in SIZES if name not in here)}")
    absent = [f"{key} = {name}" for key, name in wanted.items() if name and canonical(name) not in here]
    if absent:
        print(f"\nconfigured, but not on this machine: {', '.join(map(printable, absent))}")


def canonical(name: str) -> str:
    """The name under which a model is listed: `turbo` and its hub name are both `large-v3-turbo`."""
    known = {repository: size for size, repository in SIZES.items()}
    return known.get(name, ALIASES.get(name, name))

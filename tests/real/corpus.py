"""Recordings with their texts, from any of three kinds of folder.

- manifest.json: a list of objects with `file`, `group`, `language`, `text` (null: not known; "": no speech), `seconds`;
- a LibriSpeech tree: SPEAKER-CHAPTER.trans.txt with lines "ID TEXT", beside ID.flac;
- a Common Voice tree: test.tsv (or another one) with columns `path` and `sentence`, and clips/.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sttd.errors import SttdError


class NoSpeech(SttdError):
    """A folder holds nothing that is known as recordings with texts."""


@dataclass(frozen=True)
class Clip:
    """A recording, and what is said in it."""

    path: Path
    name: str  # for people: the path below the folder
    group: str
    language: str  # "mul": several
    text: str  # "": nobody speaks


def read(folder: Path) -> list[Clip]:
    """All recordings of `folder` whose text is known.

    Raises:
        NoSpeech: there are none, or one is missing.
    """
    clips = list(
        _manifest(folder) if (folder / "manifest.json").exists() else [*_librispeech(folder), *_voices(folder)]
    )
    if not clips:
        raise NoSpeech(
            f"{folder}: no manifest.json, no *.trans.txt of LibriSpeech and no *.tsv of Common Voice with texts"
        )
    absent = next((clip.path for clip in clips if not clip.path.is_file()), None)
    if absent is not None:
        raise NoSpeech(f"{absent} is not there, though {folder} has its text")
    return clips


def some(clips: Sequence[Clip], groups: Sequence[str], most: int | None, seed: int) -> list[Clip]:
    """The clips of `groups` (all, if none is named), and of each group `most` that are drawn by the seed."""
    known = list(dict.fromkeys(clip.group for clip in clips))
    unknown = set(groups) - set(known)
    if unknown:
        raise NoSpeech(f"no group {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen: list[Clip] = []
    for group in groups or known:
        members = [clip for clip in clips if clip.group == group]
        if most is not None and most < len(members):
            drawn = set(random.Random(f"{seed} {group}").sample(range(len(members)), most))
            members = [clip for index, clip in enumerate(members) if index in drawn]
        chosen += members
    return chosen


def _manifest(folder: Path) -> Iterator[Clip]:
    for entry in json.loads((folder / "manifest.json").read_text("utf-8")):
        if entry["text"] is not None:
            path = folder / entry["file"]
            name = entry["file"] if path.is_relative_to(folder) else str(Path(*path.parts[-2:]))
            yield Clip(path, name, entry["group"], entry["language"], entry["text"])


def _librispeech(folder: Path) -> Iterator[Clip]:
    for listing in sorted(folder.rglob("*.trans.txt")):
        below = listing.parent.relative_to(folder)
        group = below.parts[0] if len(below.parts) > 2 else folder.name
        for line in listing.read_text("utf-8").splitlines():
            name, _, text = line.partition(" ")
            yield Clip(listing.parent / f"{name}.flac", str(below / name), group, "en", text)


def _voices(folder: Path) -> Iterator[Clip]:
    """One listing of a Common Voice tree: that of the test set, if there is one, else each."""
    listings = [path for path in sorted(folder.rglob("*.tsv")) if (path.parent / "clips").is_dir()]
    listings = [path for path in listings if path.name == "test.tsv"] or listings
    for listing in listings:
        with listing.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row.get("path") and row.get("sentence"):
                    language = (row.get("locale") or listing.parent.name).split("-")[0]
                    path = listing.parent / "clips" / row["path"]
                    yield Clip(path, row["path"], f"{listing.stem}-{language}", language, row["sentence"])

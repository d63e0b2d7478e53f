"""The ways to hear, and what each made of a recording; kept, so that nothing is decoded twice.

A peer's result depends on the recording, the model and the versions; sttd's on its own source files as well. Each is
kept under a hash of all that it depends on.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import sttd
from sttd.errors import SttdError
from sttd.host.capacity import cores
from tests.real.hear import Heard
from tests.real.weights import cache, digest

OURS = "sttd"
# for recordings in which people speak Thai and English: the key that the README names for them
OURS_BOTH = "sttd-th-en"
SEQUENTIAL = "sequential"
PEERS = (SEQUENTIAL, "vad", "batched")
_SETS: dict[str, tuple[str, ...]] = {OURS: (), OURS_BOTH: ("transcribe.languages=th,en",)}
WAYS = (*_SETS, *PEERS)


class Broken(SttdError):
    """A way to hear ended with an error; what it says is on standard error."""


@dataclass(frozen=True)
class Setup:
    """What is the same for all ways."""

    model: Path
    compute_type: str = "auto"
    sets: tuple[str, ...] = ()  # for sttd
    fresh: bool = False  # decode again what is kept


def hear(way: str, files: Sequence[Path], setup: Setup, seed: int) -> dict[Path, Heard]:
    """What a way makes of files; the text, its language and segments, and the processor time."""
    shelves = {file: _shelf(way, file, setup, seed) for file in files}
    found = {file: json.loads(shelf.read_text("utf-8")) for file, shelf in shelves.items() if shelf.exists()}
    if setup.fresh:
        found = {}
    owed = [file for file in files if file not in found]
    for number, heard in enumerate(_decoded(way, owed, setup, seed), 1):
        file = Path(heard.pop("file"))
        _keep(shelves[file], heard)
        found[file] = heard
        if sys.stderr.isatty() or number == len(owed):
            print(f"\r{way}, seed {seed}: {number} of {len(owed)}", end="", file=sys.stderr, flush=True)
    if owed:
        print(file=sys.stderr)
    return found


def repeated(way: str, files: Sequence[Path], setup: Setup, seeds: Sequence[int]) -> dict[Path, list[Heard]]:
    """One run of each file, and of those in which something was drawn at random one for each further seed."""
    runs = {file: [heard] for file, heard in hear(way, files, setup, seeds[0]).items()}
    varying = [file for file in files if runs[file][0]["sampled"]]
    for seed in seeds[1:]:
        for file, heard in hear(way, varying, setup, seed).items():
            runs[file].append(heard)
    return runs


def _decoded(way: str, files: Sequence[Path], setup: Setup, seed: int) -> Iterator[Heard]:
    if not files:
        return
    order = {
        "way": way,
        "model": str(setup.model),
        "compute_type": setup.compute_type,
        "threads": cores(),
        "sets": _sets(way, setup),
        "seed": seed,
        "files": [str(file) for file in files],
    }
    command = [sys.executable, "-m", "tests.real.hear"]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order))
        process.stdin.close()
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise Broken(f"{way} ended with exit code {process.returncode}")


def _sets(way: str, setup: Setup) -> list[str]:
    return [*_SETS[way], *setup.sets] if way in _SETS else []


def _shelf(way: str, file: Path, setup: Setup, seed: int) -> Path:
    """The file in which a result is kept."""
    about = {
        "way": way,
        "file": _digest(file),
        "model": _digest(setup.model / "model.bin"),
        "compute_type": setup.compute_type,
        "sets": _sets(way, setup),
        "seed": seed,
        "versions": [version(name) for name in ("faster-whisper", "ctranslate2")],
        "source": _source() if way in _SETS else "",
    }
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    return cache() / "heard" / way / f"{key}.json"


def _keep(shelf: Path, heard: Heard) -> None:
    shelf.parent.mkdir(parents=True, exist_ok=True)
    making = shelf.with_name(f"{shelf.name}.{os.getpid()}")
    making.write_text(json.dumps(heard, ensure_ascii=False), "utf-8")
    making.rename(shelf)


_digest = functools.cache(digest)


@functools.cache
def _source() -> str:
    """A hash over sttd's own modules."""
    home = Path(sttd.__file__).parent
    return hashlib.sha256(b"".join(_lines(sorted(home.rglob("*.py")), home))).hexdigest()


def _lines(files: Iterable[Path], home: Path) -> Iterator[bytes]:
    for file in files:
        yield f"{file.relative_to(home)} {digest(file)}\n".encode()

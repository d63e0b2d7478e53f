"""What all measurements share: contenders that take turns, ratios with their spread, and the row that comes of them."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path

import psutil

from tests.bench.random_model import CACHE

_PACKAGES = ("faster-whisper", "ctranslate2", "whisper-ctranslate2", "onnxruntime", "numpy", "av")
SPEECH = Path(__file__).parent.parent / "real" / "prompts"


@dataclass(frozen=True)
class Bench:
    """How much is to be measured."""

    runs: int = 5
    scale: float = 1.0  # of lengths and counts: below 1 the figures are only a try
    cache: Path = CACHE  # recordings and models that are made once
    models: tuple[str, ...] = ("demo", "base", "small", "real")  # see material.py
    speech: Path = SPEECH  # what the real one listens to

    def count(self, full: int, least: int = 2) -> int:
        return max(least, round(full * self.scale))

    def seconds(self, full: float, least: float = 60.0) -> float:
        return max(least, full * self.scale)


@dataclass(frozen=True)
class Outcome:
    """One run of one contender."""

    seconds: float
    texts: Sequence[tuple[str, str]]  # (language, text) of each file, in the order of their names
    peak: float = 0.0  # MiB


@dataclass(frozen=True)
class Figure:
    """The median of some runs, and their spread."""

    middle: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        return cls(statistics.median(values), min(values), max(values), len(values))

    def words(self, form: str) -> str:
        middle, low, high = (format(value, form) for value in (self.middle, self.low, self.high))
        return middle if self.runs == 1 else f"{middle} ({low} to {high}, {self.runs} runs)"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    number: int  # of the list of measures in `__main__`
    what: str
    figure: Figure
    must: float  # at most
    beyond: float | None = None
    form: str = ".2f"
    notes: str = ""  # the absolute figures behind it

    @property
    def verdict(self) -> str:
        if self.beyond is not None and self.figure.middle <= self.beyond:
            return "beyond"
        return "reached" if self.figure.middle <= self.must else "**not reached**"

    def cells(self) -> list[str]:
        bounds = [format(self.must, self.form), "" if self.beyond is None else format(self.beyond, self.form)]
        return [str(self.number), self.what, self.figure.words(self.form), *bounds, self.verdict, self.notes]


class WrongText(SystemExit):
    """A contender did not write what is said: its figures do not count, and nothing is written."""


@dataclass
class Turns:
    """Contenders that run one after the other, again and again, so that a slow minute of the machine meets them all."""

    contenders: Mapping[str, Callable[[], Outcome]]
    check: Callable[[str, Outcome], str]  # raises WrongText; else a word about the text, for the log
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)

    def run(self, runs: int) -> Turns:
        names = list(self.contenders)
        for run in range(runs):
            for name in names[run % len(names) :] + names[: run % len(names)]:  # nobody is always the first
                outcome = self.contenders[name]()
                print(f"  run {run + 1}: {name}: {outcome.seconds:.2f} s, {self.check(name, outcome)}", flush=True)
                self.outcomes.setdefault(name, []).append(outcome)
        return self

    def ratio(self, ours: str, theirs: str) -> Figure:
        """Of the seconds, run by run."""
        pairs = zip(self.outcomes[ours], self.outcomes[theirs], strict=True)
        return Figure.of([mine.seconds / their.seconds for mine, their in pairs])

    def seconds(self, *names: str) -> str:
        """For the notes: the median seconds of each."""
        return ", ".join(f"{name} {Figure.of([o.seconds for o in self.outcomes[name]]).middle:.1f} s" for name in names)


def hardware() -> str:
    """The machine and the packages that figures come from."""
    info = Path("/proc/cpuinfo").read_text("utf-8")
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    flags = next((line for line in info.splitlines() if line.startswith("flags")), "").split()
    vectors = " ".join(flag for flag in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if flag in flags)
    memory = psutil.virtual_memory().total / 2**30
    versions = {found.name: found.version for found in distributions()}
    packages = ", ".join(f"{name} {versions[name]}" for name in _PACKAGES if name in versions)
    return (
        f"{model} ({vectors}), {os.cpu_count()} cores, {memory:.0f} GiB; "
        f"Linux {platform.release()}, Python {platform.python_version()}; {packages}"
    )


def alone(rows: Callable[[Bench, set[int]], list[Row]], numbers: set[int]) -> None:
    """One module's measurements as a command of their own: printed, not written down."""
    parser = add_options(argparse.ArgumentParser())
    for row in rows(bench(parser.parse_args()), numbers):
        print(" | ".join(row.cells()))


def add_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--runs", type=int, default=Bench.runs, help="interleaved runs; the median counts")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the clips and of the lengths")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where models and recordings are kept")
    parser.add_argument(
        "--models",
        default=",".join(Bench.models),
        help="default: %(default)s; base and small have random weights, real is Whisper's base, measured where it is here",
    )
    parser.add_argument(
        "--speech", type=Path, default=SPEECH, help="a folder as tests.real takes it, for the real model; %(default)s"
    )
    return parser


def bench(args: argparse.Namespace) -> Bench:
    return Bench(args.runs, args.scale, args.cache, tuple(args.models.split(",")), args.speech)

"""How long a query over many transcripts takes, and how soon their index is built, as a table. Measured alone:

    nice python -m tests.bench.searching [--count 100000] [--folder DIR]

With 100,000 it takes some five minutes of one core, and 2 GiB in DIR. What it cost with 2,000: 3.4 s of processor time.

The texts are made of the words of the Universal Declaration of Human Rights in Thai and of made-up words in Latin letters,
by Zipf's law: what is asked for is as common or rare as words are. A transcript is of about a minute.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import budoux

from sttd.job import Job, State
from sttd.ledger import Ledger
from sttd.ledger.rows import COLUMNS, to_row
from sttd.search import Follower, Search
from sttd.search.atoms import atoms
from tests.bench.side_by_side import hardware

_UDHR = Path(__file__).parent.parent / "search" / "udhr" / "tha.txt"
_SEGMENTS, _WORDS = 12, 16  # of a transcript, of a segment
_QUERIES = 300
_Row = tuple[str, str, str]  # of the table: what, by the clock, of processor time
_NAMES = [name for name in COLUMNS if name != "id"]


class Language:
    """Words of a language, the most common ones first."""

    def __init__(self, name: str, space: str, words: list[str]) -> None:
        self.name, self.space, self.words = name, space, words
        self._sums = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))

    def some(self, count: int, chance: random.Random) -> list[str]:
        return chance.choices(self.words, cum_weights=self._sums, k=count)


def languages(chance: random.Random) -> list[Language]:
    parser = budoux.load_default_thai_parser()
    known = list(dict.fromkeys(word for run in _UDHR.read_text("utf-8").split() for word in parser.parse(run)))
    more = ("".join(chance.sample(known, 2)) for _ in range(20_000))
    thai = list(dict.fromkeys([*known, *more]))
    latin = dict.fromkeys(
        "".join(chance.choice("bcdfghklmnprstvw") + chance.choice("aeiou") for _ in range(1 + rank % 4))
        + chance.choice("nrst")
        for rank in range(20_000)
    )
    return [Language("th", "", thai), Language("en", " ", list(latin))]


def fill(folder: Path, count: int, spoken: list[Language], chance: random.Random) -> int:
    """Finished jobs and their results; returns the characters of their texts."""
    ledger, now, length = Ledger.open(folder / "ledger.db"), time.time(), 0
    insert = f"INSERT INTO jobs ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})"
    for first in range(0, count, 1000):
        place = folder / f"{first:07}"
        place.mkdir()
        with ledger.transaction():
            for number in range(first, min(count, first + 1000)):
                language = chance.choices(spoken, (2, 1))[0]
                texts = [language.space.join(language.some(_WORDS, chance)) for _ in range(_SEGMENTS)]
                length += sum(map(len, texts))
                job = _done(number, now - 60.0 * (count - number), place / f"{number}.json", language.name)
                (place / f"{number}.json").write_text(_result(texts, language.name), "utf-8")
                row = to_row({name: getattr(job, name) for name in _NAMES})
                ledger._db.execute(insert, list(row.values()))
    ledger.close()
    return length


def _result(texts: list[str], language: str) -> str:
    """What the index reads of a result, and as much beside it as there is in one without times of words."""
    figures = {"avg_logprob": -0.25, "compression_ratio": 1.5, "no_speech_prob": 0.01, "temperature": 0.0}
    segments = [
        {"start": 5.0 * at, "end": 5.0 * at + 5, "text": text, "language": language} | figures
        for at, text in enumerate(texts)
    ]
    return json.dumps({"segments": segments}, ensure_ascii=False)


def _done(number: int, ended: float, result: Path, language: str) -> Job:
    return Job(
        number + 1, f"{number // 1000:04}/talk {number:07}.mp3", 1, 1, state=State.DONE, created_at=ended, finished_at=ended,
        location="/archive", audio_seconds=60.0, language=language, model="small", outputs=(os.fspath(result),),
    )  # fmt: skip


def queries(spoken: list[Language], chance: random.Random) -> list[str]:
    """As people ask: one word, common or rare; two; the two languages together; one character; what is not there."""
    thai, latin = spoken
    kinds = [
        lambda: thai.some(1, chance)[0],
        lambda: chance.choice(thai.words),
        lambda: latin.some(1, chance)[0],
        lambda: chance.choice(latin.words)[:3],
        lambda: " ".join(thai.some(2, chance)),
        lambda: " ".join([*latin.some(1, chance), *latin.some(1, chance)]),
        lambda: f"{thai.some(1, chance)[0]} {latin.some(1, chance)[0]}",
        lambda: chance.choice(atoms(chance.choice(thai.words))),
        lambda: f'"{" ".join(latin.some(2, chance))}"',
        lambda: chance.choice(thai.words) + chance.choice(thai.words),
    ]
    return [kind() for kind, _ in zip(itertools.cycle(kinds), range(_QUERIES), strict=False)]


def main() -> None:
    parser = argparse.ArgumentParser(description="how long a query takes, and how soon the index is built")
    parser.add_argument("--count", type=int, default=100_000, help="transcripts")
    parser.add_argument("--folder", type=Path, help="to work in; removed afterwards")
    args = parser.parse_args()
    print(f"{hardware()}; load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        measure(Path(name), args.count)


class Asked(NamedTuple):
    """A query, and what it took."""

    wall: float  # seconds
    used: float  # seconds of processor time
    words: str
    hits: int


def measure(folder: Path, count: int) -> None:
    chance = random.Random(14)
    spoken = languages(chance)
    length = fill(folder, count, spoken, chance)
    print(f"{count:,} transcripts are written; load {os.getloadavg()[0]:.1f}", flush=True)
    index = folder / "search.db"
    built = list(build(folder, index))
    search = Search(index)
    asked = [ask(search, words) for words in queries(spoken, chance)]
    rows = [("transcripts; characters of each", f"{count:,}; {length / count:.0f}", ""), *built, *times(asked)]
    print("\n| measure | wall | processor time |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(f"\nload {os.getloadavg()[0]:.1f}; the dearest queries by processor time:")
    for each in sorted(asked, key=lambda each: -each.used)[:10]:
        print(f"    {1000 * each.used:6.1f} ms  {each.hits:3} hits  {each.words}")


def build(folder: Path, index: Path) -> Iterator[_Row]:
    """Make the index, and look once more with nothing new."""
    began, busy = time.perf_counter(), time.process_time()
    with contextlib.closing(Follower(index, folder / "ledger.db", [folder])) as follower:
        while follower.step() or follower.coverage.waiting:
            pass
        count = follower.coverage.searchable
        took, used = time.perf_counter() - began, time.process_time() - busy
        began, busy = time.perf_counter(), time.process_time()
        follower.step()
        look, looked = time.perf_counter() - began, time.process_time() - busy
    size = sum(path.stat().st_size for path in folder.glob(f"{index.name}*"))
    yield "index built", f"{took:.0f} s", f"{used:.0f} s"
    yield "transcripts indexed a second", f"{count / took:.0f}", f"{count / used:.0f}"
    yield "size of the index; of each transcript", f"{size / 2**20:.0f} MiB; {size / count:.0f} bytes", ""
    yield "a look with nothing new", f"{1000 * look:.1f} ms", f"{1000 * looked:.1f} ms"


def ask(search: Search, words: str) -> Asked:
    began, busy = time.perf_counter(), time.process_time()
    found = search.find(words)
    return Asked(time.perf_counter() - began, time.process_time() - busy, words, len(found.hits))


def times(asked: list[Asked]) -> Iterator[_Row]:
    """How long queries take: half of them, 95 of 100, all."""
    walls, used = sorted(each.wall for each in asked), sorted(each.used for each in asked)
    for what, share in (("p50", 0.5), ("p95", 0.95), ("most", 1.0)):
        at = math.ceil(share * len(asked)) - 1
        yield f"{len(asked)} queries, {what}", f"{1000 * walls[at]:.1f} ms", f"{1000 * used[at]:.1f} ms"


if __name__ == "__main__":
    main()

"""Every measure of the table, by its row; and the table, with the machine that it was made on."""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path

from tests.bench.side_by_side import Row, add_options, bench, hardware

RESULTS = Path(__file__).with_name("RESULTS.md")
# a module has `rows(bench, wanted)`; those that are measured alone have none here
MODULES = {
    "clips": {1, 2},
    "long": {3, 4, 7},
    "memory": {5, 6},
    "latency": {8},
    "scale": {9, 10, 11},
    "overhead": {12},
    "rounds": {13},
    "parts": {14},
    "remotes": {15, 16, 17},
}
_HEAD = ["row", "measure", "measured", "must", "beyond", "verdict", "behind it"]


def main() -> None:
    parser = add_options(argparse.ArgumentParser(description="sttd and its peers side by side"))
    parser.add_argument("--rows", default="", help="such as 1,3; all where not given")
    args = parser.parse_args()
    everything = set().union(*MODULES.values())
    wanted = {int(row) for row in args.rows.split(",") if row} or everything
    if wanted - everything:
        parser.error(f"there are rows {sorted(everything)}")
    started, found = time.monotonic(), []
    for name, rows in MODULES.items():
        if wanted & rows:
            found += importlib.import_module(f"tests.bench.{name}").rows(bench(args), wanted & rows)
            print(table(found), flush=True)  # an hour's figures are not lost with the last of them
    text = "\n".join(["# sttd beside its peers", "", machine(time.monotonic() - started), "", table(found), ""])
    print(text)
    if wanted == everything and args.scale == 1:
        RESULTS.write_text(text, encoding="utf-8")


def table(rows: list[Row]) -> str:
    cells = [_HEAD, ["---"] * len(_HEAD), *(row.cells() for row in sorted(rows, key=lambda row: row.number))]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def machine(seconds: float) -> str:
    return (
        f"`python -m tests.bench`, {time.strftime('%Y-%m-%d')}, {seconds / 60:.0f} min. {hardware()}. "
        "Medians of interleaved runs with their spread; each contender's text was checked."
    )


if __name__ == "__main__":
    main()

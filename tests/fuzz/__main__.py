"""`python -m tests.fuzz`: mutants of each container, and the bombs; exit code 1 where one did what no file may do."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz import run
from tests.fuzz.mutate import CONTAINERS, mutants
from tests.hostile import bombs


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("containers", nargs="*", metavar="CONTAINER", help=f"of {', '.join(CONTAINERS)}, bombs")
    parser.add_argument("--files", type=int, default=300, help="mutants of each (300)")
    parser.add_argument("--seed", type=int, default=1, help="other mutants (1)")
    words = parser.parse_args()
    wrong = 0

    def rows() -> Iterator[tuple[str, run.Row]]:
        nonlocal wrong
        for name in words.containers or [*CONTAINERS, "bombs"]:
            files = mutants(name, words.files, words.seed) if name != "bombs" else ()
            for label, content in ((name, files),) if name != "bombs" else _bombs():
                row = lane.run(label, content)
                wrong += row.wrong.total()
                yield label, row

    with tempfile.TemporaryDirectory(prefix="sttd-fuzz-") as folder:
        lane = run.Lane(Path(folder))
        try:
            for line in run.table(rows()):
                print(line, flush=True)
        finally:
            lane.close()
    print(f"{wrong} wrong ends")
    return 1 if wrong else 0


def _bombs() -> Iterator[tuple[str, Iterator[bytes]]]:
    made = {name: make for name, (make, _) in bombs.REFUSED.items()} | bombs.ENDLESS
    for name, make in made.items():
        yield name, (each() for each in (make,))


if __name__ == "__main__":
    raise SystemExit(main())

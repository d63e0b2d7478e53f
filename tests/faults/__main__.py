"""`python -m tests.faults [STEP]`: the whole matrix, error by step, as a table."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.faults.injected import ERRORS, STEPS, Bench

good = cells = 0
with tempfile.TemporaryDirectory() as folder:
    bench = Bench(Path(folder))
    try:
        for step in STEPS:
            if not any(word in step.name for word in sys.argv[1:] or [""]):
                continue
            for error in ERRORS:
                try:
                    outcome = bench.run(step, error)
                except (
                    AssertionError
                ) as failure:  # one that waits in vain may leave the daemon dead: another one goes on
                    outcome = str(failure).partition("\n")[0]
                    print(*bench.daemon.log[-12:], sep="\n  ", file=sys.stderr)
                    bench.close()
                    folder_again = tempfile.mkdtemp(dir=folder)
                    bench = Bench(Path(folder_again))
                cells += 1
                good += outcome.startswith("good")
                print(f"{step.name:20} {error:7} {outcome}", flush=True)
    finally:
        bench.close()
print(f"{good} of {cells} as they should be")
sys.exit(good != cells)

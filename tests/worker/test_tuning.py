"""What a worker's process is set to before its libraries are loaded; each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SETTINGS = ("OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY")


def tuned(code: str, **environment: str) -> object:
    """What `code` prints, as JSON, in a process that was tuned."""
    bare = {name: value for name, value in os.environ.items() if name not in SETTINGS and "MALLOC" not in name}
    code = f"import json, os, resource\nfrom sttd.worker.tuning import tune\ntune()\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=bare | environment)
    return json.loads(done.stdout)


FAULTS = """
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * (48 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(json.dumps([faults() for _ in range(3)]))
"""


def test_memory_that_was_freed_is_used_again():
    """Without that each large array costs a page fault for every 4 KiB of it, again and again."""
    first, *later = tuned(FAULTS)
    assert first > 10_000
    assert max(later) < 100


def test_what_a_person_has_set_stays():
    assert min(tuned(FAULTS, MALLOC_MMAP_MAX_="65536", MALLOC_TRIM_THRESHOLD_="131072")) > 10_000
    seen = tuned("print(json.dumps(dict(os.environ)))", OMP_WAIT_POLICY="ACTIVE")
    assert (seen["OMP_WAIT_POLICY"], seen["OPENBLAS_NUM_THREADS"]) == ("ACTIVE", "1")

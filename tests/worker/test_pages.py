"""A worker's memory is met page by page once, and not anew for each window."""

from __future__ import annotations

import subprocess
import sys

WINDOWS = """
import resource
import sttd.worker
from sttd.part import ModelSpec
from sttd.worker.items import FRAMES
import numpy as np

whisper = sttd.worker.load(ModelSpec("demo"), lambda *_: None).whisper
for _ in range(3):
    whisper.encode(np.zeros((80, FRAMES), np.float32))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def test_a_window_uses_the_pages_of_the_one_before():
    """26,000 faults a window, and half of its processor time in the kernel, where malloc is left to itself."""
    done = subprocess.run([sys.executable, "-c", WINDOWS], capture_output=True, text=True, check=True)
    _, second, third = map(int, done.stdout.split())
    assert third - second < 5_000

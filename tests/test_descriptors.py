"""The daemon may have as many files open as it is allowed."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from sttd.host import descriptors
from sttd.host.descriptors import MOST

CODE = """
import resource, sttd.host.descriptors as it
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
it.raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(256, 4096), (256, None), (4096, 4096)])
def test_the_soft_limit_becomes_the_hard_one_within_reason(soft, hard):
    hard = hard or resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    code = CODE.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    most = MOST if hard == resource.RLIM_INFINITY else min(MOST, hard)
    assert done.stdout.split() == [str(most), str(hard)]


NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [
        (1024, 2 * MOST, MOST),
        (1024, NONE, MOST),
        (1024, 4096, 4096),
        (NONE, NONE, None),
        (2 * MOST, 4 * MOST, None),
        (2 * MOST, NONE, None),
    ],
)
def test_a_limit_is_raised_and_never_lowered(monkeypatch, soft, hard, wanted):
    """Limits that this machine may not have: the calls are told, and not made."""
    made = []
    monkeypatch.setattr(descriptors.resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(descriptors.resource, "setrlimit", lambda _, limits: made.append(limits))
    descriptors.raise_limit()
    assert made == ([] if wanted is None else [(wanted, hard)])

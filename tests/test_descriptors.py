"""The daemon may have as many files open as it is allowed."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

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

"""The far side of a line with the scripted worker."""

from __future__ import annotations

import sys

SCRIPTED = "tests.pool.scripted"
FAR = (sys.executable, "-c", f"from sttd.pool.far import serve; serve(worker={SCRIPTED!r})")

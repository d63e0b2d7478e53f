"""`python -m tests.web.impatient`: sttd, to which a daemon hangs after 2 s without a sign of life; and one whose loop a test can stop.

The loop of `run` stands still for as long as there is a file `stuck` in the root folder.
"""

from __future__ import annotations

import time

from sttd.cli import main
from sttd.daemon import Context, requests
from sttd.view import figures

figures.SILENT = 2.0
_take = requests.take


def _stuck(context: Context) -> None:
    while (context.config.paths.state.parent / "stuck").exists():
        time.sleep(0.01)
    _take(context)


requests.take = _stuck
main()

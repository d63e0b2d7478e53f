"""The far side of a worker behind a command (`ssh`, `srun`, `kubectl run -i`): what `sttd worker` runs on another machine.

Its standard input and output are the line to the head, the daemon that started the command. It is a small process without
any heavy library, and starts the same worker as the local pool does. So its beats, its end on silence and the kill of the
worker never wait for what a model does.

The messages are in `sttd.pool.wire`. They come in this order: `MARK` and Hello; the head's Setup; Ready or Refused; then the
orders of the head, and the messages of the worker.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from sttd.pool.far.facts import facts, mismatch
from sttd.pool.far.line import Line, LineBroken
from sttd.pool.far.shelf import Shelf
from sttd.pool.far.side import Side
from sttd.pool.local.child import WORKER
from sttd.pool.wire import Hello, Ready, Refused, Setup, WireError

_GREETING = 60.0  # seconds that the head may take to answer Hello
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(
    spool: Path | None = None,
    models: Sequence[str] = ("demo",),
    missing: Callable[[str], str] = lambda _name: "",
    worker: str = WORKER,
) -> None:
    """Work for the head behind standard input and output, to the end of this process.

    Args:
        spool: the folder for recordings that are sent; None: the user's temporary folder.
        models: names of those on this machine.
        missing: returns why a model cannot be loaded here; "": it can.
        worker: see `child.Settings`.

    Raises:
        OSError: no file can be made in the spool folder.
    """
    shelf = Shelf(spool)
    line = _line()
    for number in _ENDS:  # explicit, because the first process of a container has no default actions
        signal.signal(number, _end)
    try:
        code = _work(line, shelf, models, missing, worker)
    except (LineBroken, WireError) as error:
        print(f"sttd worker: {error}: it ends", file=sys.stderr, flush=True)
        code = 1
    os._exit(code)


def _line() -> Line:
    """Take standard input and output for the line alone: what libraries print goes to standard error, and none reads orders."""
    orders, messages = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return Line(orders, messages)


def _end(number: int, _frame: FrameType | None) -> None:
    """The worker dies with this process (PR_SET_PDEATHSIG), and so do the recordings that were sent: their files have no name."""
    os._exit(128 + number)


def _work(line: Line, shelf: Shelf, models: Sequence[str], missing: Callable[[str], str], worker: str) -> int:
    """Returns the exit code."""
    orders = line.orders(_GREETING)
    line.greet(Hello(facts(models)))
    setup = next(order for order in orders if order is not None)
    if not isinstance(setup, Setup):
        raise WireError(f"a {type(setup).__name__} before Setup")
    why = mismatch(setup, missing)
    if why:
        line.send(Refused(why))
        print(f"sttd worker: {why}", file=sys.stderr, flush=True)
        return 2
    side = Side(line, setup, shelf, worker)
    line.beat(setup.beat)
    line.silence = setup.silence
    line.send(Ready())
    try:
        for order in orders:
            if order is not None:
                side.take(order)
            if side.is_over:
                return 0
    finally:
        side.kill()
    return 0

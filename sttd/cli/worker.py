"""`worker`: what another machine's sttd starts here, by ssh, srun or kubectl, to have work done."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from sttd.cli.options import shared
from sttd.errors import UsageError

_FOR = (
    "this is for the sttd of another machine, which starts it by a command and talks to it through standard input and output:"
    ' write a [[pool.remote]] table there, such as command = ["ssh", "HOST", "/opt/sttd/bin/sttd", "worker"], and give it no'
    " terminal (ssh and kubectl without -t, srun without --pty and -u)"
)


@click.command(short_help="Work for another machine's sttd (started by it, not by you).")
@click.option("--spool", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True),
              help="For recordings that are sent.  [default: the temporary folder, $TMPDIR or /tmp]")  # fmt: skip
@shared
def worker(spool: Path | None) -> None:
    """Transcribe for the sttd of another machine, which starts this by a command in a [[pool.remote]] table.

    Standard input and output are the line between both. It needs no configuration and no service here, only a model
    (`sttd model pull`), and ends when the other side ends or falls silent. A recording that this machine does not have by
    the same path is sent, and kept in a file without a name until its job ends.
    """
    if sys.stdin is None or sys.stdout is None or sys.stdin.isatty() or sys.stdout.isatty():
        raise UsageError(_FOR)
    from sttd.hub import cache
    from sttd.pool.far import serve

    hub = cache.cache(os.environ)
    here = [found.name for found in cache.scan(hub) if not found.missing]
    serve(spool, ["demo", *here], lambda name: cache.why_missing(name, hub))

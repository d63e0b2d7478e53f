"""The command line: what a person types. It reads the ledger and leaves requests in it, and imports little.

This file stays empty of imports: a worker that is spawned from the `sttd` script imports the script, and so this.
"""

from __future__ import annotations


def main() -> None:
    """The console script."""
    import gc

    # by default there is a search after 700 new objects: dozens while modules are imported, which make no garbage
    gc.set_threshold(10_000)
    from sttd.cli.app import main as run

    run()

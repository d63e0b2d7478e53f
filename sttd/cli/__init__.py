"""The command line: what a person types. It reads the ledger and leaves requests in it, and imports little.

This file stays empty of imports but for what Python has loaded by itself: a worker that is spawned from the `sttd` script
imports the script, and so this; and `main` runs before it is settled where modules may come from.
"""

import os
import sys


def main() -> None:
    """The console script, and `python -m sttd`."""
    _import_only_what_is_installed()
    import gc

    # by default there is a search after 700 new objects: dozens while modules are imported, which make no garbage
    gc.set_threshold(10_000)
    from sttd.cli.app import main as run

    run()


def _import_only_what_is_installed() -> None:
    """Take the current folder, or the script's, off the module path, here and in every child.

    Python puts the script's folder there, with `-m` and `-c` the current one: in an inbox anybody's `json.py` would be run.
    Children are told by PYTHONSAFEPATH. Where Python was started with -E it is ignored: then we start again with -P.
    """
    if sys.flags.safe_path:
        return
    if sys.flags.ignore_environment:
        os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])  # noqa: S606 - the same words as before
    os.environ["PYTHONSAFEPATH"] = "1"
    unsafe = {"", os.path.dirname(os.path.realpath(sys.argv[0]))}  # noqa: PTH120 - pathlib is not to be had yet
    try:  # noqa: SIM105 - nor is contextlib
        unsafe.add(os.getcwd())  # noqa: PTH109
    except OSError:  # it was deleted: then it is not on the path
        pass
    if sys.path[0] in unsafe:
        del sys.path[0]

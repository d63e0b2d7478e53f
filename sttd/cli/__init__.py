"""The command line: what a person types. It reads the ledger and leaves requests in it, and imports little.

This file imports only what Python has loaded by itself: a worker that is spawned from the `sttd` script imports the script, and
so this; and `main` has to restrict the module path before anything else is imported.
"""

import os
import sys


def main() -> None:
    """The console script, and `python -m sttd`."""
    _import_only_what_is_installed()
    import gc

    # by default garbage is collected after 700 new objects: dozens of times during imports, which leave no garbage
    gc.set_threshold(10_000)
    try:
        from sttd.cli.app import main as run

        run()
    except KeyboardInterrupt:  # while it is imported: 0.1 s at least, and much more on a cold disk
        sys.exit(130)


def _import_only_what_is_installed() -> None:
    """Take the current folder, or the script's, off the module path, here and in every child.

    Python puts the script's folder there, with `-m` and `-c` the current one: in an inbox anybody's `json.py` would be run.
    Children get PYTHONSAFEPATH. Python ignores it if it was started with -E: then we start again with -P.
    """
    if sys.flags.ignore_environment and not sys.flags.safe_path:
        os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])  # noqa: S606 - the same words as before
    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib is not to be had yet
    except OSError:  # it was deleted: then it is not on the path
        here = ""
    _name_no_relative_folder(here)
    if sys.flags.safe_path:
        return
    os.environ["PYTHONSAFEPATH"] = "1"
    if sys.path[0] in {"", here, os.path.dirname(os.path.realpath(sys.argv[0]))}:  # noqa: PTH120
        del sys.path[0]


def _name_no_relative_folder(here: str) -> None:
    """`export PYTHONPATH=$PYTHONPATH:/mine` names the current folder too, where it was empty before."""
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    absolute = [each for each in named if each.startswith("/")]
    if named in (absolute, [""]) or sys.flags.ignore_environment:
        return
    os.environ["PYTHONPATH"] = os.pathsep.join(absolute)
    relative = {os.path.normpath(os.path.join(here, each)) for each in named if each not in absolute}  # noqa: PTH118
    sys.path[1:] = [each for each in sys.path[1:] if each in absolute or each not in relative]

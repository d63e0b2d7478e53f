"""Run something as a user without rights. Forked, because this Python may lie where no other user can read it."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import sys
import tempfile
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from tests.forked import fork

NOBODY = 65534  # user and group, on Debian and everywhere else that matters


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def import_all(package: ModuleType) -> None:
    """Import the modules of a package, but for those that need an extra: a command imports some only when it is typed."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        with contextlib.suppress(ImportError):
            importlib.import_module(found.name)


def as_nobody(call: Callable[[], object], groups: tuple[int, ...] = ()) -> Outcome:
    """What `call` printed and how it ended, as nobody. All that it needs must be imported already."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = fork()
        if child == 0:
            _become(groups, out.fileno(), err.fileno(), call)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return Outcome(code, *texts)


def _become(groups: tuple[int, ...], out: int, err: int, call: Callable[[], object]) -> None:
    code = 70
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.setgroups(groups)
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        call()
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

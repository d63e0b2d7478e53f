"""Children that are forked from a process of the tests, which has threads: xdist's, and those of the libraries."""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence


def fork() -> int:
    """As os.fork, but the child collects no garbage.

    A model of CTranslate2 may be among it, in a circle of references. Its end waits for its threads, which are not in the
    child: a test once hung in `pthread_cond_destroy` until its time limit of 20 minutes.
    """
    child = 0
    gc.disable()
    try:
        child = os.fork()
    except OSError:
        gc.enable()
        raise
    if child:
        gc.enable()
    return child


def sttd(words: Sequence[str], streams: Sequence[int], environ: dict[str, str], anew: Sequence[str] = ()) -> int:
    """A child that runs one command of sttd, in a twentieth of the time that a new interpreter takes to import it.

    `streams` become its standard input, output and error. Packages named in `anew` are imported again: those that read the
    environment when they are imported, and who has them. Returns its process id; the caller waits for it.
    """
    child = fork()
    if child == 0:
        code = 70
        try:
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8")
            sys.stdout = sys.__stdout__ = os.fdopen(1, "w", 1, encoding="utf-8")
            sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace")
            os.environ.clear()
            os.environ.update(environ)
            for name in [name for name in sys.modules if name.split(".")[0] in anew]:
                del sys.modules[name]
            importlib.import_module("sttd.cli.app").main(list(words))
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:  # whatever is wrong with them: the child runs no test of its parent's
                os._exit(code)
    return child


def run(
    words: Sequence[str], environ: dict[str, str], anew: Sequence[str] = (), *, patience: float
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run, of one command of sttd: its words behind `sttd`, and what it printed.

    Raises:
        subprocess.TimeoutExpired: it did not end within `patience` seconds, and was killed.
    """
    with open(os.devnull) as none, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = sttd(words, [file.fileno() for file in (none, out, err)], environ, anew)
        has_ended = _ends(child, patience)
        if not has_ended:
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    if not has_ended:
        raise subprocess.TimeoutExpired(list(words), patience, *texts)
    return subprocess.CompletedProcess(words, code, *texts)


def _ends(child: int, patience: float) -> bool:
    process = os.pidfd_open(child)
    try:
        return bool(select.select([process], [], [], patience)[0])
    finally:
        os.close(process)


class Process:
    """As subprocess.Popen, of one command of sttd: with pipes of texts, and its words behind `sttd`."""

    def __init__(self, words: Sequence[str], environ: dict[str, str]) -> None:
        pipes = [os.pipe() for _ in range(2)]
        with open(os.devnull) as none:
            self.pid = sttd(words, [none.fileno(), *(write for _, write in pipes)], environ)
        for _, write in pipes:
            os.close(write)
        self.stdout, self.stderr = (os.fdopen(read, encoding="utf-8") for read, _ in pipes)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def wait(self, patience: float) -> int:
        end = time.monotonic() + patience
        while (code := self._wait(os.WNOHANG)) is None:
            assert time.monotonic() < end, f"{self.pid} does not end"
            time.sleep(0.005)
        return code

    def _wait(self, how: int) -> int | None:
        if self.returncode is None:
            child, status = os.waitpid(self.pid, how)
            self.returncode = os.waitstatus_to_exitcode(status) if child else None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

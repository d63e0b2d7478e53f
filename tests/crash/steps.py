"""A daemon that stops after each durable call of the system, with no hook in its code: strace sends the SIGSTOPs.

A kill straight from strace would count calls for each thread by itself, so that one thread's fifth fsync hides
behind another's. Here the whole daemon stands still after each call, is told apart by what was done to which path,
and goes on, or is killed.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CALLS = (
    "fsync fdatasync rename renameat renameat2 link linkat unlink unlinkat mkdir mkdirat rmdir ftruncate write pwrite64"
)
# renameat2(2) with RENAME_NOREPLACE as older ZFS, NFS and many FUSE file systems answer it
LINKED = "inject=renameat2:error=EINVAL"
LINKED_STOPPED = f"{LINKED}:signal=SIGSTOP"
_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)")
_STANDS = re.compile(r"(\d+) +--- stopped by SIGSTOP")
_WORD = re.compile(r'(?:\w+)?(?:<([^>]*)>)?(?:"((?:[^"\\]|\\.)*)"(?:\.\.\.)?)?(?:, |\)|$)')


@dataclass(frozen=True)
class Step:
    """One durable call. The same step of another run has the same name."""

    call: str
    path: str  # below the root
    target: str = ""  # of a rename or a link
    number: int = 1  # how many of the same there were

    @property
    def name(self) -> str:
        arrow = f" -> {_constant(self.target)}" if self.target else ""
        return f"{self.call} {_constant(self.path)}{arrow} #{self.number}"


class Stepped:
    """A command under strace. Iterate over its steps: it stands still while the loop's body runs.

    Children that it forks count as itself; what they execute, its workers, does not.
    """

    def __init__(self, command: list[str], root: Path, env: dict[str, str], log: Path, *, linked: bool = False) -> None:
        reader, writer = os.pipe()
        calls = ",".join(CALLS.split())
        strace = [
            "strace",
            "-f",
            "--detach-on=execve",
            "-q",
            "-y",
            "-s",
            "0",
            "-o",
            f"/dev/fd/{writer}",
            "-e",
            f"trace={calls}",
        ]
        strace += ["-e", "signal=SIGSTOP", "-e", f"inject={calls}:signal=SIGSTOP"]
        strace += ["-e", LINKED_STOPPED] if linked else []
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*strace, *command], stdout=output, stderr=output, env=env, pass_fds=(writer,), start_new_session=True
            )
        os.close(writer)
        self._lines = os.fdopen(reader, encoding="utf-8", errors="backslashreplace")
        self._root = str(root)
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._begun: dict[int, str] = {}  # by thread: calls that strace has told the first half of
        self._done: dict[int, list[Step]] = {}  # by process: steps since it stood still
        self.daemon: int | None = None

    def __iter__(self) -> Iterator[Step]:
        standing: set[int] = set()
        for line in self._lines:
            if call := _LINE.match(line):
                self._hear(int(call[1]), call[2], call[3], resumed="resumed>" in line[:40])
                continue
            if stands := _STANDS.match(line):
                standing.add(int(stands[1]))
            for process in {_process(thread) for thread in standing} - {None}:
                threads = _threads(process)
                if not threads <= standing:
                    continue  # until nobody can change what is to be looked at
                standing -= threads
                steps, self._done[process] = self._done.get(process, []), []
                yield from steps
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def _hear(self, thread: int, call: str, arguments: str, *, resumed: bool) -> None:
        begun = self._begun.pop(thread, "") if resumed else ""
        if arguments.endswith("<unfinished ...>"):
            self._begun[thread] = arguments.removesuffix(" <unfinished ...>")
            return
        process = _process(thread)
        if process is None:
            return
        step = self._step(call, begun + arguments)
        if step is not None:
            self.daemon = self.daemon or process  # it makes the first step, long before it has children
            self._done.setdefault(process, []).append(step)

    def _step(self, call: str, arguments: str) -> Step | None:
        """None: it failed, or is about nothing below the root."""
        if re.search(r"= (-1|\?)", arguments):
            return None
        named = [f"{path}/" for path in _paths(arguments.rpartition(" = ")[0])]
        paths = [path.removeprefix(f"{self._root}/")[:-1] or "." for path in named if path.startswith(f"{self._root}/")]
        if not paths:
            return None
        below = (paths[0], paths[1] if len(paths) > 1 else "")
        key = (call, *map(_constant, below))
        self._seen[key] += 1
        return Step(call, *below, self._seen[key])

    def kill(self) -> None:
        """SIGKILL, in mid-step; returns when it has ended."""
        assert self.daemon is not None
        os.kill(self.daemon, signal.SIGKILL)
        self.finish()

    def finish(self, patience: float = 300.0) -> int:
        """Returns the exit code.

        Raises:
            subprocess.TimeoutExpired: it lives on.
        """
        try:
            return self.process.wait(patience)
        finally:
            self._lines.close()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _constant(path: str) -> str:
    """A path without the random words in the names of sources on their way and of half copies."""
    return re.sub(r"(/\.sttd-)(\d+-)?[0-9a-f]{16}(\.filing\.|\.part)", r"\1\2*\3", path)


def _paths(arguments: str) -> list[str]:
    """The paths that a call names: those of file descriptors, those that are written out, and both put together."""
    found: list[str] = []
    folder = ""
    for word in _WORD.finditer(arguments):
        if word[2]:
            path = os.path.join(folder, word[2])
            if folder in found:
                found.remove(folder)
            found.append(path)
        elif word[1] is not None:
            folder = word[1]
            found.append(folder)
    return found


def _process(thread: int) -> int | None:
    """None: it has ended meanwhile."""
    try:
        status = Path(f"/proc/{thread}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(status.partition("Tgid:")[2].split(maxsplit=1)[0])


def _threads(process: int) -> set[int]:
    try:
        return {int(name) for name in os.listdir(f"/proc/{process}/task")}
    except FileNotFoundError:
        return set()

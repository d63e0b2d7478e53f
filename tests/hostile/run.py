"""One run of the daemon over the whole corpus, under strace where there is one; every test reads what the run left behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil

from sttd.job import Job
from tests.harness import PATIENCE, Daemon
from tests.hostile import corpus
from tests.machine import no_trace

SETTINGS = {
    "pool.workers": "2",
    "pool.machine_wait": "1s",
    "watch.dedupe": "false",  # each file is to go its own way
    "pool.jobs_per_worker": "1000",
    "transcribe.beam_size": "1",
    "transcribe.temperatures": "0",
    "limits.max_audio": f"{corpus.MAX_AUDIO:.0f}s",
    "limits.max_gap": f"{corpus.MAX_GAP:.0f}s",
}
_CALLS = "open,openat,openat2,creat,socket,connect,bind,execve"
_TRACE = [
    "strace",
    "-f",
    "--seccomp-bpf",
    "-qq",
    "-y",
    "-xx",
    "-s",
    "8192",
    "-e",
    f"trace={_CALLS}",
    "-e",
    "signal=none",
]
# how a worker opens a recording, and nothing else is opened (sttd/worker/audio/source_file.py)
_AS_SOURCE = {"O_RDONLY", "O_NOCTTY", "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC"}


@dataclass(frozen=True)
class Call:
    """One traced call: `openat`, its path, its flags, and the path of what was opened."""

    name: str
    path: bytes
    flags: frozenset[str]
    opened: bytes | None

    @property
    def is_source(self) -> bool:
        return self.flags == _AS_SOURCE


class Run:
    """The folders under `root` after the run, and what it said."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outside = root / "outside"
        self.daemon = Daemon(root / "sttd", SETTINGS)
        self.trace = root / "trace"

    def go(self) -> None:
        """Make the corpus, and let the daemon come to the end of it."""
        corpus.make(self.daemon.inbox, self.outside)
        tracing = [*_TRACE, "-o", str(self.trace)] if no_trace() is None else []
        command = [*tracing, *self.daemon.command("run", "--drain")]
        with (self.root / "log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log)
            try:
                code = process.wait(3 * PATIENCE)
            except subprocess.TimeoutExpired:  # a file holds it up: the tests tell which
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                code = process.wait(3 * PATIENCE)
        (self.root / "code").write_text(str(code))

    @cached_property
    def code(self) -> int:
        return int((self.root / "code").read_text())

    @cached_property
    def log(self) -> bytes:
        return (self.root / "log").read_bytes()

    @cached_property
    def jobs(self) -> dict[str, Job]:
        jobs = self.daemon.jobs()
        assert len({job.source for job in jobs}) == len(jobs), "one job a file"
        return {job.source: job for job in jobs}

    @cached_property
    def calls(self) -> list[Call]:
        """Every call of every process, also of those whose line strace wrote in two pieces."""
        begun: dict[str, str] = {}
        calls = []
        for line in self.trace.read_text("ascii").splitlines():
            number, rest = line.split(maxsplit=1)
            if rest.endswith("<unfinished ...>"):
                begun[number] = rest.removesuffix("<unfinished ...>")
                continue
            if resumed := re.match(r"<\.\.\. \w+ resumed>", rest):
                rest = begun.pop(number) + rest[resumed.end() :]
            calls.append(_call(rest))
        return calls


def _call(text: str) -> Call:
    strings = re.findall(r'"((?:\\x[0-9a-f]{2})*)"', text)
    opened = re.search(r"\)\s+= \d+<((?:\\x[0-9a-f]{2})*)>$", text)
    flags = re.search(r", ((?:O_\w+\|?)+)", text)
    return Call(
        name=text.partition("(")[0],
        path=_bytes(strings[0]) if strings else b"",
        flags=frozenset(flags[1].split("|") if flags else ()),
        opened=_bytes(opened[1]) if opened else None,
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def own_folders() -> list[bytes]:
    """Where interpreter, libraries and this checkout lie, and what the system gives to every process."""
    here = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable)), *filter(None, sys.path)]
    folders = {os.path.realpath(path) for path in here} | set(here)
    return [os.fsencode(folder) for folder in folders] + [b"/usr", b"/lib", b"/lib64", b"/proc", b"/sys"]


OWN_FILES = {
    *(
        b"/etc/ld.so.cache",
        b"/etc/ld.so.preload",
        b"/etc/localtime",
        b"/etc/locale.alias",
        b"/etc/os-release",
        b"/etc/ssl/openssl.cnf",
    ),
    *(b"/etc/nvidia", b"/etc/gcrypt/hwf.deny", b"/etc/gnutls/config"),
    *(b"/dev", b"/dev/null", b"/dev/urandom", b"/dev/tty"),
}

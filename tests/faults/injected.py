"""Errors at every durable step of a file's way, one after the other, put in by strace into a daemon that runs.

strace joins the daemon and its worker for one job at a time, and lets the first calls of one kind at one path fail; then
it is over. The daemon must live, say once what is wrong (to systemd as well), spend no attempt, and go on by itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sttd.configfile import load
from sttd.job import State
from sttd.outbox.stage import staging_name
from tests import speech
from tests.harness import PATIENCE, Daemon, wait_for

ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES", "EMFILE", "ENOMEM")
CALLS = 2  # how many calls of a thread fail
DETACHING = 1.0  # seconds; less than the pool gives to a worker that it has killed
CLIPS = ("clip01", "clip04", "clip06")


@dataclass(frozen=True)
class Step:
    name: str
    call: str  # as strace knows it
    # below the root: what a call names, or the folder that it names it in. {n} is the job, {name} its source, {staging} its folder
    # of results. Without a slash: what a call names beside the handle of a folder
    path: str
    said: str = "status"  # where it must be said; "log": it is one file's trouble; "": nothing is held up by it
    alone: tuple[str, ...] = ()  # errors that are one file's trouble though others at this step hold everybody up


STEPS = (
    Step("ledger: write", "pwrite64", "state/ledger.db-wal"),
    Step("ledger: sync", "fdatasync", "state/ledger.db-wal"),
    Step("manifest: write", "write", "state/manifest.jsonl", ""),
    Step("manifest: sync", "fsync", "state/manifest.jsonl", ""),
    Step("source: open", "openat", "{name}", "log"),
    Step("source: read", "pread64", "inbox/{name}", "log"),
    Step("checkpoint: folder", "mkdir", "state/work/{n}"),
    Step("checkpoint: open", "openat", "state/work/{n}/0.jsonl", alone=("EACCES",)),
    Step("checkpoint: write", "write", "state/work/{n}/0.jsonl"),
    Step("checkpoint: sync", "fsync", "state/work/{n}/0.jsonl"),
    Step("checkpoint: remove", "unlink", "state/work/{n}/0.jsonl", ""),
    Step("results: folder", "mkdirat", "transcripts/.sttd-staging"),
    Step("results: open", "openat", "transcripts/.sttd-staging/{staging}"),
    Step("results: write", "write", "transcripts/.sttd-staging/{staging}/txt"),
    Step("results: sync", "fsync", "transcripts/.sttd-staging/{staging}/txt"),
    Step("results: rename", "renameat2", "transcripts/.sttd-staging/{staging}"),
    Step("source: take", "renameat", "inbox/"),
    Step("source: archive", "renameat2", "inbox/"),
)


class Manager:
    """A service manager that listens: what the daemon tells systemd."""

    def __init__(self, path: Path) -> None:
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.heard.append(self._socket.recv(65536).decode())

    def close(self) -> None:
        self._socket.close()


class Bench:
    """A daemon that runs, a worker that is warm, and files to be dropped."""

    def __init__(self, root: Path, make: Callable[..., Daemon] = Daemon) -> None:
        self.manager = Manager(root / "notify")
        os.environ["NOTIFY_SOCKET"] = str(root / "notify")
        try:
            settings = {"pool.machine_wait": "1s", "watch.dedupe": "no", "log.level": "info"}
            self.daemon = make(settings, root=root) if make is not Daemon else Daemon(root, settings)
            self.daemon.start()
            self.daemon.wait_log("watches")
        finally:
            del os.environ["NOTIFY_SOCKET"]
        self.jobs = 0
        self.drop("warm.flac", "clip01")
        self.daemon.wait_state(State.DONE, 1)

    def drop(self, name: str, clip: str) -> None:
        self.jobs += 1
        hidden = speech.encode(self.daemon.root / name, speech.sample(clip))
        hidden.rename(self.daemon.inbox / name)

    @contextlib.contextmanager
    def failing(self, call: str, error: str, path: Path, calls: int = CALLS) -> Iterator[None]:
        """Meanwhile the first calls of each thread fail."""
        assert self.daemon.process is not None
        pids = [self.daemon.process.pid, *(child.pid for child in self.daemon.children())]
        which = [word for pid in pids for word in ("-p", str(pid))]
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=1..{calls}", "-P", str(path)]
        command = ["strace", "-f", "-o", str(self.daemon.root / "strace.txt"), *inject, *which]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        try:
            while "attached" not in (line := tracer.stderr.readline()):
                assert line, "strace cannot attach"
            wait_for(lambda: all(map(self._is_traced, pids)), "strace has them all")
            yield
        finally:
            self._let_go(tracer)
            tracer.stderr.close()

    @staticmethod
    def _let_go(tracer: subprocess.Popen[str]) -> None:
        """Whom strace has go on.

        strace waits without end for a process of several threads that exits in this moment, as a worker does after an error of
        the machine: the end of its first thread is told only when the others were waited for. Until strace is gone that
        process can neither be killed nor be waited for, and the daemon would say so.
        """
        tracer.send_signal(signal.SIGINT)
        try:
            tracer.wait(DETACHING)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait(PATIENCE)

    @staticmethod
    def _is_traced(pid: int) -> bool:
        tasks = [Path(f"/proc/{pid}/task/{task}/status") for task in os.listdir(f"/proc/{pid}/task")]
        return all("TracerPid:\t0" not in task.read_text() for task in tasks)

    def injected(self) -> int:
        return (self.daemon.root / "strace.txt").read_text(errors="replace").count("(INJECTED)")

    def run(self, step: Step, error: str) -> str:
        """One cell of the matrix: what came of it, in words that begin with `good` where all is as it should be."""
        daemon, clip = self.daemon, CLIPS[self.jobs % len(CLIPS)]
        number, name = self.jobs + 1, f"f{self.jobs + 1}.flac"
        lines, words = len(daemon.log), len(self.manager.heard)
        staging = staging_name(load(None, root=daemon.root, environ={}), number)
        path = step.path.format(n=number, name=name, staging=staging)
        with self.failing(step.call, error, daemon.root / path if "/" in path else Path(path)):
            self.drop(name, clip)
            wait_for(self.injected, "a call has failed")
            if step.said:
                wait_for(lambda: self._complaints(lines) or self._is_done(number), "it is said")
        job = daemon.wait_state(State.DONE, number)
        said = self._complaints(lines)
        told = [word for word in self.manager.heard[words:] if word.startswith("STATUS=") and "held up" in word]
        problems = [
            *(["it did not happen"] if not self.injected() else []),
            *([f"{job.attempts} attempts spent"] if job.attempts else []),
            *(["the daemon died"] if daemon.process is None or daemon.process.poll() is not None else []),
            *(["wrong words"] if not self._says(name, clip) else []),
            *(["the source is not archived"] if not (daemon.archive / name).is_file() else []),
            *(["a private name is left"] if list(daemon.inbox.glob(".sttd-*.filing")) else []),
            *(["not said"] if step.said and not said else []),
            *([f"said {len(said)} times"] if len(said) > 1 else []),
            *(["STATUS= says nothing"] if step.said == "status" and error not in step.alone and not told else []),
            *(["a traceback"] if any("Traceback" in line for line in daemon.log[lines:]) else []),
        ]
        return "; ".join(problems) or f"good: {self.injected()} calls failed, {job.attempt} submissions"

    def _says(self, name: str, clip: str) -> bool:
        with contextlib.suppress(FileNotFoundError):  # the language was not heard
            return speech.says(self.daemon.text(name, "en"), clip)
        return False

    def _is_done(self, number: int) -> bool:
        return any(job.id == number and job.state is State.DONE for job in self.daemon.jobs())

    def _complaints(self, start: int) -> list[str]:
        levels = (" WARNING ", " ERROR ", " CRITICAL ")
        return [line for line in self.daemon.log[start:] if any(level in line for level in levels)]

    def close(self) -> None:
        self.daemon.close()
        self.manager.close()

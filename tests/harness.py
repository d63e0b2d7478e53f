"""A real daemon in a process of its own, over a folder of its own, as its users run it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from sttd.job import Job, State
from sttd.ledger import Ledger, facts, live
from sttd.part import Chunk
from tests import forked

# seconds that a wait for one event may last. Every wait ends with its event: the limit ends one that is in vain, on a machine
# ten times slower than ours too. A whole run of a daemon has three times as long
PATIENCE = 300.0
QUICK = {
    "model.name": "demo",
    "model.fallback": "",
    "model.cpu_threads": "1",
    "pool.workers": "1",
    "watch.settle": "0s",
    "pool.retry_waits": "0.1s",
}
# commands that start no process: they are forked, which takes a tenth of the time of a new interpreter
LIGHT = {"status", "jobs", "show", "pause", "resume", "retry", "redo", "cancel", "next", "check-config"}


def wait_for(condition: Callable[[], Any], what: str, patience: float = PATIENCE, pause: float | None = None) -> Any:
    """Wait until `condition` is true, and return what it gave.

    `pause`: seconds from one look to the next; None: 0.02, and more where a look takes long, as that of a command does.
    """
    end = time.monotonic() + patience
    while (asked := time.monotonic()) < end:
        value = condition()
        if value:
            return value
        time.sleep(max(0.02, min(0.5, 4 * (time.monotonic() - asked))) if pause is None else pause)
    raise AssertionError(f"waited {patience:.0f} s in vain: {what}")


def wakings(pid: int, seconds: float = 1.0) -> int:
    """How often the threads of a process wake up within a span. Unlike its processor time it is the same on any machine."""

    def until_now() -> int:
        statuses = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.MULTILINE)[1]) for text in statuses)

    before = until_now()
    time.sleep(seconds)  # a span to count over; nothing is waited for
    return until_now() - before


def remove_folder(folder: Path) -> None:
    """Remove a folder that a daemon may be putting its own files into at the same time."""

    def removed() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    wait_for(removed, f"{folder} is removed")


class Daemon:
    """`sttd run` under `root`, with the demo model. Settings are `--set` pairs: `{"pool.workers": "2"}`."""

    def __init__(self, root: Path, settings: dict[str, str] | None = None, *flags: str) -> None:
        self.root = root
        self.settings = QUICK | (settings or {})
        self.flags = flags
        self.log: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.inbox, self.transcripts = root / "inbox", root / "transcripts"
        self.archive, self.failed, self.state = root / "archive", root / "failed", root / "state"
        self.inbox.mkdir(parents=True, exist_ok=True)

    def command(self, *words: str) -> list[str]:
        sets = [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        return [sys.executable, "-m", "sttd", "--root", str(self.root), *sets, *words]

    def start(self, *flags: str) -> Daemon:
        self.process = subprocess.Popen(
            self.command("run", *self.flags, *flags), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"}, errors="backslashreplace",
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log.append(line.rstrip("\n"))

    def drain(self) -> int:
        """Run until every file has come to its end; returns the exit code."""
        return self.start("--drain").wait(3 * PATIENCE)

    def wait(self, patience: float = PATIENCE) -> int:
        assert self.process is not None
        code = self.process.wait(patience)
        self._reader.join(PATIENCE)
        return code

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait()

    def sttd(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another sttd command over the same folder."""
        command = self.command(*words)
        if words[0] in LIGHT and command[1:3] == ["-m", "sttd"]:
            return forked.run(command[3:], dict(os.environ), patience=PATIENCE)
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def json(self, *words: str) -> Any:
        done = self.sttd(*words, "--json")
        fine = (0, 1, 3) if words == ("status",) else (0,)  # it works, something holds it up, it does not run
        assert done.returncode in fine, done.stderr
        return json.loads(done.stdout)

    def children(self) -> list[psutil.Process]:
        assert self.process is not None
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended, or is not reaped yet
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile its workers are stopped: what comes to a running job comes before its end, however slow the test is."""
        workers = self.children()
        for worker in workers:
            worker.suspend()
        try:
            yield
        finally:
            for worker in workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.resume()

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        ledger = Ledger.open_readonly(self.state / "ledger.db")
        try:
            yield ledger
        finally:
            ledger.close()

    def live(self) -> dict[str, Any]:
        """The figures that the daemon wrote last."""
        with self.ledger() as ledger:
            about = ledger.fact(facts.DAEMON)
        return live.read(Path(about["live"]), about["pid"])

    def jobs(self) -> list[Job]:
        if not (self.state / "ledger.db").exists():
            return []
        with self.ledger() as ledger:
            return ledger.jobs(newest=False)

    def job(self, number: int = 1) -> Job:
        return next(job for job in self.jobs() if job.id == number)

    def _ended(self) -> bool:
        """Whether the daemon has ended, and all that it said is in the log."""
        return self.process is not None and self.process.poll() is not None and not self._reader.is_alive()

    def wait_state(self, state: State, number: int = 1, patience: float = PATIENCE) -> Job:
        def reached() -> Job | None:
            ended = self._ended()
            found = next((job for job in self.jobs() if job.id == number and job.state is state), None)
            assert found or not ended, f"the daemon ended, and job {number} is not {state}"
            return found

        try:
            return wait_for(reached, f"job {number} is {state}", patience)  # type: ignore[no-any-return]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.jobs()}\n" + "\n".join(self.log[-30:])) from None

    def wait_log(self, text: str, patience: float = PATIENCE) -> str:
        def found() -> str | None:
            ended = self._ended()
            line = next((line for line in self.log if text in line), None)
            assert line or not ended, f"the daemon ended, and the log does not say {text!r}"
            return line

        try:
            return wait_for(found, f"the log says {text!r}", patience)  # type: ignore[no-any-return]
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(self.log[-30:])) from None

    def checkpoint(self, number: int = 1) -> list[Chunk]:
        """The chunks that lie in the checkpoint of a job now."""
        from sttd.ledger.lines import from_json
        from sttd.ledger.seal import unseal

        found = []
        for path in sorted((self.state / "work" / str(number)).glob("*.jsonl"), key=lambda path: int(path.stem)):
            lines = [unseal(line) for line in path.read_bytes().splitlines(keepends=True)]
            found += [chunk for line in lines[1:] if line is not None and (chunk := from_json(line)) is not None]
        return found

    def text(self, source: str, language: str) -> str:
        """The words of a result."""
        path = (self.transcripts / source).with_suffix(f".{language}.txt")
        return path.read_text(encoding="utf-8")

    def result(self, source: str, language: str) -> dict[str, Any]:
        path = (self.transcripts / source).with_suffix(f".{language}.json")
        value = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(value, dict)
        return value

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)

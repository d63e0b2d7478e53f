"""A receiver that is a real HTTP server, a ledger that is written as the daemon writes it, and the real process of the notifier."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sttd.config import Config, Paths, Receiver
from sttd.job import Identity, Job, State
from sttd.ledger import Ledger
from sttd.notify.look import Look, Views
from sttd.notify.record import Record
from sttd.view import figures
from tests import forked
from tests.harness import PATIENCE, wait_for
from tests.memory import tmp_path

__all__ = ["tmp_path"]

SECRET = "whsec_" + base64.b64encode(b"the key of the tests, 32 bytes..").decode()
NOW = 1_800_000_000.0


@dataclass
class Hook:
    """What a receiver got, and how it answers: by a status, or by a function that gets the handler."""

    url: str = ""
    answer: int | Callable[[BaseHTTPRequestHandler], None] = 204
    got: list[tuple[str, dict[str, Any]]] = field(
        default_factory=list
    )  # webhook-id and body of each that was answered by 2xx
    requests: int = 0
    raw: list[bytes] = field(default_factory=list)  # the body of each
    forged: list[str] = field(default_factory=list)

    def ids(self) -> list[str]:
        return [identity for identity, _ in self.got]

    def bodies(self) -> list[dict[str, Any]]:
        return [body for _, body in self.got]


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A server on this machine that checks each signature with the library of Standard Webhooks."""
    state = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.requests += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.raw.append(body)
            try:
                Webhook(SECRET).verify(body, dict(self.headers))
            except WebhookVerificationError as error:
                state.forged.append(str(error))
            if callable(state.answer):
                state.answer(self)
                return
            if 200 <= state.answer < 300:
                state.got.append((self.headers["webhook-id"], json.loads(body)))
            self.send_response(state.answer)
            self.send_header("Location", f"{state.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


class World:
    """A root folder with a ledger that is written as the daemon writes it, and looks at it."""

    def __init__(self, root: Path) -> None:
        self.config = Config(paths=Paths(root=root, state=root / "state"))
        self.state = root / "state"
        self.state.mkdir()
        (root / "state-notify").mkdir()
        self.ledger = Ledger.open(self.state / "ledger.db")
        self.record = Record(root / "state-notify")
        self.now = NOW
        self.status: dict[str, Any] = {}

    def begin(self, *receivers: Receiver) -> Look:
        """A notifier's look from its start on."""
        config = Config(paths=self.config.paths, receivers=receivers or (Receiver("all", command=("/bin/true",)),))
        return Look(config, self.record, Views(self._status, figures.health, figures.job))

    def _status(self, ledger: Ledger) -> dict[str, Any]:
        return figures.status(ledger, running=True) | self.status

    def add(self, source: str = "a.mp3", **fields: Any) -> Job:
        self.now += 1
        return self.ledger.add(source, Identity(1000, 5), self.now, **fields)

    def run(self, job: Job, **fields: Any) -> Job:
        return self.ledger.update(job, state=State.RUNNING, attempt=job.attempt + 1, started_at=self.now, **fields)

    def done(self, job: Job, **fields: Any) -> Job:
        self.now += 1
        job = self.ledger.update(self.run(job), state=State.COMMITTING)
        return self.ledger.update(job, state=State.DONE, finished_at=self.now, **fields)

    def fail(self, job: Job, error: str = "it is broken") -> Job:
        self.now += 1
        return self.ledger.update(self.run(job), state=State.FAILED, finished_at=self.now, error=error)

    def retry(self, job: Job) -> Job:
        return self.ledger.update(job, state=State.QUEUED, finished_at=None, error=None)

    def close(self) -> None:
        self.ledger.close()
        self.record.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


class Notifier:
    """`sttd notify` in a process of its own."""

    def __init__(self, root: Path, tables: str) -> None:
        self.root = root
        self.config = root / "sttd.toml"
        self.config.write_text(f'[paths]\nroot = "{root}"\n{tables}')
        self.log: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "tests.notify.hasty", "--config", str(self.config), *words]

    def start(self) -> Notifier:
        self.process = subprocess.Popen(self.command("notify"), stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log.append(line.rstrip("\n"))

    def wait_log(self, text: str) -> str:
        def found() -> str | None:
            assert self.process is not None
            ended = self.process.poll() is not None and not self._reader.is_alive()
            line = next((line for line in self.log if text in line), None)
            assert line or not ended, "\n".join(self.log)
            return line

        return wait_for(found, f"the log says {text!r}")  # type: ignore[no-any-return]

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def sttd(self, *words: str) -> subprocess.CompletedProcess[str]:
        return forked.run(self.command(*words)[4:], dict(os.environ), patience=PATIENCE)


@pytest.fixture
def notifier(tmp_path: Path) -> Iterator[Callable[[str], Notifier]]:
    made: list[Notifier] = []

    def make(tables: str) -> Notifier:
        made.append(Notifier(tmp_path, tables))
        return made[-1]

    yield make
    for each in made:
        if each.process is not None and each.process.poll() is None:
            each.process.kill()
            each.process.wait(PATIENCE)

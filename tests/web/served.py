"""A `sttd web` in a process of its own, over a root folder, on a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests import forked
from tests.harness import PATIENCE


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # by names in small letters
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """Settings are `--set` pairs: `{"web.max_upload": "1M"}`."""

    def __init__(
        self,
        root: Path,
        settings: dict[str, str] | None = None,
        environ: dict[str, str] | None = None,
        module: str = "sttd",
    ) -> None:
        self.root = root
        sets = [word for key, value in (settings or {}).items() for word in ("--set", f"{key}={value}")]
        words = ["--root", str(root), *sets, "web", "--listen", "127.0.0.1:0"]
        everything = os.environ | (environ or {})
        self.log: list[str] = []
        self._listens = threading.Event()
        self.port = 0
        self.process: forked.Process | subprocess.Popen[str]
        if module == "sttd":
            self.process = forked.Process(words, everything)
        else:
            command = [sys.executable, "-P", "-m", module, *words]
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=everything
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._listens.wait(PATIENCE), self.log
        assert self.port, self.log

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))
            found = re.search(r"listens on http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                self._listens.set()
        self._listens.set()  # it has ended

    @property
    def token(self) -> str:
        return (self.root / "state-web" / "token").read_text().strip()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request without the token, over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """With the token."""
        return self.ask("GET", path, None, self.bearer() | (headers or {}))

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @contextlib.contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A bare connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as opened:
            yield opened

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

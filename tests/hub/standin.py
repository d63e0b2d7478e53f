"""A hub on this machine that serves the demo model as a repository, and can be slow, broken, short or wrong.

As the hub answers huggingface_hub 2.4: /api/models/OWNER/NAME?blobs=true lists names, sizes and hashes; resolve/REVISION/NAME
gives a file or a range of it, HEAD its size and ETag. Large files come from another host, to which no token may go.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import sttd

MODEL = Path(sttd.__file__).parent / "demo" / "model"
LARGE = {"model.bin", "tokenizer.json"}  # kept in LFS, and so with a SHA-256
REPOSITORY = "Systran/faster-whisper-base"
BLOCK = 2**16


class Request(NamedTuple):
    method: str
    path: str
    range: str
    token: str


class Content:
    def __init__(self, name: str, data: bytes) -> None:
        self.data, self.large = data, name in LARGE
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        self.etag = self.sha256 if self.large else self.sha1


@functools.cache
def _model() -> dict[str, Content]:
    return {path.name: Content(path.name, path.read_bytes()) for path in MODEL.iterdir()}


class StandIn:
    """The server, and what a test turns about it while it runs."""

    def __init__(self) -> None:
        self.files = _model() | {
            "README.md": Content("README.md", b"# not wanted"),
            ".gitattributes": Content("", b"x"),
        }
        self.revision = "1" * 40
        self.requests: list[Request] = []
        self.sent: list[tuple[str, str]] = []  # name and Range of each file that was sent
        self.answer: tuple[int, dict[str, str]] | None = None  # to everything: a status and headers
        self.bare = False  # lists names alone, as some mirrors do
        self.no_ranges = False  # sends the whole file whatever is asked for
        self.wrong: set[str] = set()  # files that come with another content of the same size
        self.short: int | None = (
            None  # model.bin ends after so many bytes, and its headers say so; the listing does not
        )
        self.endless: str | None = None  # a file that does not stop coming
        self.claim: int | None = None  # the listing says that model.bin has so many bytes
        self.break_after: int | None = None  # closes the connection after so many bytes of each answer with model.bin
        self.hold_after: int | None = None  # sends no more of model.bin after so many bytes, until released
        self.held, self.release = threading.Event(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    def publish(self, name: str, data: bytes, revision: str) -> None:
        """A new revision, with another file."""
        self.files[name], self.revision = Content(name, data), revision

    def ranges(self, name: str) -> list[str]:
        """The Range of each request for a file, in order; "" where it was asked for from its start."""
        return [asked for sent, asked in self.sent if sent == name]


class _Handler(BaseHTTPRequestHandler):
    hub: StandIn
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._take()

    def do_GET(self) -> None:
        self._take()

    def _take(self) -> None:
        hub = self.hub
        hub.requests.append(
            Request(self.command, self.path, self.headers.get("Range", ""), self.headers.get("Authorization", ""))
        )
        url = urllib.parse.urlsplit(self.path)
        if hub.answer is not None:
            self._send(hub.answer[0], hub.answer[1], b"{}")
        elif url.path == f"/api/models/{REPOSITORY}":
            self._send(200, {"Content-Type": "application/json"}, json.dumps(self._listing(url.query)).encode())
        elif url.path.startswith((f"/{REPOSITORY}/resolve/{hub.revision}/", "/cdn/")):
            self._file(url.path.rpartition("/")[2], elsewhere=url.path.startswith("/cdn/"))
        else:  # what the hub says of a model that is not there, to somebody without a token
            self._send(401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b"{}")

    def _listing(self, query: str) -> dict:
        files = [{"rfilename": name} for name in self.hub.files]
        if "blobs=" in query and not self.hub.bare:
            files = [self._about(name, content) for name, content in self.hub.files.items()]
        return {"id": REPOSITORY, "modelId": REPOSITORY, "sha": self.hub.revision, "siblings": files}

    def _about(self, name: str, content: Content) -> dict:
        size = self.hub.claim if self.hub.claim is not None and name == "model.bin" else len(content.data)
        about = {"rfilename": name, "size": size, "blobId": content.sha1}
        if content.large:
            about["lfs"] = {"sha256": content.sha256, "size": size, "pointerSize": 134}
        return about

    def _file(self, name: str, *, elsewhere: bool) -> None:
        content = self.hub.files.get(name)
        if content is None:
            self._send(404, {"X-Error-Code": "EntryNotFound"}, b"")
            return
        if name == self.hub.endless and self.command == "GET":
            self._send_for_ever()
            return
        data = content.data if name not in self.hub.wrong else bytes(len(content.data))
        if name == "model.bin" and self.hub.short is not None:
            data = data[: self.hub.short]
        headers = {"ETag": f'"{content.sha1}"', "X-Repo-Commit": self.hub.revision, "Accept-Ranges": "bytes"}
        if content.large:
            headers |= {"X-Linked-ETag": f'"{content.sha256}"', "X-Linked-Size": str(len(data))}
            if not elsewhere:
                port = self.server.server_address[1]
                self._send(302, headers | {"Location": f"http://localhost:{port}/cdn/{content.sha256}/{name}"}, b"")
                return
        asked = self.headers.get("Range")
        if self.command == "GET":
            self.hub.sent.append((name, asked or ""))
        if asked is None or self.hub.no_ranges:
            self._send(200, headers, data, troubled=name == "model.bin")
            return
        start = int(asked.removeprefix("bytes=").split("-")[0])
        if start >= len(data):
            self._send(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
            return
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._send(206, headers, data[start:], troubled=name == "model.bin")

    def _send(self, status: int, headers: dict[str, str], data: bytes, *, troubled: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        limits = [limit for limit in (self.hub.break_after, self.hub.hold_after) if troubled and limit is not None]
        try:
            self.wfile.write(data[: min(limits, default=len(data))])
            self.wfile.flush()
            if troubled and self.hub.hold_after is not None:
                self.hub.held.set()
                self.hub.release.wait()
                self.wfile.write(data[self.hub.hold_after :])
        except OSError:  # nobody listens any more
            limits = [0]
        self.close_connection = bool(limits)

    def _send_for_ever(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(bytes(2**20))

    def log_message(self, format: str, *words: object) -> None:
        """Not on standard error."""

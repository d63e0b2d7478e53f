"""A signed webhook: one POST, signed as https://www.standardwebhooks.com has it, so that any of its libraries can check it.

No redirect is followed: the notice goes to the host that the configuration names. Only the status of an answer is read.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection, RemoteDisconnected
from urllib.parse import SplitResult, unquote, urlsplit

from sttd import __version__
from sttd.config import Receiver
from sttd.notify import credentials
from sttd.notify.errors import NotTold


def signature(keys: Iterable[bytes], identity: str, at: int, body: bytes) -> str:
    """The header webhook-signature: one signature for each key; the receiver accepts it if any one of them is right."""
    signed = b".".join((identity.encode("ascii"), str(at).encode("ascii"), body))
    digests = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    return " ".join(f"v1,{base64.b64encode(digest).decode('ascii')}" for digest in digests)


def send(receiver: Receiver, identity: str, body: bytes) -> None:
    """Try once. Raises NotTold: it was not accepted."""
    url, at = urlsplit(receiver.webhook), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"sttd/{__version__}",
        "webhook-id": identity,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(credentials.keys(receiver.secret_file), identity, at, body),
    }
    if url.username is not None:
        words = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(words).decode('ascii')}"
    status = _Post(url, receiver.timeout).status(body, headers)
    if not 200 <= status < 300:
        more = ": redirects are not followed, write the address that it leads to" if 300 <= status < 400 else ""
        known = next((each.phrase for each in HTTPStatus if each == status), "")
        raise NotTold(f"HTTP {status} {known}".rstrip() + more)


class _Post:
    """One request. A socket's own timeout starts again with each byte, and a slow server could hold it: a timer cuts."""

    def __init__(self, url: SplitResult, timeout: float) -> None:
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        assert url.hostname is not None
        if url.scheme == "https":
            context = ssl.create_default_context()
            self._connection: HTTPConnection = HTTPSConnection(url.hostname, url.port, timeout=timeout, context=context)
        else:
            self._connection = HTTPConnection(url.hostname, url.port, timeout=timeout)
        self._timeout = timeout
        self._is_over = threading.Event()

    def status(self, body: bytes, headers: dict[str, str]) -> int:
        timer = threading.Timer(self._timeout, self._cut)
        timer.daemon = True
        timer.start()
        try:
            self._connection.connect()
            if self._is_over.is_set():
                raise TimeoutError
            self._connection.request("POST", self._path, body, headers)
            status = self._connection.getresponse().status
            if self._is_over.is_set():  # headers that were cut off parse like whole ones
                raise TimeoutError
            return status
        except (OSError, HTTPException) as error:
            raise NotTold(self._reason(error)) from None
        finally:
            timer.cancel()
            self._connection.close()

    def _cut(self) -> None:
        self._is_over.set()
        held = self._connection.sock
        if held is not None:
            with contextlib.suppress(OSError):
                # not SSLSocket's method: another thread is using its TLS state
                socket.socket.shutdown(held, socket.SHUT_RDWR)

    def _reason(self, error: OSError | HTTPException) -> str:
        """The error, in words that hold nothing of the address."""
        if self._is_over.is_set() or isinstance(error, TimeoutError):
            return f"there was no answer within {self._timeout:g} s"
        if isinstance(error, ssl.SSLError):
            return f"TLS: {getattr(error, 'verify_message', '') or error.reason or 'the connection was ended'}"
        if isinstance(error, socket.gaierror):
            return f"its host is not found: {error.strerror}"
        if isinstance(error, RemoteDisconnected):
            return "the connection was closed without an answer"
        if isinstance(error, OSError):
            return error.strerror or type(error).__name__
        return f"what answers is no HTTP: {type(error).__name__}"

"""An open file as an answer, whole or the range that is asked for: a player that jumps asks for no more than it plays."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_BLOCK = 256 * 2**10  # bytes: a quarter of a minute of a common MP3
_RANGED = ("GET", "HEAD")  # with any other method there are no ranges (RFC 9110, 14.2)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class OpenFile(Response):
    """The answer with the content of a handle, which it closes. It must be sent."""

    def __init__(self, handle: int, request: Request, headers: Mapping[str, str]) -> None:
        self._handle = handle
        seen = os.fstat(handle)
        tag = f'"{seen.st_mtime_ns:x}-{seen.st_size:x}"'
        first, last = 0, seen.st_size - 1
        status, more = 200, {}
        wanted = request.headers.get("range") if request.method in _RANGED else None
        if wanted is not None and request.headers.get("if-range", tag) == tag:
            found = span(wanted, seen.st_size)
            if found is not None and not found:
                status, more, last = 416, {"content-range": f"bytes */{seen.st_size}"}, -1
            elif found:
                first, last = found
                status, more = 206, {"content-range": f"bytes {first}-{last}/{seen.st_size}"}
        self._first, self._end = first, last + 1
        super().__init__(status_code=status)
        self.headers.update({"accept-ranges": "bytes", "etag": tag, **headers, **more})
        self.headers["content-length"] = str(self._end - first)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            at = self._end if scope["method"] == "HEAD" else self._first
            while at < self._end:
                block = await run_in_threadpool(os.pread, self._handle, min(_BLOCK, self._end - at), at)
                if not block:  # it became shorter: the connection is closed, so that nobody takes it for whole
                    raise ConnectionAbortedError("the file was cut while it was sent")
                at += len(block)
                await send({"type": "http.response.body", "body": block, "more_body": at < self._end})
            if self._first == self._end or scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
        finally:
            os.close(self._handle)


def span(header: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """First and last byte of a Range header (RFC 9110, 14.2); (): it cannot be satisfied; None: to be ignored.

    Several ranges in one request are ignored: players do not ask so, and the whole file is a right answer.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if not match[1]:
        count = min(int(match[2]), size)
        return (size - count, size - 1) if count else ()
    first = int(match[1])
    if match[2] and int(match[2]) < first:
        return None
    last = min(int(match[2] or size), size - 1)
    return (first, last) if first <= last else ()

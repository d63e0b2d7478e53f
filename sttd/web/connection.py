"""One connection, with limits that uvicorn does not have: how long a request may take to arrive, and an answer to leave.

Otherwise a request that was sent by half holds its connection for good, and a few hundred of them the whole server. The rate
is that of Apache's mod_reqtimeout (`body=20,MinRate=500`), the wait for a reader that of nginx (`send_timeout 60s`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 250  # connections at a time
HEAD_TIME = 15.0  # seconds from the first byte of a request, or from the connection, to the end of its head
SPAN = 20.0  # seconds over which a body is measured, and for which one is still read that was refused
LEAST = 500 * SPAN  # bytes of a body that must arrive meanwhile
STALL = 60.0  # seconds for which a reader may take nothing
_ENDLESS = "sttd.endless"  # in a request's state: its answer has no end


def is_too_slow(*, uploads: bool, reads: bool, answered: bool, received: int, stalled: float) -> bool:
    """Whether the other side holds a connection for too long.

    Args:
        uploads: the body of the request is not complete.
        reads: the application wants more of it; otherwise nobody is to blame.
        answered: the answer is complete, so that nobody wants the body: it is read on for a span, or its sender, whose
            connection would be reset in mid-sentence, would not see the answer.
        received: bytes in the last span.
        stalled: seconds for which the answer could not be sent.
    """
    slow_body = uploads and (answered or (reads and received < LEAST))
    return slow_body or stalled > STALL


class Connection(H11Protocol):
    """Ends itself if the other side is too slow."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._serves = False  # a request whose head is complete
        self.since = 0.0  # when it began to wait for a request
        self._received = 0  # bytes since the last measure
        self._full: float | None = None  # since when the reader takes nothing

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        self._set(HEAD_TIME, self._reset)
        if len(self.connections) > MOST:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        self._follow()
        if not self._serves and self._timer is None:  # the beginning of another request
            self._set(HEAD_TIME, self._reset)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._follow()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._full = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._full = None

    def shutdown(self) -> None:
        """At the end of the server: a stream of events never ends by itself, and its reader connects again."""
        super().shutdown()
        if self.cycle is not None and self.scope["state"].get(_ENDLESS):
            self.transport.close()

    def _follow(self) -> None:
        """Note whether a request is being served now, and set the timer for that."""
        if self not in self.connections:  # it is lost: uvicorn's timer for unused ones may go off nevertheless
            return
        served, self._serves = self._serves, self.conn.their_state is not h11.IDLE
        if self.transport.is_closing():  # as soon as the reader has taken all
            self._set(SPAN, self._reset)
        elif self._serves and not served:
            self._set(SPAN, self._measure)
            self._received = 0
        elif served and not self._serves:  # uvicorn's own timer ends a connection that is not used
            self._unset()
            self.since = self.loop.time()

    def _measure(self) -> None:
        too_slow = is_too_slow(
            uploads=self.conn.their_state is h11.SEND_BODY,
            reads=not self.flow.read_paused,
            answered=self.cycle.response_complete,
            received=self._received,
            stalled=0.0 if self._full is None else self.loop.time() - self._full,
        )
        if too_slow:
            self._reset()
        else:
            self._received = 0
            self._set(SPAN, self._measure)

    def _reset(self) -> None:
        """End the connection now. What waits to be sent is given up: the kernel would keep it for a reader that takes nothing."""
        opened = self.transport.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # socket(7)
        self.transport.abort()

    def _make_room(self) -> None:
        """End the connection that has waited longest without a request, or with a refused one: it is nobody's loss."""
        idle = [each for each in self.connections if isinstance(each, Connection) and each.is_idle()]
        oldest = min(idle, key=lambda each: each.since, default=self)
        if oldest is not self:
            oldest.transport.abort()

    def is_idle(self) -> bool:
        return not self.transport.is_closing() and (not self._serves or self.cycle.response_complete)

    def _set(self, seconds: float, act: Callable[[], None]) -> None:
        self._unset()
        self._timer = self.loop.call_later(seconds, act)

    def _unset(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Streams:
    """A layer of the application that notes which answers are streams of events, for `Connection.shutdown`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                kinds = [value for name, value in message.get("headers", ()) if name.lower() == b"content-type"]
                scope["state"][_ENDLESS] = any(kind.startswith(b"text/event-stream") for kind in kinds)
            await send(message)

        await self._app(scope, receive, noting if scope["type"] == "http" else send)

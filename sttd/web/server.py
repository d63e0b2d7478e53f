"""The process: uvicorn with limits of our own, told to systemd, ended by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from loguru import logger

from sttd.config import Config
from sttd.config.web import Address
from sttd.errors import INTERRUPTED, SttdError
from sttd.host.init import stand_aside
from sttd.host.sd_notify import Notifier
from sttd.web.app import application
from sttd.web.connection import MOST, Connection
from sttd.web.site import Site, folder_of, make_folder

_GRACE = 10  # seconds that uploads and downloads may still take after a SIGTERM
_IDLE = 30  # seconds that a connection without a request is kept
_HEAD = 16 * 1024  # bytes of a request's head
_TICK = 1.0  # seconds between two signs of life to systemd


class NotListening(SttdError):
    """The address cannot be had."""


def link(listen: Address, token: str) -> str:
    """The address that logs a browser in."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - is shown, not bound
    return f"http://{Address(host, listen.port)}/login?token={token}"


def serve(config: Config, token: str, tell: Callable[[str], None] | None) -> int:
    """Serve until a signal. Returns the exit code.

    Args:
        config: whose `web.listen` may have port 0: any that is free.
        token: lets people in.
        tell: is told the address that logs a browser in, once it works; None: nobody looks.
    """
    stand_aside()
    opened = _listening(config.web.listen)
    here = Address(*opened.getsockname()[:2])  # with the port, if any free one was asked for
    config = dataclasses.replace(config, web=dataclasses.replace(config.web, listen=here))
    folder = folder_of(config)
    make_folder(folder)  # the token may lie elsewhere
    settings = _settings(Site(config, token, folder))

    def ready() -> None:
        hint = "" if tell else f"; `{config.program} web --link` prints an address that logs a browser in"
        logger.info("sttd web listens on http://{}{}", here, hint)
        if tell is not None:
            tell(link(here, token))

    server = _Server(settings, Notifier(), ready)
    with opened:
        try:
            server.run(sockets=[opened])
        except SystemExit:  # uvicorn's, where the application did not start; it has logged why
            return 1
    return INTERRUPTED if server.interrupted else 0


def _settings(site: Site) -> uvicorn.Config:
    return uvicorn.Config(
        application(site),
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="on",
        access_log=False,  # a path may hold the token, and names
        log_config=None,
        log_level="error",  # a line for each bad request would let anybody fill the journal
        proxy_headers=False,  # anybody could send them
        server_header=False,
        limit_concurrency=MOST + 1,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=_HEAD,
    )


def _listening(listen: Address) -> socket.socket:
    """A socket that listens.

    Raises:
        NotListening: another process has the port, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    both = listen.host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((listen.host, listen.port), family=family, backlog=128, dualstack_ipv6=both)
    except OSError as error:
        remedy = "choose another address with [web] listen, or --listen"
        raise NotListening(f"{listen} cannot be listened on: {os.strerror(error.errno or 0)}: {remedy}") from None


class _Server(uvicorn.Server):
    """uvicorn, whose signals end it with an exit code, and which systemd hears from."""

    def __init__(self, config: uvicorn.Config, notifier: Notifier, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.interrupted = False
        self._notifier = notifier
        self._ready = ready
        self._ending = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        yield

    def _end(self, number: int) -> None:
        """A second signal waits for no transfer."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self.interrupted |= number == signal.SIGINT
        self._ending.set()

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        await super().startup(list(sockets or ()))
        if self.started:
            self._notifier.ready()
            self._ready()

    async def main_loop(self) -> None:
        """Uvicorn's own looks for the end ten times a second."""
        while not await self.on_tick(0):
            self._notifier.watchdog()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._notifier.stopping()
        await super().shutdown(sockets)

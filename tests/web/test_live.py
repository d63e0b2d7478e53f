"""The events of the first page."""

from __future__ import annotations

import asyncio

import pytest

from tests.web import NO_WEB

pytest.importorskip("starlette", reason=NO_WEB)

from sttd.cli import figures
from sttd.web.pages import live


def test_a_fault_of_one_look_ends_no_stream(monkeypatch):
    """Whoever follows already hears of the next look."""
    monkeypatch.setattr(live, "_SIGN_OF_LIFE", 0.01)
    monkeypatch.setattr(live, "LOOK", 0.01)
    looks = 0

    def look() -> live.Snapshot:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise RuntimeError("a fault")
        return live.Snapshot(figures.status(None, running=False), (looks,))

    async def follow() -> None:
        async for shot in live.Live(look).follow():
            if shot is not None and shot.ledger > (2,):
                return

    asyncio.run(asyncio.wait_for(follow(), 60))

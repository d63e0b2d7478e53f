"""Pipes in an event loop: a read waits until there is something, a write until there is room for all of it."""

from __future__ import annotations

import asyncio
import os


async def readable(descriptor: int) -> None:
    """Wait until it can be read from, or is closed on the other side."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(descriptor)


async def read(descriptor: int, most: int) -> bytes:
    """b"": the other side has closed it."""
    while True:
        try:
            return os.read(descriptor, most)
        except BlockingIOError:
            await readable(descriptor)


async def write(descriptor: int, data: bytes) -> None:
    """Without effect where nobody reads any more."""
    loop = asyncio.get_running_loop()
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BrokenPipeError:
            return
        except BlockingIOError:
            event = asyncio.Event()
            loop.add_writer(descriptor, event.set)
            try:
                await event.wait()
            finally:
                loop.remove_writer(descriptor)

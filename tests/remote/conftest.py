"""Heads that are ended with the test, and what they left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.harness import wait_for
from tests.remote.head import Head

SCRIPTED = "from sttd.pool.far import serve; serve(worker='tests.remote.scripted')"


def gone(pids: list[int]) -> bool:
    """Whether none of these processes is left; a zombie is its parent's affair."""

    def lives(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return not any(lives(pid) for pid in pids)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    top = psutil.Process(pid)
    return [pid, *(each.pid for each in top.children(recursive=True))]


@pytest.fixture
def head() -> Iterator[Callable[..., Head]]:
    """Heads; when the test is over, no process of a far side may be left, whatever was done to it."""
    made: list[Head] = []
    seen: set[int] = set()

    def make(*args, **kwargs) -> Head:
        made.append(Head(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        if each.process.poll() is None:
            seen.update(tree(each.process.pid))
        each.__exit__(None, None, None)
    wait_for(lambda: gone(list(seen)), "the far sides are gone")

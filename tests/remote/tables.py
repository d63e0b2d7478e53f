"""[[pool.remote]] tables of a daemon under test, whose workers are behind a command."""

from __future__ import annotations

import sys

WORKER = [sys.executable, "-m", "sttd", "worker"]
ELSEWHERE = '[pool]\nworkers = 0\nwhen_unreachable = "wait"\n'  # no worker is on this machine


def table(name: str, *command: str, slots: int = 1) -> str:
    """`slots` workers of one thread each."""
    words = ", ".join(f"'''{word}'''" for word in command)
    return f'[[pool.remote]]\nname = "{name}"\ncommand = [{words}]\nslots = {slots}\ncpu_threads = 1\n'

"""The daemon itself: seconds until READY=1, resident memory, and processor time when nothing happens."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from sttd.job import State
from tests import speech
from tests.bench.random_model import CACHE
from tests.harness import Daemon

IDLE = 20.0  # seconds over which idleness is measured


def as_installed() -> dict[str, str]:
    """The environment of a command as pip leaves it: with its modules compiled.

    Where PYTHONDONTWRITEBYTECODE is set, as on build machines, each start compiled our hundred modules anew: 60 of 180 ms.
    """
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return environ | {"PYTHONPYCACHEPREFIX": str(CACHE / "bytecode")}


def started(daemon: Daemon) -> tuple[subprocess.Popen[bytes], float]:
    """The daemon's process once it is ready, and the seconds that it took to READY=1."""
    address = daemon.root / "notify"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(address))
        notices.settimeout(30)
        began = time.perf_counter()
        process = subprocess.Popen(
            daemon.command("run"), stderr=subprocess.DEVNULL, env=as_installed() | {"NOTIFY_SOCKET": str(address)}
        )
        while b"READY=1" not in notices.recv(4096):
            pass
        return process, time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), {"watch.settle": "1s"})
        process, ready = started(daemon)
        try:
            parent = psutil.Process(process.pid)
            speech.encode(daemon.inbox / "clip.flac", speech.sample("clip00"))
            daemon.wait_state(State.DONE)  # a daemon that has worked, with a warm worker
            time.sleep(3)
            before = parent.cpu_times()
            time.sleep(IDLE)
            after = parent.cpu_times()
            used = (after.user + after.system) - (before.user + before.system)
            print(f"READY after {ready:.2f} s")
            print(f"resident memory {parent.memory_info().rss / 2**20:.1f} MiB")
            print(f"idle: {used / IDLE:.2%} of a core over {IDLE:.0f} s")
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()

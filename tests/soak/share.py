"""A network share in place of `archive/`: another file system, behind a program that can be made to answer nobody."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from tests.harness import wait_for


class Share:
    """mergerfs over a folder beside the mount; its process is stopped to let it hang, and goes on."""

    def __init__(self, mount: Path, behind: Path) -> None:
        self.mount = mount
        for folder in (mount, behind):
            folder.mkdir(parents=True)
        subprocess.run(["mergerfs", str(behind), str(mount)], check=True)
        wait_for(mount.is_mount, "the share is mounted")
        self._process = next(
            process
            for process in psutil.process_iter()
            if process.name() == "mergerfs" and str(mount) in process.cmdline()
        )

    @staticmethod
    def is_possible() -> bool:
        return os.geteuid() == 0 and shutil.which("mergerfs") is not None and Path("/dev/fuse").exists()

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.go_on()
        subprocess.run(["umount", "-l", str(self.mount)], check=True)
        with contextlib.suppress(psutil.NoSuchProcess):  # it does not always end by itself then
            self._process.kill()

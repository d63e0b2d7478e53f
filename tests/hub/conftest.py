"""A stand-in for the hub, and `sttd model` in processes of their own that know no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from sttd.hub import remote
from tests import forked
from tests.harness import PATIENCE
from tests.hub.standin import REPOSITORY, StandIn
from tests.memory import tmp_path

__all__ = ["tmp_path"]
assert remote  # what it needs is imported by now: who is forked from this process has it
PATIENT = {"HF_HUB_DOWNLOAD_TIMEOUT": "100"}  # seconds without a byte


class Machine(NamedTuple):
    """A cache, and commands over it."""

    home: Path
    environ: dict[str, str]

    @property
    def hub(self) -> Path:
        return self.home / "hub"

    @property
    def storage(self) -> Path:
        return self.hub / f"models--{REPOSITORY.replace('/', '--')}"

    @property
    def snapshot(self) -> Path:
        return self.storage / "snapshots" / ("1" * 40)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "sttd", "--root", str(self.home), "model", *words]

    def sttd(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return forked.run(
            self.command(*words)[3:], self.environ | environ, ("huggingface_hub", "sttd"), patience=PATIENCE
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words), env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        )


@pytest.fixture
def standin():
    server = StandIn()
    yield server
    server.close()


@pytest.fixture
def machine(standin, tmp_path) -> Machine:
    """A machine whose only hub is the stand-in, and on which nothing else of the hub is set."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environ |= {"HF_HOME": str(tmp_path), "HF_ENDPOINT": standin.url, "NO_PROXY": "127.0.0.1,localhost", **PATIENT}
    return Machine(tmp_path, environ)

"""A worker never calls the hub: the daemon runs beside one, with every reason to ask it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from sttd.job import State
from tests import speech
from tests.harness import PATIENCE
from tests.hub.standin import MODEL, REPOSITORY


def test_a_worker_never_calls_the_hub(make_daemon, machine, standin, monkeypatch):
    """Neither for a model that is not here, nor for the tokenizer that is missing in one that is; nor is it told to."""
    for name, value in machine.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    half = machine.hub / f"models--{REPOSITORY.replace('/', '--')}" / "snapshots" / standin.revision
    shutil.copytree(MODEL, half)
    (half / "tokenizer.json").unlink()
    (half.parent.parent / "refs").mkdir()
    (half.parent.parent / "refs" / "main").write_text(standin.revision)
    daemon = make_daemon({"model.name": "base", "model.fallback": "small", "pool.machine_wait": "1h"})
    speech.encode(daemon.inbox / "clip.flac", speech.sample("clip00"))
    daemon.start()
    daemon.wait_log("is incomplete: no tokenizer.json")
    daemon.wait_log("sttd model pull small")
    daemon.wait_state(State.QUEUED)
    assert daemon.stop() == 0
    assert standin.requests == []


@pytest.mark.ci
def test_a_model_that_is_pulled_is_used_by_the_next_load(make_daemon, machine, monkeypatch):
    """The daemon that waits for it need not be told."""
    for name, value in machine.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    daemon = make_daemon(
        {"model.name": "base", "model.fallback": "", "pool.machine_wait": "1s", "model.retry_after": "0s"}
    )
    speech.encode(daemon.inbox / "clip.flac", speech.sample("clip00"))
    daemon.start()
    daemon.wait_log("get it with: sttd model pull base")
    done = daemon.sttd("model", "pull")
    assert done.returncode == 0, done.stderr
    assert daemon.wait_state(State.DONE).model == "base"
    assert daemon.stop() == 0


def test_what_runs_in_a_worker_could_not_call_it_either(machine, standin):
    """faster-whisper asks the hub for a tokenizer that is missing: in a process of the worker's that fails at once."""
    code = (
        "import sttd.worker, faster_whisper, sys\n"
        "try: faster_whisper.download_model('base')\n"
        "except Exception as error: sys.exit(f'{type(error).__name__}: {error}')"
    )
    environ = machine.environ | {"HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 1
    assert "LocalEntryNotFoundError" in done.stderr
    assert standin.requests == []

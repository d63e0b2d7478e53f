"""Models that are not on this machine are told of at the start (sttd/daemon/models.py)."""

from __future__ import annotations

import dataclasses
import shutil
import signal
from pathlib import Path

import pytest

from sttd.daemon.models import Models
from sttd.hub.cache import DEMO
from tests import speech
from tests.harness import PATIENCE, wait_for


@pytest.fixture
def look(stations, tmp_path):
    """One look with a model and a fallback, to its end."""
    context, inputs = stations
    models = Models(context)

    def once(name: str, fallback: str) -> list[str]:
        model = dataclasses.replace(context.config.model, name=name, fallback=fallback)
        context.config = dataclasses.replace(context.config, model=model)
        before = context.checks.under_way
        models.look()
        if context.checks.under_way > before:
            inputs.get(timeout=PATIENCE).settle()
        return context.troubles.texts()

    return once


def test_a_model_that_is_missing_is_a_trouble_until_it_comes_and_is_logged_once(look, tmp_path, log):
    folder = str(tmp_path / "model")
    (trouble,) = look(folder, "")
    assert "no model: " in trouble
    assert folder in trouble
    look(folder, "")
    assert [line.split()[0] for line in log] == ["ERROR"]
    shutil.copytree(DEMO, folder)
    assert look(folder, "") == []
    assert [line.split()[0] for line in log] == ["ERROR", "INFO"]
    assert "over: no model" in log[1]
    Path(folder, "model.bin").unlink()
    assert look(folder, "") == [], "what was there is not looked for again: a load that fails will tell"


def test_a_fallback_or_a_model_that_is_missing_alone_holds_nobody_up(look, tmp_path, log):
    assert look("demo", str(tmp_path / "none")) == []
    assert look("demo", str(tmp_path / "none")) == []
    assert look(str(tmp_path / "none"), "demo") == []
    assert ["a model is missing" in line for line in log] == [True, True]


def test_a_daemon_without_a_model_says_so_at_its_start_and_a_drain_never_that_all_is_done(make_daemon, tmp_path):
    """In the log, by `status` and its exit code, and in the words with which a drain ends. Ctrl-C ends with 130."""
    daemon = make_daemon({"model.name": str(tmp_path / "nowhere"), "model.fallback": ""})
    daemon.start()
    daemon.wait_log("recordings wait until one is there", 60)
    wait_for(
        lambda: (found := daemon.sttd("status")).returncode == 1 and "nowhere" in found.stdout, "status says so", 60
    )
    assert daemon.stop(signal.SIGINT) == 130
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    daemon.log.clear()
    assert daemon.drain() == 1
    ends = next(line for line in daemon.log if "stopping: " in line)
    assert "1 job waits for what is wrong with this machine: " in ends
    assert "nowhere" in ends
    assert not any("come to its end" in line for line in daemon.log)

"""Models that are not on this machine are told of at the start (sttd/daemon/models.py)."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import threading
from pathlib import Path

import pytest

from sttd.daemon.errands import Errands
from sttd.daemon.models import Models
from sttd.hub import cache
from sttd.hub.cache import DEMO
from tests import speech
from tests.harness import PATIENCE, wait_for


@pytest.fixture
def look(stations, tmp_path):
    """One look with a model and a fallback, to its end."""
    context, inputs = stations
    errands = Errands(inputs.put, threads=1)
    models = Models(context, errands)

    def once(name: str, fallback: str) -> list[str]:
        model = dataclasses.replace(context.config.model, name=name, fallback=fallback)
        context.config = dataclasses.replace(context.config, model=model)
        models.look()
        if errands.under_way:
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


def test_a_model_on_a_share_that_hangs_holds_up_no_other_look_and_is_asked_for_once(stations, monkeypatch):
    """Contents are compared and drains end meanwhile: the load of the model has its own clock, and a fallback."""
    context, inputs = stations
    asked, answer = [], threading.Event()

    def hangs(name: str, _hub: Path) -> str:
        asked.append(name)
        answer.wait()
        return ""

    monkeypatch.setattr(cache, "why_missing", hangs)
    models = Models(context, Errands(inputs.put, threads=1))
    for _ in range(3):
        models.look()
    wait_for(lambda: asked, "it looks")
    assert not context.work.checks.under_way
    context.work.checks.post("another look", lambda: "done", lambda _: None, lambda _: None)
    assert inputs.get(timeout=PATIENCE).result == "done"
    answer.set()
    inputs.get(timeout=PATIENCE).settle()
    assert asked == ["demo", "base"]

"""What a reload takes over while the inboxes are watched."""

from __future__ import annotations

import dataclasses
import queue

import pytest

from sttd import inbox
from sttd.config import Config
from sttd.daemon import reload
from sttd.inbox import Found
from sttd.inbox.watch import _Handler
from tests.harness import PATIENCE, wait_for


def watching(config: Config, **keys) -> Config:
    return dataclasses.replace(config, watch=dataclasses.replace(config.watch, **keys))


@pytest.fixture
def watched(stations):
    """A context whose inbox is looked at once an hour, and what the inbox told. Files settle at first sight."""
    context, _ = stations
    context.config = watching(context.config, rescan_interval=3600.0, settle=0.0)
    context.pool.configure = lambda config: None
    told: queue.SimpleQueue = queue.SimpleQueue()
    context.inbox = inbox.Inboxes(context.config, told.put, {})
    context.inbox.start()
    wait_for(lambda: not context.inbox.restless(), "it is looked through")
    while not told.empty():
        told.get()
    yield context, told
    context.inbox.stop()


def test_a_shorter_interval_counts_at_once_and_not_after_the_long_one(watched, monkeypatch, log):
    context, told = watched
    monkeypatch.setattr(_Handler, "dispatch", lambda *_: None)  # no event tells of the file
    (context.config.paths.inbox / "a.mp3").write_text("a")
    reload.reload(context, lambda: watching(context.config, rescan_interval=1.0))
    event = told.get(timeout=PATIENCE)
    assert isinstance(event, Found)
    assert [rel for rel, _ in event.files] == ["a.mp3"]
    assert any("configuration loaded again" in line for line in log)
    assert not [line for line in log if "restart" in line]


def test_a_shorter_quiet_counts_for_a_file_that_is_settling(watched):
    context, told = watched
    reload.reload(context, lambda: watching(context.config, settle=3600.0, settle_closed=3600.0))
    wait_for(lambda: not context.inbox.restless(), "it is taken over")
    (context.config.paths.inbox / "a.mp3").write_text("a")
    wait_for(lambda: context.inbox.settling, "it is seen")
    reload.reload(context, lambda: watching(context.config, settle_closed=0.1))
    event = told.get(timeout=PATIENCE)
    assert isinstance(event, Found)


def test_what_needs_a_restart_is_named_and_stays_as_it_was(watched, log):
    context, _ = watched
    before = context.config.watch
    new = watching(context.config, polling=True, suffixes=("wav",), settle=7.0, dedupe=False)
    reload.reload(context, lambda: new)
    assert context.config.watch == dataclasses.replace(before, settle=7.0, dedupe=False)
    assert [line.strip() for line in log if "restart" in line] == [
        "WARNING [watch] polling, suffixes has changed: it takes effect after a restart"
    ]

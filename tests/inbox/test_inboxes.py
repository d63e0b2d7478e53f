"""Several inboxes: what each tells has its name, and only its own troubles."""

from __future__ import annotations

import dataclasses
import queue
import shutil
import threading

import pytest

from sttd.config import Config, Paths, Watch, Watched
from sttd.errors import AlreadyRunning, NotConfigured
from sttd.inbox import Found, Gone, Held, Inboxes, inbox as inbox_module, inboxes as inboxes_module
from sttd.inbox.looks import Looks
from sttd.inbox.place import Place
from tests.harness import PATIENCE, wait_for


@pytest.fixture
def config(tmp_path):
    for name in ("inbox", "media"):
        (tmp_path / name).mkdir()
    quick = Watch(settle=0.0, rescan_interval=1.0)
    paths = Paths(root=tmp_path, inbox=tmp_path / "inbox")
    return Config(paths=paths, watch=quick, watched=(Watched("movies", tmp_path / "media"),))


def test_what_each_tells_has_its_name(config, tmp_path):
    """One that is taken away says so alone; what comes to the other is found meanwhile."""
    events: queue.SimpleQueue = queue.SimpleQueue()
    (tmp_path / "inbox" / "a.mp3").write_text("a")
    (tmp_path / "media" / "Show").mkdir()
    (tmp_path / "media" / "Show" / "a.mp3").write_text("b")
    boxes = Inboxes(config, events.put, {})
    boxes.start()
    try:
        seen = [events.get(timeout=PATIENCE) for _ in range(4)]
        held = {event.inbox: event.folder.path for event in seen if isinstance(event, Held)}
        assert held == {"": str(tmp_path / "inbox"), "movies": str(tmp_path / "media")}
        assert {event.files[0][0] for event in seen if isinstance(event, Found)} == {"a.mp3", "movies//Show/a.mp3"}
        boxes.expect(["movies//none.mp3", "none.mp3", "unknown//none.mp3"])
        gone = [events.get(timeout=PATIENCE) for _ in range(2)]
        assert {event.files for event in gone if isinstance(event, Gone)} == {("movies//none.mp3",), ("none.mp3",)}
        (tmp_path / "media").rename(tmp_path / "away")
        boxes.kick()
        wait_for(lambda: boxes.away, "it is said that one is away")
        assert boxes.away == f"movies: {tmp_path}/media is missing: mount it, or create it"
        wait_for(lambda: boxes.restless() == ["movies"], "the other one rests")
        with pytest.raises(AlreadyRunning):
            Inboxes(dataclasses.replace(config, watched=()), events.put, {}).start()
    finally:
        boxes.stop()


def test_all_are_waited_for_together(config, monkeypatch):
    """A server may be down that twenty of them are on; systemd waits for no start, and no end, of minutes."""
    for module in (inbox_module, inboxes_module):
        monkeypatch.setattr(module, "PATIENCE", 2 * PATIENCE)
    done: list[str] = []
    for owner, name in ((Place, "take"), (Looks, "close")):
        meeting, real = threading.Barrier(2, timeout=PATIENCE), getattr(owner, name)

        def meet(self, name=name, meeting=meeting, real=real):
            meeting.wait()
            done.append(name)
            return real(self)

        monkeypatch.setattr(owner, name, meet)
    boxes = Inboxes(config, lambda event: None, {})
    boxes.start()
    boxes.stop()
    assert sorted(done) == ["close", "close", "take", "take"]


def test_the_folder_of_a_table_is_not_made(config, tmp_path):
    """A path that is mistyped is no new library. One that was there before is waited for."""
    shutil.rmtree(tmp_path / "media")
    boxes = Inboxes(config, lambda event: None, {})
    with pytest.raises(NotConfigured, match="set the inbox of \\[\\[watch\\]\\] movies to another folder"):
        boxes.start()
    boxes.stop()
    assert not (tmp_path / "media").exists()

"""The inbox's rounds over real folders, with a clock that the test turns."""

from __future__ import annotations

import errno
import itertools
import os
import shutil

import pytest

from sttd.inbox import looks as looks_module
from sttd.inbox.events import BATCH, Away, Found, Gone, Held, Strange
from sttd.inbox.lock import FolderIdentity
from sttd.inbox.looks import QUICK, RECHECK, Looks
from sttd.inbox.mail import Mail
from sttd.inbox.news import News
from sttd.inbox.place import Place
from sttd.inbox.rules import Rules
from sttd.inbox.scan import Scan
from sttd.inbox.settle import Tracker


class Box:
    """An inbox without a thread: `turn` moves the clock and does the rounds that are due."""

    def __init__(self, root, settle=5.0, rescan=60.0, mark=None, watch=None):
        root.mkdir(exist_ok=True)
        self.root, self.now, self.told, self.due = root, 1000.0, [], 0.0
        before = None if mark is None else FolderIdentity(str(root), mark, 0, 0)
        place = Place(root, before, waiting=True)
        assert place.take() is None
        self.place = place
        self.tracker = Tracker(settle, 0.5, 900.0)
        self.looks = Looks(
            place=place, rules=Rules(["wav", "ts"]), tracker=self.tracker, watch=watch,
            sink=self.hear, clock=lambda: self.now, rescan_interval=rescan,
        )  # fmt: skip

    def hear(self, event):
        if isinstance(event, Strange):
            self.strange = event
        elif not isinstance(event, Held):
            self.told.append(event)

    def round(self, **mail):
        self.due = self.looks.round(Mail(**mail))

    def turn(self, seconds):
        end = self.now + seconds
        while self.due <= end:
            self.now = max(self.now, self.due)
            self.round()
            if self.due <= self.now:  # rounds that want to be done again at once are a busy loop
                self.now += 0.001
        self.now = end

    def put(self, rel, content=b"x"):
        path = self.root / rel
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def found(self):
        """What was told since, by name; it is taken."""
        names = [rel for event in self.told if isinstance(event, Found) for rel, _ in event.files]
        self.told[:] = [event for event in self.told if not isinstance(event, Found)]
        return names

    def gone(self):
        names = [rel for event in self.told if isinstance(event, Gone) for rel in event.files]
        self.told[:] = [event for event in self.told if not isinstance(event, Gone)]
        return names

    def away(self):
        reasons = [event.reason for event in self.told if isinstance(event, Away)]
        self.told[:] = [event for event in self.told if not isinstance(event, Away)]
        return reasons


@pytest.fixture
def make(tmp_path):
    boxes = []

    def make(**settings):
        boxes.append(Box(tmp_path / "inbox", **settings))
        return boxes[-1]

    yield make
    for box in boxes:
        box.looks.close()


def test_files_that_were_there_before_the_start_settle_and_are_found_once(make):
    box = make()
    box.put("a.wav")
    box.put("sub/b.wav", b"yy")
    box.turn(4.9)
    assert box.found() == []
    assert box.tracker.settling == 2
    box.turn(0.2)
    assert sorted(box.found()) == ["a.wav", "sub/b.wav"]
    box.turn(1000)
    assert box.told == []
    assert box.looks.is_quiet


def test_a_file_that_no_event_told_of_is_found_by_the_next_walk(make):
    box = make(rescan=60.0)
    box.turn(1)
    box.put("a.wav")
    box.turn(QUICK + 5)
    assert box.found() == ["a.wav"]


def test_a_file_that_grows_is_found_when_it_has_stopped(make):
    box = make()
    for second in range(20):
        box.put("a.wav", b"x" * second)
        box.turn(3)
    assert box.found() == []
    box.turn(10)
    assert box.found() == ["a.wav"]


def test_an_event_that_a_file_was_closed_makes_the_short_time_enough(make):
    box = make()
    box.turn(1)
    box.put("a.wav")
    box.round(news={"a.wav": News.FINAL})
    box.turn(0.6)
    assert box.found() == ["a.wav"]


def test_a_paused_writer_is_waited_for_until_events_are_lost(make):
    """A close may have been among them: from there on its looks alone count."""
    box = make()
    box.turn(1)
    box.put("a.wav")
    box.round(news={"a.wav": News.WRITTEN})
    box.turn(500)
    assert box.found() == []
    assert not box.looks.is_quiet
    box.round(lost=True)
    box.turn(5)
    assert box.found() == ["a.wav"]


def test_an_empty_file_that_comes_without_an_event_is_waited_for(make):
    box = make()
    box.put("old.wav", b"")
    box.turn(6)
    assert box.found() == ["old.wav"], "it lay there at the start"
    box.put("new.wav", b"")
    box.turn(200)
    assert box.found() == []
    box.turn(200)
    assert box.found() == ["new.wav"]


def test_found_comes_in_batches(make):
    box = make(settle=0.0)
    for number in range(BATCH + 3):
        box.put(f"{number}.wav")
    box.round()
    assert [len(event.files) for event in box.told] == [BATCH, 3]


def test_a_changed_file_is_found_again(make):
    box = make(settle=0.0)
    box.put("a.wav")
    box.turn(1)
    box.put("a.wav", b"changed")
    box.turn(QUICK)
    events = [event for event in box.told if isinstance(event, Found)]
    assert [event.files[0][1].size for event in events] == [1, 7]


def test_a_removed_file_is_gone_after_the_second_look_and_found_when_it_is_back(make):
    box = make()
    path = box.put("a.wav")
    box.turn(6)
    box.found()
    path.rename(box.root.parent / "a.wav")
    box.round(news={"a.wav": News.LEFT})
    assert not box.looks.is_quiet
    box.turn(4.9)
    assert box.gone() == []
    box.turn(0.2)
    assert box.gone() == ["a.wav"]
    (box.root.parent / "a.wav").rename(path)
    box.turn(30)
    assert box.found() == ["a.wav"]


def test_a_removed_file_that_no_event_told_of_is_gone_too(make):
    box = make()
    path = box.put("a.wav")
    box.turn(6)
    path.unlink()
    box.turn(QUICK + 6)
    assert box.gone() == ["a.wav"]


def test_expected_files_that_are_not_there_are_gone_and_the_others_found(make):
    box = make()
    box.put("there.wav")
    box.round(expected=["there.wav", "missing.wav", "sub/missing.wav"])
    box.turn(6)
    assert box.found() == ["there.wav"]
    assert sorted(box.gone()) == ["missing.wav", "sub/missing.wav"]


def test_a_file_that_is_forgotten_and_expected_in_the_same_moment_is_gone_where_it_is_not_there(make):
    """Within two looks: should it come back before the next walk, it is a new one."""
    box = make()
    box.turn(1)
    box.round(expected=["taken.wav"], forgotten=["taken.wav"])
    box.turn(6)
    assert box.gone() == ["taken.wav"]


def test_a_file_that_sttd_took_away_is_not_gone(make):
    """As the outbox does: renamed to a private dotfile of the inbox, then told."""
    box = make()
    path = box.put("a.wav")
    box.turn(6)
    box.found()
    path.rename(box.root / ".sttd-1-a.wav")
    box.round(news={"a.wav": News.LEFT}, forgotten=[])
    box.round(forgotten=["a.wav"])
    box.turn(100)
    assert box.told == []
    box.put("a.wav")
    box.turn(30)
    assert box.found() == ["a.wav"]


def test_an_inbox_that_is_missing_is_said_once_and_changes_nothing(make, tmp_path):
    box = make()
    box.put("a.wav")
    box.put("b.wav")
    box.turn(6)
    box.found()
    box.root.rename(tmp_path / "elsewhere")
    box.turn(200)
    (reason,) = box.away()
    assert "missing" in reason
    assert not box.looks.is_quiet
    (tmp_path / "elsewhere" / "new.wav").write_bytes(b"x")
    (tmp_path / "elsewhere").rename(box.root)
    box.turn(RECHECK + 6)
    assert box.away() == [None]
    assert box.found() == ["new.wav"]
    assert box.gone() == []


def test_an_empty_folder_in_its_place_changes_nothing_but_new_files_in_it_are_found(make, tmp_path):
    """As when the share is unmounted; when it is back nothing has happened."""
    box = make()
    box.put("a.wav")
    box.turn(6)
    box.found()
    box.root.rename(tmp_path / "elsewhere")
    box.root.mkdir()
    box.turn(100)
    (reason,) = box.away()
    assert "not the folder that it was" in reason
    assert box.tracker.settling == 0, "nothing is looked for that is not there"
    box.put("new.wav")
    box.turn(30)
    assert box.found() == ["new.wav"]
    assert box.away() == []
    box.root.rename(tmp_path / "other")
    (tmp_path / "elsewhere").rename(box.root)
    box.turn(12)
    assert box.away() == [None]
    box.turn(100)
    assert "a.wav" not in box.gone()
    assert box.away() == []


def test_a_look_before_it_was_away_and_one_after_make_no_file_gone(make, tmp_path):
    box = make()
    path = box.put("a.wav")
    box.turn(6)
    box.found()
    path.unlink()
    box.round(news={"a.wav": News.LEFT})
    box.root.rename(tmp_path / "elsewhere")
    box.turn(4)
    box.round()
    (tmp_path / "elsewhere").rename(box.root)
    box.turn(2)
    box.round()
    assert box.gone() == [], "the second look after it came back is the first one"
    box.turn(30)
    assert box.gone() == ["a.wav"]


def test_a_look_at_one_mount_and_one_at_the_next_make_no_file_gone(make, tmp_path):
    """The inbox is home again under other numbers by the second look, which is thus the first one there."""
    box = make()
    path = box.put("a.wav")
    box.turn(6)
    box.found()
    path.unlink()
    box.round(news={"a.wav": News.LEFT})
    box.root.rename(tmp_path / "elsewhere")
    shutil.copytree(tmp_path / "elsewhere", box.root)
    box.turn(5.1)
    assert box.gone() == []
    box.turn(30)
    assert box.gone() == ["a.wav"]
    assert box.away() == []


def test_an_inbox_that_goes_away_in_mid_look_makes_no_file_gone(make, tmp_path, monkeypatch):
    box = make()
    box.put("a.wav")
    box.turn(6)
    box.found()
    box.tracker.miss("a.wav", box.now)
    box.now += 5
    real = looks_module.look

    def look(root, rel):
        box.root.rename(tmp_path / "elsewhere")
        return real(root, rel)

    monkeypatch.setattr(looks_module, "look", look)
    box.round()
    monkeypatch.undo()
    assert box.gone() == []
    (tmp_path / "elsewhere").rename(box.root)
    box.turn(100)
    assert box.gone() == []


def test_the_daemon_is_asked_about_a_strange_folder_and_may_adopt_it(make):
    """What is missing in it is not gone by that: it came to its end, or is where it was."""
    box = make()
    box.put("a.wav")
    box.put("b.wav")
    box.turn(6)
    box.found()
    shutil.rmtree(box.root)
    box.root.mkdir()
    box.put("a.wav")
    box.turn(100)
    assert len(box.away()) == 1
    assert (box.strange.missing, box.strange.used) == (("b.wav",), True)
    box.round(adopt="another mark")
    assert box.away() == []
    box.round(adopt=box.strange.mark)
    box.turn(30)
    assert box.away() == [None]
    assert box.gone() == []
    (box.root / "a.wav").unlink()
    box.turn(30)
    assert box.gone() == ["a.wav"]


def test_the_inbox_of_another_run_is_told_from_this_one_by_its_mark(make):
    box = make(mark="0" * 32)
    box.put("new.wav")
    box.round(expected=["old.wav"])
    box.turn(100)
    assert len(box.away()) == 1
    assert box.found() == ["new.wav"]
    assert box.gone() == []


def test_a_folder_that_cannot_be_read_makes_nothing_gone(make, monkeypatch):
    box = make()
    box.put("shut/a.wav")
    path = box.put("b.wav")
    box.turn(6)
    box.found()
    real = os.scandir

    def scandir(path):
        if path.endswith("/shut"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    path.unlink()
    box.turn(200)
    assert box.told == []
    monkeypatch.undo()
    box.turn(30)
    assert box.gone() == ["b.wav"]


def test_an_inbox_that_cannot_be_read_is_away(make, monkeypatch):
    box = make()
    box.put("a.wav")
    box.turn(6)
    box.found()

    def scandir(path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "scandir", scandir)
    box.turn(200)
    (reason,) = box.away()
    assert "Input/output error" in reason
    monkeypatch.undo()
    box.turn(RECHECK + 1)
    assert box.away() == [None]
    assert box.gone() == []


def test_a_file_that_cannot_be_looked_at_is_neither_settled_nor_gone(make, monkeypatch):
    box = make()
    box.put("a.wav")
    box.round()

    def look(root, rel):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(looks_module, "look", look)
    box.turn(9)
    assert box.told == []
    monkeypatch.undo()
    box.turn(12)
    assert box.found() == ["a.wav"]


def test_a_file_that_becomes_a_link_is_gone_and_not_followed(make, tmp_path):
    box = make()
    path = box.put("a.wav")
    box.turn(6)
    box.found()
    (tmp_path / "secret.wav").touch()
    path.unlink()
    path.symlink_to(tmp_path / "secret.wav")
    box.turn(30)
    assert box.found() == []
    assert box.gone() == ["a.wav"]


def test_what_is_ignored_is_counted_anew_by_each_walk(make):
    box = make()
    path = box.put("notes.txt")
    box.round()
    assert box.looks.ignored == {"suffix not in watch.suffixes: .txt": 1}
    path.unlink()
    box.turn(QUICK + 1)
    assert not box.looks.ignored


def test_what_is_no_recording_by_its_content_stays_is_counted_and_named_once(make, log):
    box = make()
    box.put("site/main.ts", b"export const x = 1\n")
    box.put("real.ts", b"G" + bytes(187) + b"G" + bytes(187))
    for name in ("notes.txt", "b.txt", "photo.jpg"):
        box.put(name)
    box.turn(6)
    assert box.found() == ["real.ts"]
    box.turn(100)
    assert box.looks.is_quiet
    assert box.looks.ignored == {
        "suffix not in watch.suffixes: .txt": 2,
        "suffix not in watch.suffixes: .jpg": 1,
        "no recording, by its first bytes": 1,
    }
    suffix = "suffix not in watch.suffixes"
    names = box.looks.examples
    assert names.pop(f"{suffix}: .txt") in ("notes.txt", "b.txt")
    assert names == {f"{suffix}: .jpg": "photo.jpg", "no recording, by its first bytes": "site/main.ts"}
    assert len(log) == 3
    assert any("photo.jpg (suffix not in watch.suffixes: .jpg)" in line and "watch.suffixes" in line for line in log)
    assert any("site/main.ts" in line for line in log)
    box.put("site/main.ts", b"G" + bytes(187) + b"G" + bytes(188))
    box.turn(30)
    assert box.found() == ["site/main.ts"]
    box.turn(30)
    assert "no recording, by its first bytes" not in box.looks.ignored


def test_a_download_under_its_final_name_is_taken_when_its_notes_are_gone(make):
    """aria2's notes beside it; Firefox's part beside an empty placeholder."""
    box = make()
    box.put("aria.wav")
    notes = box.put("aria.wav.aria2")
    box.put("fox.wav", b"")
    part = box.put("fox.Xy12.wav.part")
    box.turn(1000)
    assert box.found() == []
    assert box.looks.is_quiet
    notes.unlink()
    part.rename(box.root / "fox.wav")
    box.turn(100)
    assert sorted(box.found()) == ["aria.wav", "fox.wav"]
    assert box.gone() == []


def test_a_flood_of_suffixes_is_counted_together(make, log):
    box = make()
    for number in range(300):
        box.put(f"a.s{number}")
    box.round()
    assert len(box.looks.ignored) <= 30
    assert sum(box.looks.ignored.values()) == 300
    assert len(log) <= 30


def test_a_kick_is_answered_by_a_walk_at_once(make):
    box = make(settle=0.0)
    box.turn(1)
    box.put("a.wav")
    box.round()
    assert box.found() == []
    box.round(kicks=1)
    assert box.found() == ["a.wav"]
    assert box.looks.answered == 1


def test_walks_that_events_ask_for_leave_time_for_other_things(make, monkeypatch):
    """One that took two seconds is not repeated within ten, however often events ask."""
    box = make(rescan=1000.0)
    walks = []

    class SlowScan(looks_module.Scan):
        def __iter__(self):
            walks.append(box.now)
            box.now += 2
            return super().__iter__()

    monkeypatch.setattr(looks_module, "Scan", SlowScan)
    box.round()
    for _ in range(30):
        box.now += 1
        box.round(rescan=True)
    assert walks[0] == 1000.0
    assert all(later - earlier >= 12 for earlier, later in itertools.pairwise(walks))
    assert len(walks) >= 3


def test_nothing_is_done_before_it_is_due(make):
    """A settled inbox with rescans alone: one round each `QUICK` seconds."""
    box = make()
    box.put("a.wav")
    box.turn(30)
    for _ in range(100):
        box.now = box.due
        box.round()
    assert box.now >= 1000 + 100 * QUICK


def test_what_is_found_says_when_it_was_looked_at_at_the_latest(tmp_path, monkeypatch):
    """A file that was taken in between is in the ledger already: told without a time, it would be queued once more."""
    box, times, stats = Box(tmp_path / "inbox", settle=0.0), itertools.count(2000.0), []
    for name in ("a.wav", "b.wav"):
        box.put(name)
    real = Scan._stat

    def stat(scan, folder, entry):
        stats.append(next(times))
        return real(scan, folder, entry)

    monkeypatch.setattr(Scan, "_stat", stat)
    monkeypatch.setattr(box.looks, "_clock", lambda: next(times))
    box.round()
    (found,) = [event for event in box.told if isinstance(event, Found)]
    assert {name for name, _ in found.files} == {"a.wav", "b.wav"}
    assert 2000.0 <= found.looked < min(stats)

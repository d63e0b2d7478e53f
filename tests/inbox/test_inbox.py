"""The whole inbox: its thread, watchdog's events, real folders and real mounts."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sttd.config import Config, Paths, Watch as Settings
from sttd.errors import AlreadyRunning, NotConfigured
from sttd.inbox import (
    Away,
    Found,
    Gone,
    Inbox,
    Strange,
    inbox as inbox_module,
    looks as looks_module,
    place as place_module,
    scan as scan_module,
)
from sttd.inbox.looks import Looks
from sttd.inbox.mail import LIMIT, Mailbox
from sttd.inbox.news import News
from tests.harness import PATIENCE, remove_folder, wakings
from tests.inbox.test_scan import HOSTILE
from tests.machine import needs_mounts, no_mounts


class Live:
    """A running inbox, and what it told, in order."""

    def __init__(self, root, **settings):
        settings = {"settle": 0.3, "settle_closed": 0.05, "rescan_interval": 600.0} | settings
        config = Config(paths=Paths(inbox=Path(root)), watch=Settings(**settings))
        self.root, self.events = Path(root), queue.SimpleQueue()
        self.inbox = Inbox(config, self.events.put)
        self.found, self.gone, self.away = [], [], []

    def start(self):
        self.inbox.start()
        return self

    def until(self, done, what):
        end = time.monotonic() + PATIENCE
        while not done():
            try:
                event = self.events.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{what}: {self.found} {self.gone} {self.away}") from None
            match event:
                case Found(files):
                    self.found += [rel for rel, _ in files]
                case Gone(files):
                    self.gone += files
                case Away(reason):
                    self.away.append(reason)
                case Strange(mark, missing=(), used=True):
                    self.inbox.adopt(mark)  # as the daemon does where no job waits for what is missing

    def until_answered(self):
        """The rounds that were asked for are over."""
        end = time.monotonic() + PATIENCE
        while not self.inbox._mailbox.is_answered(self.inbox._looks.answered):
            assert time.monotonic() < end, "the inbox's thread waits again in time"
            time.sleep(0.01)

    def until_idle(self):
        end = time.monotonic() + PATIENCE
        while not self.inbox.idle():
            assert time.monotonic() < end, "the inbox is idle in time"
            time.sleep(0.01)
        while not self.events.empty():
            self.until(self.events.empty, "what is in the queue is read")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def live(root):
    made = []

    def make(where=root, **settings):
        made.append(Live(where, **settings))
        return made[-1]

    yield make
    for each in made:
        each.inbox.stop()
        assert not each.inbox._thread.is_alive()


def test_files_are_found_by_events_without_waiting_for_a_walk(live, root, tmp_path):
    """Written, renamed in from outside, renamed inside, in a new folder, and in a folder that is moved in."""
    box = live().start()
    box.until_idle()
    (root / "written.wav").write_bytes(b"x")
    (tmp_path / "in.wav").write_bytes(b"x")
    (tmp_path / "in.wav").rename(root / "in.wav")
    (root / "half.wav.part").write_bytes(b"x")
    (root / "half.wav.part").rename(root / "whole.wav")
    (root / "new" / "deep").mkdir(parents=True)
    (root / "new" / "deep" / "a.wav").write_bytes(b"x")
    (tmp_path / "moved" / "sub").mkdir(parents=True)
    (tmp_path / "moved" / "sub" / "b.wav").write_bytes(b"x")
    (tmp_path / "moved").rename(root / "moved")
    wanted = {"written.wav", "in.wav", "whole.wav", "new/deep/a.wav", "moved/sub/b.wav"}
    box.until(lambda: wanted <= set(box.found), "all are found")
    (root / "moved" / "sub" / "later.wav").write_bytes(b"x")
    box.until(lambda: "moved/sub/later.wav" in box.found, "a moved-in folder is watched")
    assert len(box.found) == len(set(box.found))
    assert not box.gone
    assert not box.away


def test_a_file_renamed_in_needs_only_the_short_time(live, root, tmp_path):
    box = live(settle=300.0).start()
    box.until_idle()
    (tmp_path / "in.wav").write_bytes(b"x")
    (tmp_path / "in.wav").rename(root / "in.wav")
    (root / "closed.wav").write_bytes(b"x")
    box.until(lambda: set(box.found) == {"in.wav", "closed.wav"}, "they are found long before `settle` is over")


def test_a_file_that_is_still_being_written_is_found_when_its_writer_closes_it(live, root):
    box = live(settle=300.0).start()
    box.until_idle()
    with (root / "a.wav").open("wb") as writer:
        writer.write(b"x")
        writer.flush()
        end = time.monotonic() + PATIENCE
        while not box.inbox.settling:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert not box.inbox.idle()
    box.until(lambda: box.found == ["a.wav"], "it is found")


def test_a_writer_that_pauses_is_waited_for_and_one_that_nobody_closes_only_for_the_patience(live, root, tmp_path):
    """A hard link has no writer: it is found after `settle`, when the paused recording had been quiet for longer."""
    box = live(settle=0.2, patience=600.0).start()
    box.until_idle()
    (tmp_path / "other.wav").write_bytes(b"x")
    with (root / "paused.wav").open("wb", buffering=0) as recorder, (root / "empty.wav").open("wb"):
        recorder.write(b"x")
        (root / "link.wav").hardlink_to(tmp_path / "other.wav")
        box.until(lambda: box.found, "the link is found")
        (root / "second.wav").hardlink_to(tmp_path / "other.wav")
        box.until(lambda: len(box.found) == 2, "the second link is found")
        assert box.found == ["link.wav", "second.wav"]
        recorder.write(b"x")
    box.until(lambda: "paused.wav" in box.found, "the recording is found when it is closed")
    assert "empty.wav" not in box.found


def test_a_writer_that_begins_right_behind_the_start_is_heard_of_though_the_first_look_comes_later(
    live, root, tmp_path, monkeypatch
):
    """Who was told that the inbox is watched need not wait for a walk through all of it, which may take minutes."""
    go, round_ = threading.Event(), Looks.round
    monkeypatch.setattr(Looks, "round", lambda self, mail: go.wait(PATIENCE) and round_(self, mail))
    (tmp_path / "whole.wav").write_bytes(b"x")
    box = live(settle=0.2, patience=600.0).start()
    with (root / "paused.wav").open("wb", buffering=0) as writer:
        writer.write(b"x")
        go.set()
        (root / "link.wav").hardlink_to(tmp_path / "whole.wav")  # has no writer: settles after the pause has begun
        box.until(lambda: box.found, "what nobody writes to is found")
        assert box.found == ["link.wav"]


def test_a_close_that_is_not_heard_costs_the_patience(live, root, tmp_path):
    box = live(settle=0.05, patience=0.5).start()
    box.until_idle()
    (root / "a.wav").write_bytes(b"x")
    box.until(lambda: box.found == ["a.wav"], "it is found")
    os.truncate(root / "a.wav", 2)
    box.until(lambda: box.found == ["a.wav", "a.wav"], "it is found again")


def test_deleted_and_moved_away_files_are_gone_by_events(live, root, tmp_path):
    box = live()
    for name in ("deleted.wav", "moved.wav", "renamed.wav", "folder/in.wav"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    box.start().until_idle()
    (root / "deleted.wav").unlink()
    (root / "moved.wav").rename(tmp_path / "moved.wav")
    (root / "renamed.wav").rename(root / "other.wav")
    (root / "folder").rename(tmp_path / "folder")
    box.until(lambda: len(box.gone) == 4, "all four are gone")
    box.until(lambda: "other.wav" in box.found, "the new name is found")


def test_any_name_comes_through_events_unharmed(live, root):
    box = live().start()
    box.until_idle()
    for name in HOSTILE:
        (root / os.fsdecode(name)).write_bytes(b"x")
    box.until(lambda: len(box.found) >= len(HOSTILE), "all are found")
    assert {os.fsencode(rel) for rel in box.found} == set(HOSTILE)
    (root / os.fsdecode(HOSTILE[2])).unlink()
    box.until(lambda: [os.fsencode(rel) for rel in box.gone] == [HOSTILE[2]], "one is gone")


def test_an_inbox_that_is_a_symbolic_link_is_watched(live, root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    box = live(tmp_path / "link", settle=300.0).start()
    box.until_idle()
    (root / "a.wav").write_bytes(b"x")
    box.until(lambda: box.found == ["a.wav"], "it is found by its event")


def test_polling_finds_files_without_a_watch(live, root):
    box = live(polling=True, rescan_interval=0.2).start()
    box.until_idle()
    assert not [thread for thread in threading.enumerate() if "watchdog" in type(thread).__module__]
    (root / "a.wav").write_bytes(b"x")
    box.until(lambda: box.found == ["a.wav"], "it is found by a walk")


def test_a_kick_looks_at_once(live, root):
    box = live(polling=True, settle=0.0)
    box.start().until_idle()
    (root / "a.wav").write_bytes(b"x")
    box.inbox.kick()
    box.until_idle()
    assert box.found == ["a.wav"]


def test_expected_files_are_gone_and_forgotten_ones_are_not(live, root):
    box = live()
    (root / "forgotten.wav").write_bytes(b"x")
    box.inbox.expect(["missing.wav"])
    box.start()
    box.until(lambda: box.gone == ["missing.wav"], "the missing one is gone")
    box.until_idle()
    (root / "forgotten.wav").rename(root / ".sttd-1")
    box.inbox.forget("forgotten.wav")
    box.inbox.kick()
    box.until_idle()
    assert box.gone == ["missing.wav"]
    assert box.found == ["forgotten.wav"]


def test_ignored_files_are_counted_by_reason(live, root):
    (root / "a.txt").touch()
    (root / "b.part").touch()
    box = live().start()
    box.until_idle()
    assert box.inbox.ignored == {"suffix not in watch.suffixes: .txt": 1, "unfinished copy or download": 1}
    assert box.found == []


def test_a_second_inbox_is_refused_and_the_first_goes_on(live, root):
    box = live().start()
    with pytest.raises(AlreadyRunning):
        live().start()
    (root / "a.wav").write_bytes(b"x")
    box.until(lambda: box.found == ["a.wav"], "the first goes on")
    box.inbox.stop()
    live().start()


def test_an_inbox_that_cannot_be_made_is_refused_at_the_start(live, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotConfigured, match="cannot be created"):
        live(tmp_path / "file" / "inbox").start()


def test_a_folder_that_is_refused_after_the_start_went_on_is_tried_again_until_it_is_held(live, root, monkeypatch):
    """Claiming it took longer than the start waits, and failed: nothing looked at the inbox any more."""
    held = threading.Event()
    real, tries = place_module.Claim, []

    def claim(*words):
        held.wait()
        tries.append(words)
        if len(tries) < 3:
            raise NotConfigured("no rights")
        return real(*words)

    monkeypatch.setattr(place_module, "Claim", claim)
    monkeypatch.setattr(inbox_module, "PATIENCE", 0.1)
    monkeypatch.setattr(looks_module, "RECHECK", 0.05)
    box = live().start()
    assert "has not answered" in box.inbox.away
    monkeypatch.setattr(inbox_module, "PATIENCE", PATIENCE)
    held.set()
    box.until(lambda: box.away == ["no rights", None], "it is refused, and then held")
    (root / "a.wav").write_bytes(b"x")
    box.until(lambda: box.found == ["a.wav"], "it is looked at")


def test_a_thread_that_ends_by_a_fault_is_no_inbox_that_is_well(live, monkeypatch):
    box = live().start()
    box.until_idle()
    monkeypatch.setattr(box.inbox._mailbox, "take", lambda timeout: None)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    box.inbox.kick()
    box.inbox._thread.join(PATIENCE)
    assert not box.inbox.healthy()
    assert "no longer looked at" in box.inbox.away


def test_a_dead_watch_is_said_and_set_up_again(live, root, log):
    """Its threads end, as by a bug of watchdog's; the next round sees it and misses nothing."""
    box = live(settle=300.0).start()
    box.until_idle()
    box.inbox._looks._watch._observer.reader.stop()
    box.inbox._looks._watch._observer.reader.join(PATIENCE)
    (root / "meanwhile.wav").write_bytes(b"x")
    box.inbox.kick()
    box.until(lambda: box.inbox.settling == 1 or box.events.empty(), "the walk saw it")
    end = time.monotonic() + PATIENCE
    while not any("watch on the inbox had died" in line for line in log):
        assert time.monotonic() < end, log
        time.sleep(0.01)
    while not box.inbox._looks._watch.works:  # said before it is done
        assert time.monotonic() < end, log
        time.sleep(0.01)
    (root / "after.wav").write_bytes(b"x")
    box.until(lambda: "after.wav" in box.found, "the new watch works")


def test_an_inbox_that_is_deleted_and_made_again_is_watched_again(live, root):
    box = live(rescan_interval=0.2)
    (root / "a.wav").write_bytes(b"x")
    box.start().until_idle()
    remove_folder(root)
    box.until(lambda: len(box.away) == 1, "it is away")
    root.mkdir()
    (root / "a.wav").write_bytes(b"x")
    box.until(lambda: box.away[-1] is None, "it is back")
    box.until_idle()
    box.inbox._looks._walk_due = float("inf")
    (root / "b.wav").write_bytes(b"x")
    box.until(lambda: "b.wav" in box.found, "the new folder is watched")
    assert box.gone == []


def test_the_folder_that_takes_the_place_of_a_renamed_inbox_is_watched_and_the_renamed_one_no_longer(
    live, root, tmp_path
):
    box = live(settle=300.0).start()
    box.until_idle()
    root.rename(tmp_path / "old")
    root.mkdir()
    box.inbox.kick()
    box.until(lambda: len(box.away) == 1, "it is not the folder that it was")
    box.until_answered()
    (tmp_path / "old" / "old.wav").write_bytes(b"x")
    (root / "new.wav").write_bytes(b"x")
    box.until(lambda: box.found, "a file is found by its event")
    assert box.found == ["new.wav"]


def test_a_flood_of_events_is_bounded_and_ends_in_a_walk():
    """More files than the mailbox holds: the list is dropped and a walk is asked for."""
    box = Mailbox()
    for number in range(LIMIT + 1):
        box.put(f"{number}.wav", News.NEW)
        box.put("same.wav", News.WRITTEN)
    mail = box.take(0.0)
    assert mail.rescan
    assert len(mail.news) <= LIMIT


def test_a_folder_that_does_not_answer_holds_only_the_inboxs_thread(live, monkeypatch):
    """A look that never returns: the inbox says so, is not idle, and `stop` comes back."""
    held, entered = threading.Event(), threading.Event()

    def scandir(path):
        entered.set()
        held.wait()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(scan_module.os, "scandir", scandir)
    monkeypatch.setattr(inbox_module, "STUCK", 0.1)
    monkeypatch.setattr(inbox_module, "PATIENCE", 0.1)
    box = live().start()
    try:
        assert entered.wait(PATIENCE)
        end = time.monotonic() + PATIENCE
        while box.inbox.healthy():
            assert time.monotonic() < end
            time.sleep(0.01)
        assert "does not answer" in box.inbox.away
        assert not box.inbox.idle()
        box.inbox.stop()
    finally:
        held.set()
        box.inbox._thread.join(PATIENCE)


def test_a_folder_that_does_not_answer_at_the_start_is_waited_for_behind_it(live, root, monkeypatch):
    held = threading.Event()
    real = place_module.Claim

    def claim(*words):
        held.wait()
        return real(*words)

    monkeypatch.setattr(place_module, "Claim", claim)
    monkeypatch.setattr(inbox_module, "PATIENCE", 0.1)
    box = live().start()
    (root / "a.wav").write_bytes(b"x")
    held.set()
    monkeypatch.setattr(inbox_module, "PATIENCE", PATIENCE)
    box.until(lambda: box.found == ["a.wav"], "it goes on when the folder answers")


def test_a_bug_costs_one_round_and_is_logged(live, root, log, monkeypatch):
    monkeypatch.setattr(inbox_module, "RECHECK", 0.01)
    box = live()
    real, calls = box.inbox._place.look, []

    def look():
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return real()

    box.inbox._place.look = look
    (root / "a.wav").write_bytes(b"x")
    box.start().until(lambda: box.found == ["a.wav"], "the next round does the work")
    assert any("went wrong" in line for line in log)


def test_an_idle_inbox_uses_no_processor_time(live, root):
    """No thread wakes up but now and then, with 500 files that have been found."""
    for number in range(500):
        (root / f"{number}.wav").touch()
    box = live().start()
    box.until_idle()
    assert wakings(os.getpid()) < 20


def in_namespace(script, *flags):
    """Run `script` in namespaces of its own, so that its mounts and limits end with it."""
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", *flags, sys.executable, "-c", script],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


USERS = ("--user", "--map-root-user")
HEAD = """
import os, pathlib, subprocess, sys
sys.path.insert(0, {here!r})
from tests.inbox.test_inbox import Live
root = pathlib.Path({root!r})
def run(*words): subprocess.run(words, check=True)
"""
UNMOUNTED = """
disk = root.parent / "disk"
disk.mkdir()
run("mount", "-t", "tmpfs", "none", str(disk))
run("mount", "--bind", str(disk), str(root))
(root / "a.wav").write_bytes(b"x")
box = Live(root, rescan_interval=0.2).start()
box.until_idle()
run("umount", "-l", str(root))
box.until(lambda: len(box.away) == 1, "it is away")
assert "not the folder that it was" in box.away[0], box.away
(root / "meanwhile.wav").write_bytes(b"x")
box.until(lambda: "meanwhile.wav" in box.found, "new files are found all the same")
(root / "meanwhile.wav").unlink()
run("mount", "--bind", str(disk), str(root))
box.until(lambda: box.away[1:] == [None], "it is back")
box.inbox.kick()
box.until(lambda: box.gone == ["meanwhile.wav"], "what was in the other folder is not in this one")
box.until_idle()
box.inbox._looks._walk_due = float("inf")
(root / "b.wav").write_bytes(b"x")
box.until(lambda: "b.wav" in box.found, "the folder is watched again")
(root / "a.wav").unlink()
box.until(lambda: "a.wav" in box.gone, "what is removed from the inbox is gone")
assert len(box.away) == 2
box.inbox.stop()
run("umount", str(root))  # nothing is held any more
print("as it should be")
"""
REMOUNTED = """
disk = root.parent / "disk"
disk.mkdir()
run("mount", "-t", "tmpfs", "none", str(disk))
run("mount", "--bind", str(disk), str(root))
box = Live(root, settle=300.0).start()
box.until_idle()
run("umount", "-l", str(root))
run("mount", "--bind", str(disk), str(root))  # the same again: lock and watch are as they were
box.inbox.kick()
box.until_idle()
(root / "b.wav").write_bytes(b"x")
box.until(lambda: "b.wav" in box.found, "the folder is watched")
box.inbox.stop()
print("as it should be")
"""
NESTED = """
phone = root / "phone"
phone.mkdir()
run("mount", "-t", "tmpfs", "none", str(phone))
(phone / "a.wav").write_bytes(b"x")
(root / "b.wav").write_bytes(b"x")
box = Live(root, rescan_interval=0.1).start()
box.until_idle()
run("umount", "-l", str(phone))
(root / "b.wav").unlink()
box.until(lambda: box.gone, "the removed one is gone")
box.inbox.kick()
box.until_idle()
assert box.gone == ["b.wav"], box.gone
assert [box.inbox.is_lost(name) for name in ("phone/a.wav", "b.wav")] == [True, False]
box.inbox.stop()
print("as it should be")
"""
READ_ONLY = """
run("mount", "-t", "tmpfs", "-o", "ro", "none", str(root))
try:
    Live(root).start()
except Exception as error:
    print(type(error).__name__, error)
"""
LIMITED = """
import pathlib
from loguru import logger
lines = []
logger.remove()
logger.add(lambda line: lines.append(str(line)))
pathlib.Path("/proc/sys/user/max_inotify_{what}").write_text("0")
box = Live(root, rescan_interval=0.2).start()
box.until_idle()
(root / "a.wav").write_bytes(b"x")
box.until(lambda: box.found == ["a.wav"], "rescans find it")
said = [line for line in lines if "fs.inotify.max_user_{what}=" in line]
assert len(said) == 1, lines
box.inbox.stop()
print("as it should be")
"""


def script(body, root):
    return HEAD.format(here=os.getcwd(), root=str(root)) + body


@needs_mounts
@pytest.mark.parametrize("body", [UNMOUNTED, REMOUNTED, NESTED], ids=["unmounted", "remounted", "nested"])
def test_an_inbox_that_is_unmounted_and_mounted_again_loses_nothing(root, body):
    """Unmounted: said, nothing gone. Mounted again: said, watched. A folder in it with a mount of its own: the same."""
    done = in_namespace(script(body, root))
    assert "as it should be" in done.stdout, done.stdout + done.stderr


@needs_mounts
def test_a_read_only_inbox_is_refused_with_the_remedy(root):
    done = in_namespace(script(READ_ONLY, root))
    assert done.stdout.startswith("NotConfigured"), done.stdout + done.stderr
    assert "read-only: mount it writable" in done.stdout


@pytest.mark.skipif(no_mounts(*USERS) is not None, reason=f"no user namespaces: {no_mounts(*USERS)}")
@pytest.mark.parametrize("what", ["watches", "instances"])
def test_where_the_kernel_gives_no_watch_rescans_do_the_work_and_the_log_says_how_to_raise_the_limit(root, what):
    done = in_namespace(script(LIMITED.replace("{what}", what), root), *USERS)
    assert "as it should be" in done.stdout, done.stdout + done.stderr


def test_a_quiet_inbox_answers_at_once_and_a_bustle_is_looked_at_now_and_then():
    """The pauses between rounds double while events keep coming, up to a bound, and start short after a quiet."""
    pauses = [inbox_module.PAUSE]
    for quiet in (60.0, 0.0, 0.001, 0.0, 0.04, 0.0, 0.0, 0.0, 60.0):
        pauses.append(inbox_module.next_pause(pauses[-1], quiet))
    assert pauses[1:] == [0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05, 0.05, 0.002]

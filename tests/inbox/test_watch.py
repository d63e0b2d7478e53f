"""The glue to watchdog: what the kernel refuses, loses or limits."""

from __future__ import annotations

import errno
import os
import threading
import time

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from sttd.inbox import watch as watch_module
from sttd.inbox.mail import Mailbox
from sttd.inbox.news import News
from sttd.inbox.watch import PAIR, RETRY, SAY_AGAIN, Watch
from tests.harness import PATIENCE


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def watch(tmp_path, mailbox):
    watch = Watch(tmp_path, mailbox, lambda rel: rel.endswith(".wav"))
    yield watch
    watch.stop()


def test_a_watch_is_set_up_once(watch):
    assert watch.check(0.0)
    assert watch.works
    assert not watch.check(1.0)


def test_what_comes_behind_a_file_that_left_is_held_back_only_as_long_as_we_say():
    """By itself watchdog would make each clip wait for half a second behind the source that was archived before it."""
    assert InotifyMoveEventGrouper()._queue.delay == PAIR


def test_a_stopped_watch_leaves_no_thread(watch):
    before = set(threading.enumerate())
    watch.check(0.0)
    made = set(threading.enumerate()) - before
    assert made
    watch.stop()
    for thread in made:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_an_overflow_of_the_kernels_queue_asks_for_a_walk(watch, mailbox):
    watch.check(0.0)
    watch._observer.reader.handle_event(InotifyEvent(-1, InotifyConstants.IN_Q_OVERFLOW, 0, b""))
    mail = mailbox.take(0.0)
    assert mail.rescan
    assert mail.overflown


def test_lost_events_are_said_with_the_remedy_and_not_all_the_time(watch, log):
    for now in (0.0, 1.0, SAY_AGAIN - 1, SAY_AGAIN + 1):
        watch.lost(now)
    assert len(log) == 2
    assert "sysctl fs.inotify.max_queued_events=" in log[0]


def test_names_that_are_no_job_wake_nobody(watch, mailbox, tmp_path):
    watch.check(0.0)
    (tmp_path / "a.part").write_bytes(b"x")
    (tmp_path / "a.part").rename(tmp_path / "a.wav")
    mail = mailbox.take(PATIENCE)
    assert mail.news == {"a.wav": News.FINAL}
    (tmp_path / "a.wav").rename(tmp_path / ".sttd-1")
    mail = mailbox.take(PATIENCE)
    assert mail.news == {"a.wav": News.LEFT}


def test_reading_a_file_makes_no_news(watch, mailbox, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"x")
    watch.check(0.0)
    (tmp_path / "a.wav").read_bytes()
    (tmp_path / "b.wav").write_bytes(b"x")
    news = {}
    while "b.wav" not in news:
        news |= mailbox.take(PATIENCE).news
    assert news.keys() == {"b.wav"}


def news_until(mailbox, rel):
    """All news up to and with those of `rel`, in the order of their coming."""
    news = []
    while rel not in dict(news):
        news += mailbox.take(PATIENCE).news.items()
    return news


def test_changes_of_mode_time_and_links_are_no_word_of_a_writer(watch, mailbox, tmp_path):
    """Nobody closes the file after them, so that it would be waited for."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    watch.check(0.0)
    path.chmod(0o600)
    os.utime(path, (1, 1))
    (tmp_path / "a.txt").hardlink_to(path)
    (tmp_path / "b.wav").write_bytes(b"x")
    assert dict(news_until(mailbox, "b.wav")).keys() == {"b.wav"}


def test_a_hard_link_appears_and_is_not_written(watch, mailbox, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x")
    watch.check(0.0)
    (tmp_path / "a.wav").hardlink_to(tmp_path / "a.txt")
    assert news_until(mailbox, "a.wav") == [("a.wav", News.NEW)]


def test_what_is_renamed_while_it_is_open_is_still_being_written(watch, mailbox, tmp_path):
    """A recorder that renames its file and goes on, from a name that is no job as well."""
    watch.check(0.0)
    with (tmp_path / "a.part").open("wb", buffering=0) as first, (tmp_path / "b.wav").open("wb", buffering=0) as second:
        first.write(b"x")
        second.write(b"x")
        (tmp_path / "a.part").rename(tmp_path / "a.wav")
        (tmp_path / "b.wav").rename(tmp_path / "c.wav")
        news = dict(news_until(mailbox, "c.wav"))
        assert (news["a.wav"], news["b.wav"], news["c.wav"]) == (News.WRITTEN, News.LEFT, News.WRITTEN)
    assert dict(news_until(mailbox, "c.wav"))["c.wav"] is News.FINAL


def test_after_an_overflow_nobody_is_known_to_have_a_file_open(watch, mailbox, tmp_path):
    watch.check(0.0)
    with (tmp_path / "a.wav").open("wb", buffering=0) as writer:
        writer.write(b"x")
        while dict(news_until(mailbox, "a.wav"))["a.wav"] is not News.WRITTEN:
            pass  # what it was created with came by itself
        watch._observer.reader.handle_event(InotifyEvent(-1, InotifyConstants.IN_Q_OVERFLOW, 0, b""))
        assert mailbox.take(0.0).lost
        (tmp_path / "a.wav").rename(tmp_path / "b.wav")
        assert dict(news_until(mailbox, "b.wav"))["b.wav"] is News.FINAL


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "inotify watch limit reached"), "sysctl fs.inotify.max_user_watches="),
        (OSError(errno.EMFILE, "inotify instance limit reached"), "sysctl fs.inotify.max_user_instances="),
        (RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
def test_a_watch_that_is_refused_is_said_once_and_tried_again_later(watch, log, monkeypatch, error, said):
    def refuse(_):
        raise error

    monkeypatch.setattr(Watch, "_observe", refuse)
    for now in (0.0, 1.0, RETRY + 1, 2 * RETRY + 2):
        assert not watch.check(now)
        assert not watch.works
    (line,) = log
    assert said in line
    monkeypatch.undo()
    assert not watch.check(2 * RETRY + 3), "not before its time"
    assert watch.check(3 * RETRY + 3)
    assert "watched again" in log[-1]


@pytest.mark.parametrize("part", ["reader", "observer", "emitter"])
def test_whichever_of_its_threads_dies_the_watch_is_set_up_again(watch, mailbox, tmp_path, log, part):
    watch.check(0.0)
    observer = watch._observer
    thread = {"reader": observer.reader, "observer": observer, "emitter": next(iter(observer.emitters))}[part]
    thread.stop()
    thread.join(PATIENCE)
    assert watch.check(1.0)
    assert "had died" in log[0]
    (tmp_path / "a.wav").write_bytes(b"x")
    end = time.monotonic() + PATIENCE
    while "a.wav" not in mailbox.take(PATIENCE).news:
        assert time.monotonic() < end


def test_more_folders_than_the_kernel_watches_are_said_once(watch, log, tmp_path, monkeypatch):
    (tmp_path / "max_user_watches").write_text("10\n")
    monkeypatch.setattr(watch_module, "_LIMITS", tmp_path)
    watch.check(0.0)
    for folders in (9, 11, 12):
        watch.cover(folders)
    (line,) = log
    assert "sysctl fs.inotify.max_user_watches=22" in line


def test_a_handler_does_not_raise_whatever_the_event(tmp_path, mailbox):
    """watchdog's thread would end; paths outside, empty ones and bytes are passed over or understood."""
    handler = watch_module._Handler("/in", mailbox, lambda rel: True)
    for source, target in (("", "/in/a"), ("/in/b", ""), (b"/in/\xff", b"/elsewhere"), ("/in", "/inner/c")):
        handler.dispatch(watch_module.FileMovedEvent(source, target))
    assert mailbox.take(0.0).news == {"a": News.FINAL, "b": News.LEFT, "\udcff": News.LEFT}

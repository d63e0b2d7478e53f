"""The kernel's events, through watchdog: they only speed things up, and a rescan finds all that they miss.

watchdog's threads run no code of ours but `_Handler`, which puts a name into the mailbox: a handler that raised
would end them. Dead threads are replaced. Where the kernel gives no more watches, rescans
alone do the work, and the log says how to raise the limit.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyFullEmitter
from watchdog.observers.inotify_c import InotifyEvent, InotifyFD
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from sttd.host.events import Kind, say
from sttd.inbox.mail import LIMIT, Mailbox
from sttd.inbox.news import News

SAY_AGAIN = 600.0  # seconds between two log lines about lost events
RETRY = 60.0  # seconds before a watch that could not be set up is tried again
PAIR = 0.05  # seconds that a "moved from" event waits for its "moved to"
JOIN = 2.0  # seconds that ending watchdog's threads may take; a dead mount may hold one of them for ever
_LIMITS = Path("/proc/sys/fs/inotify")
_EVENTS: list[type[FileSystemEvent]] = [
    # without "opened", "closed without writing" and changes of folders: our own reading would cause them
    FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileClosedEvent, FileDeletedEvent,
    DirCreatedEvent, DirMovedEvent, DirDeletedEvent,
]  # fmt: skip

# When a file leaves, watchdog holds back all later events for half a second, in case it was only renamed. Each source that is
# archived leaves: a clip dropped after it would settle half a second late. The kernel sends both halves of a rename at once; if
# they are separated all the same, a rescan corrects it
InotifyMoveEventGrouper.delay = PAIR


class _Reader(InotifyFD):
    """watchdog's reader of the kernel's queue, which also says that the queue overflowed."""

    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__()
        self._lost = lost

    def handle_event(self, event: InotifyEvent) -> None:
        super().handle_event(event)
        if event.is_queue_overflow:
            self._lost()


class _Observer(BaseObserver):
    """watchdog's InotifyObserver with our reader. Its full events tell apart files that are renamed in and created."""

    def __init__(self, reader: _Reader) -> None:
        super().__init__(InotifyFullEmitter, inotify_fd=reader)
        self.reader = reader
        reader.start()

    def is_working(self) -> bool:
        return self.is_alive() and self.reader.is_alive() and all(emitter.is_alive() for emitter in self.emitters)

    def on_thread_stop(self) -> None:
        super().on_thread_stop()
        self.reader.stop()


class _Handler(FileSystemEventHandler):
    """Turns events into news. It must never raise, and never wait."""

    def __init__(self, root: str, mailbox: Mailbox, wanted: Callable[[str], bool]) -> None:
        self._start = root.rstrip("/") + "/"
        self._mailbox = mailbox
        self._wanted = wanted
        self._open: set[str] = set()  # files that were written and not yet closed, by their present names

    def dispatch(self, event: FileSystemEvent) -> None:
        if event.is_directory:
            # a folder that came may have been filled before it was watched; one that left takes all its files along
            self._mailbox.rescan()
            return
        source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
        match event:
            case FileMovedEvent():
                # a recorder may rename its file while it goes on writing: what is open stays open under its new name
                news = News.WRITTEN if source in self._open else News.FINAL
                self._put(source, News.LEFT)
                self._put(target, news)
            case FileClosedEvent():
                self._put(source, News.FINAL)
            case FileCreatedEvent():
                self._put(source, News.NEW)
            case FileModifiedEvent():
                self._put(source, News.WRITTEN)
            case FileDeletedEvent():
                self._put(source, News.LEFT)

    def lost(self) -> None:
        """The kernel's queue overflowed; called by the thread that reads it."""
        self._open.clear()
        self._mailbox.overflow()

    def _put(self, name: str, news: News) -> None:
        if news is not News.WRITTEN:
            self._open.discard(name)
        elif len(self._open) < LIMIT:
            self._open.add(name)
        rel = name.removeprefix(self._start)
        if rel != name and self._wanted(rel):
            self._mailbox.put(rel, news)


class Watch:
    """The watch on one folder. All methods are called by the inbox's thread."""

    def __init__(self, root: Path, mailbox: Mailbox, wanted: Callable[[str], bool]) -> None:
        self._root = root
        self._mailbox = mailbox
        self._wanted = wanted
        self._observer: _Observer | None = None
        self._not_before = 0.0
        self._said = ""  # the latest complaint, so that it is made once
        self._crowded = False
        self._overflow_said = -SAY_AGAIN

    @property
    def works(self) -> bool:
        return self._observer is not None

    def check(self, now: float) -> bool:
        """Set the watch up if none works. True: it was set up now, and a walk must find what was missed."""
        if self._observer is not None:
            if self._observer.is_working():
                return False
            say(Kind.INBOX_UNWATCHED, "the watch on the inbox had died; it is set up again")
            self.stop()
        if now < self._not_before:
            return False
        try:
            self._observer = self._observe()
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread can be started
            self._not_before = now + RETRY
            self._complain(_remedy(error))
            return False
        if self._said:
            say(Kind.INBOX_BACK, "the inbox is watched again")
        self._said = ""
        return True

    def stop(self) -> None:
        """End the watch; what is left of it after `JOIN` seconds ends by itself, or hangs on a dead mount."""
        observer, self._observer = self._observer, None
        self._not_before = 0.0
        if observer is not None:
            # in a thread of its own: watchdog joins its threads without a limit
            ending = threading.Thread(target=observer.stop, name="inbox-unwatch", daemon=True)
            ending.start()
            ending.join(JOIN)

    def cover(self, folders: int) -> None:
        """Log once that the inbox has more folders than the kernel watches for one user."""
        limit = _limit("max_user_watches")
        crowded = self.works and limit is not None and folders > limit
        if crowded and not self._crowded:
            say(
                Kind.INBOX_UNWATCHED,
                f"the inbox has {folders} folders and the kernel watches {limit} for each user: the others are only "
                f"looked through by rescans; raise the limit: sysctl fs.inotify.max_user_watches={folders * 2}",
            )
        self._crowded = crowded

    def lost(self, now: float) -> None:
        """Log that events came faster than they could be read; at most once in `SAY_AGAIN` seconds."""
        if now - self._overflow_said < SAY_AGAIN:
            return
        self._overflow_said = now
        limit = _limit("max_queued_events") or 0
        say(
            Kind.INBOX_UNWATCHED,
            f"events of the inbox were lost, because the kernel's queue of {limit} overflowed: the whole inbox is "
            "looked through; where that happens often: "
            f"sysctl fs.inotify.max_queued_events={max(65536, limit * 4)}",
        )

    def _observe(self) -> _Observer:
        # the real path: watchdog asks the kernel not to follow a symbolic link, not even one that is the inbox itself
        root = os.path.realpath(self._root)
        handler = _Handler(root, self._mailbox, self._wanted)
        observer = _Observer(_Reader(handler.lost))
        try:
            observer.schedule(handler, root, recursive=True, event_filter=_EVENTS)
            observer.start()
        except BaseException:
            observer.reader.stop()
            raise
        return observer

    def _complain(self, what: str) -> None:
        if what != self._said:
            say(Kind.INBOX_UNWATCHED, f"the inbox is not watched, rescans alone find its files: {what}", error=what)
        self._said = what


def _remedy(error: OSError | RuntimeError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOSPC:
        limit = _limit("max_user_watches") or 0
        return (
            f"the kernel's limit of {limit} inotify watches for each user is reached; raise it: "
            f"sysctl fs.inotify.max_user_watches={max(524288, limit * 2)}, and in /etc/sysctl.d/ for good"
        )
    if number == errno.EMFILE:
        limit = _limit("max_user_instances") or 0
        return (
            f"the limit of {limit} inotify instances for each user, or of open files, is reached; raise it: "
            f"sysctl fs.inotify.max_user_instances={max(512, limit * 2)}, or LimitNOFILE="
        )
    return str(error)


def _limit(name: str) -> int | None:
    try:
        return int((_LIMITS / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None  # hidden, as in some containers

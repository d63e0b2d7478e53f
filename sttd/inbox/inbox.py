"""The inbox: a thread that watches a folder and reports which files have settled in it, and which are gone.

A file system call that never returns (a dead mount) blocks only this thread; `healthy` is false then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from loguru import logger

from sttd.config import Config
from sttd.config.hearing import FORMATS
from sttd.errors import SttdError
from sttd.inbox.events import InboxEvent
from sttd.inbox.lock import FolderIdentity
from sttd.inbox.looks import RECHECK, Looks
from sttd.inbox.mail import Mailbox, Times
from sttd.inbox.place import Place
from sttd.inbox.rules import Rules
from sttd.inbox.settle import Tracker
from sttd.inbox.watch import Watch

STUCK = 10.0  # seconds without progress in mid-round after which the inbox counts as not answering
PATIENCE = 5.0  # seconds that `start` waits for the folder, and `stop` for the thread
PAUSE = 0.05  # seconds between two rounds at most: a copy under way makes thousands of events
FIRST_PAUSE = 0.002  # after a quiet time: the quiet of a clip is measured from its last byte, not from 50 ms later


class Inbox:
    """Watches `config.paths.inbox`.

    Args:
        config: the inbox's folder (`paths.inbox`), and all of section `watch`.
        sink: called with every event, from the inbox's thread; it must be quick.
        before: the `Held` folder of an earlier run.
        waiting: jobs wait for files of that folder: then one at the same path with another mark is not the inbox.
        setting: the setting that names the folder, for messages.
        makes: make the folder if it is missing.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: Config,
        sink: Callable[[InboxEvent], None],
        before: FolderIdentity | None = None,
        *,
        waiting: bool = False,
        setting: str = "paths.inbox",
        makes: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        watch, root = config.watch, Path(config.paths.inbox)
        self._clock = clock
        self._mailbox = Mailbox()
        self._place = Place(root, before, waiting=waiting, setting=setting, makes=makes)
        self._rules = rules = Rules(watch.suffixes, _results(config))
        self._tracker = Tracker(config.settle(), watch.settle_closed, watch.patience)
        watcher = None if watch.polling else Watch(root, self._mailbox, lambda rel: rules.path(rel) is None)
        self._looks = Looks(
            place=self._place,
            rules=rules,
            tracker=self._tracker,
            watch=watcher,
            sink=sink,
            clock=clock,
            rescan_interval=watch.rescan_interval,
        )
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._begun = threading.Event()  # the folder is held, or waited for
        self._watched = threading.Event()  # events of the folder arrive, if the kernel can send them
        self._beginning = threading.Lock()
        self._is_late = False  # True: `start` stopped waiting for `_begun`
        self._refusal: SttdError | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Take hold of the folder and begin. A folder that does not answer within `PATIENCE` is waited for in the background.

        Raises:
            AlreadyRunning: another sttd holds the inbox.
            NotConfigured: it cannot be made, is not writable, or cannot be locked; the message says what to do.
        """
        self.begin()
        self.await_folder(PATIENCE)

    def begin(self) -> None:
        """The first half of `start`: it does not wait."""
        self._thread.start()

    def await_folder(self, patience: float) -> None:
        """The second half of `start`: wait up to `patience` seconds until the folder is watched. Raises what `start` raises."""
        end = time.monotonic() + patience
        self._begun.wait(patience)
        with self._beginning:
            self._is_late = not self._begun.is_set()
        if self._refusal is not None:
            raise self._refusal
        self._watched.wait(max(0.0, end - time.monotonic()))

    def stop(self) -> None:
        """End the thread and let go of the folder; waits up to `PATIENCE` for that."""
        self.end()
        self.await_end(PATIENCE)

    def end(self) -> None:
        """The first half of `stop`: it does not wait."""
        self._stopping.set()
        self._mailbox.stop()

    def await_end(self, patience: float) -> None:
        """The second half of `stop`."""
        if self._thread.is_alive():
            self._thread.join(patience)

    def configure(self, config: Config) -> None:
        """Use another configuration from now on, except for what is bound to the folder and its watch."""
        watch = config.watch
        self._rules.results = _results(config)
        self._mailbox.configure(Times(config.settle(), watch.settle_closed, watch.patience, watch.rescan_interval))

    def adopt(self, mark: str) -> None:
        """The strange folder with that mark is the inbox now; see `Strange`."""
        self._mailbox.adopt(mark)

    def expect(self, rels: Iterable[str]) -> None:
        """Look for the sources of waiting jobs: a Gone reports those that are not there."""
        self._mailbox.expect(rels)

    def forget(self, rel: str) -> None:
        """The file was taken away by sttd itself: no Gone is sent for it, and the next file of this name is new."""
        self._mailbox.forget(rel)

    def kick(self) -> None:
        """Look through the whole inbox now."""
        self._mailbox.kick()

    def is_lost(self, rel: str) -> bool:
        """Whether a path lies below a mount that is gone, so that a missing file means nothing there. Accesses the disk."""
        return self._looks.is_below_lost_mount(rel)

    def idle(self) -> bool:
        """Whether a walk through the inbox has ended since the start and the latest kick, and nothing is settling."""
        quiet = self._looks.is_quiet  # asked first: anything later is in the mailbox, which is asked next
        return quiet and self._mailbox.is_answered(self._looks.answered)

    def healthy(self) -> bool:
        """Whether the thread lives, and makes progress or waits for work."""
        stuck = self._mailbox.is_reader_busy and self._clock() - self._looks.beat > STUCK
        return self._thread.is_alive() and not stuck

    @property
    def away(self) -> str | None:
        """Why the inbox is away, or does not answer, or is no longer looked at."""
        if self._thread.ident is not None and not self._stopping.is_set():
            if not self._begun.is_set():
                return f"{self._place.root} has not answered yet (its file system hangs, or its server is down)"
            if not self._thread.is_alive():
                return (
                    f"{self._place.root} is no longer looked at, by a fault in sttd: restart it (the log has the trace)"
                )
            if not self.healthy():
                return f"{self._place.root} does not answer (its file system hangs, or its server is down)"
        return self._looks.away

    @property
    def ignored(self) -> dict[str, int]:
        """How many files and folders are no jobs, by reason, as the latest walk saw it."""
        return self._looks.ignored

    @property
    def examples(self) -> dict[str, str]:
        """One of them for each reason, by its path below the inbox; see `Ignored.examples`."""
        return self._looks.examples

    @property
    def settling(self) -> int:
        """How many files are being watched until they have settled, or until they are surely gone."""
        return self._tracker.settling

    def _run(self) -> None:
        refusal = self._place.take()
        self._looks.report_held()
        with self._beginning:
            self._begun.set()
            if refusal is not None and not self._is_late:
                self._refusal = refusal
                return
        try:
            self._watch()
            self._rounds()  # which go on trying, where the folder is not held yet
        finally:
            self._looks.close()

    def _watch(self) -> None:
        try:
            self._looks.watch()
        except Exception:  # noqa: BLE001 - as in `_rounds`, and the first round tries again
            logger.exception("watching the inbox went wrong; it is tried again")
        finally:
            self._watched.set()

    def _rounds(self) -> None:
        due, pause = self._clock(), FIRST_PAUSE
        while True:
            asked = self._clock()
            mail = self._mailbox.take(due - asked)
            if mail.stop:
                return
            pause = next_pause(pause, self._clock() - asked)
            try:
                due = self._looks.round(mail)
            except Exception:  # noqa: BLE001 - a bug must cost one round, not the intake of all files to come
                logger.exception("a look through the inbox went wrong; it is done again")
                self._mailbox.rescan()
                due = self._clock() + RECHECK
                self._stopping.wait(RECHECK)
            self._stopping.wait(pause)


def _results(config: Config) -> Collection[str]:
    """The suffixes of results in the inbox. A folder may ask for any of them, and so may an earlier configuration."""
    return FORMATS if config.output.place == "beside" else ()


def next_pause(pause: float, quiet: float) -> float:
    """Seconds to pause after a round, given the one before and how long nothing came since: doubled while events keep coming."""
    return FIRST_PAUSE if quiet > PAUSE else min(PAUSE, 2 * pause)

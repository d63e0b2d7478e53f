"""One round of the inbox's work: look at the files that are due, walk if a walk is due, and report what was found.

It never waits: its thread does (inbox.py), and a test calls the rounds itself, with a clock of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from sttd.host.events import Kind, say
from sttd.inbox.doubtful import Doubtful
from sttd.inbox.events import BATCH, Away, Found, Gone, Held, InboxEvent, Own, Strange
from sttd.inbox.lock import FolderIdentity
from sttd.inbox.mail import Mail, Times
from sttd.inbox.news import News
from sttd.inbox.place import Place, Standing
from sttd.inbox.rules import Rules
from sttd.inbox.scan import Scan, look
from sttd.inbox.settle import Tracker
from sttd.inbox.watch import Watch
from sttd.job import Identity
from sttd.text import printable

RECHECK = 5.0  # seconds between two looks for an inbox that is away
QUICK = 10.0  # seconds at most between two looks at the folder itself; without events also between two short walks
SHARE = 5  # a walk that events ask for waits this many times the length of the one before: 100,000 files take a second


class Looks:
    """The inbox as its thread sees it. `sink` is called with each event, within a round."""

    def __init__(
        self,
        *,
        place: Place,
        rules: Rules,
        tracker: Tracker,
        watch: Watch | None,  # None: `watch.polling`
        sink: Callable[[InboxEvent], None],
        clock: Callable[[], float],
        rescan_interval: float,
    ) -> None:
        self.ignored: dict[str, int] = {}  # by reason, of the latest walk
        self.examples: dict[str, str] = {}  # see `Ignored.examples`
        self.away: str | None = None  # why the inbox is away, as the last `Away` said
        self.answered = -1  # the number of the latest kick that a walk has answered since
        self.beat = clock()  # when it last made progress
        self._place = place
        self._root = str(place.root)
        self._rules = rules
        self._doubtful = Doubtful(self._root)
        self._named: set[str] = set()  # kinds of what is left alone that the log has named
        self._tracker = tracker
        self._watch = watch
        self._sink = sink
        self._clock = clock
        self._interval = rescan_interval
        self._walk_due = clock()
        self._walk_took = 0.0
        self._walk_ended = -float("inf")
        self._wanted = False  # events ask for a walk
        self._mounts: dict[str, int] = {}  # folders with a file system of their own, and its device number
        self._refused: dict[str, str] = {}  # folders that cannot be read, and why
        self._found: list[tuple[str, Identity]] = []
        self._found_since = 0.0
        self._gone: list[str] = []
        self._held: FolderIdentity | None = None  # as the last `Held` said
        self._strange: str | None = None  # the mark of the strange folder that the daemon was asked about, and
        self._missing: list[str] = []  # the known files that are not in it

    @property
    def is_quiet(self) -> bool:
        """No walk is asked for, nothing is settling."""
        return not self._wanted and self._tracker.settling == 0 and self.away is None

    def round(self, mail: Mail) -> float:
        """Do what is due. Returns when something is due next, in the clock's seconds."""
        if mail.times is not None:
            self._configure(mail.times)
        for rel in mail.forgotten:
            self._tracker.forget(rel)
        self._tracker.expect(mail.expected)  # after these: a file may be forgotten and expected again in the same mail
        self._wanted = self._wanted or mail.rescan
        now = self.beat = self._clock()
        if mail.lost:
            self._tracker.lose_writers()
        if mail.overflown and self._watch:
            self._watch.lost(now)
        standing = self._place.look()
        if standing is Standing.AWAY:
            return self._leave(now)
        self.report_held()
        if standing is Standing.STRANGE and mail.adopt is not None and mail.adopt == self._strange:
            standing = self._adopt()
        home = standing is Standing.HOME
        if self._place.renewed:
            self._wanted = True
            self._tracker.doubt_absence()
            if self._watch:
                self._watch.stop()  # it was on the folder that was there before
        if not home:
            self._report_away(self._place.reason)
        self._check_watch(now)
        self._hear(mail.news, home)
        # the first walk looks for those that are expected at the start
        expected = mail.expected if self._walk_ended >= 0 else ()
        for rel in (*expected, *self._tracker.due(now)):
            self._look(rel, home)
        if mail.kicks > self.answered or now >= self._walk_time():
            self._walk(home)
            self.answered = mail.kicks
        self._tell(home)
        return min(self._walk_time(), self._tracker.next_due(), self._clock() + QUICK)

    def _configure(self, times: Times) -> None:
        """Use other times, also for the walk that is next and for files that are settling."""
        self._tracker.configure(times.settle, times.settle_closed, times.patience)
        self._interval = times.rescan_interval
        self._walk_due = min(self._walk_due, self._walk_ended + self._pause(failed=False))

    def watch(self) -> None:
        """Watch the folder, if it is held. Called before the first round, which may be a walk of minutes."""
        if self._place.folder is not None:
            self._check_watch(self._clock())

    def _check_watch(self, now: float) -> None:
        if self._watch and self._watch.check(now):
            self._tracker.lose_writers()
            self._wanted = True

    def report_held(self) -> None:
        """Report how the folder is recognised later, once for each folder that is the inbox."""
        folder = self._place.folder
        if folder is not None and folder != self._held:
            self._held = folder
            if folder.mark == self._place.mark:  # a strange one is not the inbox yet
                self._sink(Held(folder))

    def _adopt(self) -> Standing:
        """The strange folder is the inbox now. What it lacks gets no Gone: that is in the old folder, or its job has ended."""
        self._place.adopt()
        for rel in self._missing:
            self._tracker.forget(rel)
        self._strange, self._missing, self._held, self._wanted = None, [], None, True
        self.report_held()
        return self._place.look()

    def close(self) -> None:
        if self._watch:
            self._watch.stop()
        self._place.release()

    def _leave(self, now: float) -> float:
        """The inbox cannot be looked at: what is known stays as it is, and a walk follows when it is back."""
        self._report_away(self._place.reason)
        self._tracker.doubt_absence()
        self._wanted = True
        return now + min(self._interval, RECHECK)

    def _hear(self, news: dict[str, News], home: bool) -> None:
        """Take in events: each is a reason to look at a file, and says something about its writer."""
        for rel, word in news.items():
            if self._tracker.hear(rel, word, self._clock()):
                self._look(rel, home, word)

    def _look(self, rel: str, home: bool, news: News | None = None) -> None:
        now = self.beat = self._clock()
        try:
            identity = look(self._root, rel)
        except OSError:
            self._tracker.doubt(rel, now)  # the next walk reports that its folder is unreadable
            return
        if identity is not None:
            if self._tracker.see(rel, identity, now, news):
                self._find(rel, identity)
        elif not home or self.is_below_lost_mount(rel):
            self._tracker.drop(rel)
            self._tracker.doubt(rel, now)
        elif self._tracker.miss(rel, now):
            self._gone.append(rel)

    def _walk_time(self) -> float:
        """When the next walk is due."""
        if self._wanted:
            return min(self._walk_due, self._walk_ended + SHARE * self._walk_took)
        return self._walk_due

    def _walk(self, home: bool) -> None:
        """Look through the whole inbox."""
        begin = self.beat = self._clock()
        at_start = self._walk_ended < 0
        self._wanted = False
        scan, seen = Scan(self._root, self._rules), set()
        for rel, identity in scan:
            now = self._clock()
            seen.add(rel)
            if self._tracker.see(rel, identity, now, at_start=at_start):
                self._find(rel, identity)  # `beat` is still the time before it was looked at
            self.beat = now
        missing = [] if scan.errors else [rel for rel in self._tracker.known() if rel not in seen]
        self._mounts.update(scan.mounts)
        for rel in missing:
            self._look(rel, home)
        if scan.own:
            self._sink(Own(tuple(scan.own)))
        for rel in self._doubtful.count(seen, scan.ignored):
            self._tracker.forget(rel)
            self._look(rel, home)
        self.ignored, self.examples = scan.ignored.counts(), scan.ignored.examples()
        for left in scan.ignored.unnamed(self._named):
            say(Kind.INBOX_IGNORED, left.line(), source=os.fsencode(left.example), files=left.count)
        self._report_refused(scan.errors)
        if not home and not scan.errors:
            self._ask_about(missing, used=bool(seen) or self._place.is_replaced)
        if home and "" not in scan.errors and self._place.is_home():
            self._report_away(None)
        if self._watch:
            self._watch.cover(scan.folders)
        self._walk_ended = self.beat = self._clock()
        self._walk_took = self._walk_ended - begin
        self._walk_due = self._walk_ended + self._pause("" in scan.errors)

    def _ask_about(self, missing: list[str], *, used: bool) -> None:
        """Ask the daemon about a strange folder: it knows whether a job waits for a file that is missing there."""
        folder = self._place.folder
        if folder is not None:
            self._strange, self._missing = folder.mark, missing
            self._sink(Strange(folder.mark, tuple(missing), used))

    def _pause(self, failed: bool) -> float:
        """Seconds until the next regular walk."""
        if failed:
            return min(self._interval, RECHECK)
        if self._watch and self._watch.works:
            return self._interval
        return max(min(self._interval, QUICK), SHARE * self._walk_took)

    def is_below_lost_mount(self, rel: str) -> bool:
        """Whether a path lies below a folder that was a mount, and is no longer. Other threads ask too."""
        for folder, device in tuple(self._mounts.items()):
            if rel.startswith(f"{folder}/"):
                try:
                    if os.lstat(f"{self._root}/{folder}").st_dev != device:
                        return True
                except OSError:
                    return True
        return False

    def _find(self, rel: str, identity: Identity) -> None:
        """A file has settled: report it, unless it is no recording or not complete."""
        known = self._doubtful.is_left(rel)
        why = self._doubtful.why_not(rel)
        if why is not None:
            self._wanted = self._wanted or not known  # a walk counts and names it
            return
        if not self._found:
            self._found_since = self.beat
        self._found.append((rel, identity))
        if len(self._found) >= BATCH:
            self._tell_found()

    def _tell_found(self) -> None:
        self._sink(Found(tuple(self._found), self._found_since))
        self._found.clear()

    def _tell(self, home: bool) -> None:
        if self._found:
            self._tell_found()
        gone, self._gone = self._gone, []
        if gone and not (home and self._place.is_home()):
            self._tracker.expect(gone)  # the inbox went away in mid-look
            return
        for start in range(0, len(gone), BATCH):
            self._sink(Gone(tuple(gone[start : start + BATCH])))

    def _report_away(self, reason: str | None) -> None:
        """Report that the inbox is away, or back; once for each change."""
        if reason != self.away:
            self.away = reason
            self._sink(Away(reason))

    def _report_refused(self, errors: dict[str, OSError]) -> None:
        """Log the folders that cannot be read, once for each change."""
        now = {folder: error.strerror or str(error) for folder, error in errors.items()}
        for folder, why in now.items():
            if folder and self._refused.get(folder) != why:
                text = (
                    f"the folder {printable(folder)} in the inbox cannot be read ({why}): nothing in it is found; give "
                    f"the user that sttd runs as the right to read it"
                )
                say(Kind.INBOX_REFUSED, text, source=os.fsencode(folder), error=why)
        for folder in self._refused.keys() - now.keys() - {""}:
            text = f"the folder {printable(folder)} in the inbox can be read again"
            say(Kind.INBOX_BACK, text, source=os.fsencode(folder))
        if "" in now:
            self._report_away(f"{self._root} cannot be read: {now['']}")
        self._refused = now

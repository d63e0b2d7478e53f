"""Prints what `sttd transcribe` hears, in a thread of its own: a slow reader of its output does not hold up the work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sttd import outbox
from sttd.cli.screen import Plain, Screen
from sttd.cli.texts import Texts
from sttd.job import Job, State
from sttd.part import Chunk
from sttd.text import printable, sentence
from sttd.view import plain

if TYPE_CHECKING:
    from sttd.config import Config

REFRESH = 0.2  # seconds between two pictures of the bars
FAREWELL = 2.0  # seconds that what is being written may take after Ctrl-C


class Teller:
    """A `sttd.daemon.Listener`. Its methods only queue what is to be printed."""

    listens = True

    def __init__(self, config: Config, screen: Screen, *, paths: bool, heading: Callable[[int], str] | None) -> None:
        """Nothing is printed before `begin`.

        Args:
            config: decides how the text is written.
            screen: where it is printed.
            paths: also name the results.
            heading: see `Texts`.
        """
        self._screen, self._paths = screen, paths
        self._with_facts = not isinstance(screen, Plain)
        self._texts = Texts(outbox.writer(config), screen.write, self._over, heading)
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="teller", daemon=True)
        self._dropped = False
        self.failure: OSError | None = None  # why not all could be printed
        self.is_whole = False  # all is printed; False where a fault in sttd has ended the thread

    def begin(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._thread.start()

    def heard(self, job: Job, chunks: Sequence[Chunk], done: int) -> None:
        self._queue.put(lambda: self._texts.heard(job.id, chunks, done))

    def anew(self, job: Job) -> None:
        self._queue.put(lambda: self._texts.anew(job.id))
        self.note("WARNING", f"{printable(job.source)} has changed: its text begins anew")

    def ended(self, job: Job) -> None:
        self._queue.put(self._screen.look)
        self._queue.put(lambda: self._texts.ended(job))

    def note(self, level: str, text: str) -> None:
        """A line for standard error, such as one of the log."""
        self._queue.put(lambda: self._screen.note(text, level))

    def close(self, *, drop: bool) -> None:
        """Print what is left, however slow its reader is, and end; with `drop` print no more.

        May be called where `begin` was not.
        """
        self._dropped = drop
        if self._thread.ident is not None:
            self._queue.put(self._texts.finish)
            self._queue.put(None)
            self._thread.join(FAREWELL if drop else None)

    def _run(self) -> None:
        while True:
            try:
                act = self._queue.get(timeout=REFRESH)
            except queue.Empty:
                act = self._screen.draw
            if act is None:
                break
            if not self._dropped:
                self._act(act)
        self._screen.close()
        self.is_whole = not self._dropped

    def _act(self, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:  # `| head` reads no more, or the disk is full
            self.failure, self._dropped = error, True
            if not self._paths:  # the results are not wanted in files either: stop transcribing
                self._stop()

    def _over(self, job: Job) -> None:
        if self._with_facts and job.state is State.DONE:
            self._screen.note(facts(job), "DONE")
        if self._paths:
            for path in job.outputs:
                self._screen.note(printable(path))


def facts(job: Job) -> str:
    """What is known of a recording that is done: `talk.mp3: th, base, 12:03 in 0:48 (15×)`."""
    words = [printable(job.language or "und"), plain.model_name(job.model, 20), plain.clock(job.audio_seconds)]
    if job.audio_seconds and job.service > 0:
        words[-1] += f" in {plain.clock(job.service)} ({plain.speed(job.audio_seconds / job.service)})"
    return sentence(f"{printable(job.source)}: {', '.join(words)}")


def headings(names: Sequence[str], render: Callable[[str], str]) -> Callable[[int], str]:
    """Headings for a screen, where there are several recordings."""
    return lambda number: render(names[number - 1]) if len(names) > 1 else ""

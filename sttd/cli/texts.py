"""The text of several recordings, while they are transcribed: in the order in which they were named, nothing twice. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from sttd.job import Job
from sttd.ledger.merging import Merged
from sttd.outbox.formats.paragraphs import Joiner, Piece
from sttd.outbox.formats.speakers import label
from sttd.part import TOGETHER, Chunk, Segment
from sttd.text import sentence


class Texts:
    """Recordings are numbered from 1. The text of one goes out while it is heard, that of later ones waits in memory."""

    def __init__(
        self,
        written: Callable[[Segment, Collection[int]], Segment],
        write: Callable[[str], None],
        over: Callable[[Job], None],
        heading: Callable[[int], str] | None = None,
    ) -> None:
        """Nothing is written yet.

        Args:
            written: turns a segment that was heard into one as a person wants it; gets the channels that are kept apart, too.
            write: gets the text, piece by piece.
            over: gets each job that has ended, after its text.
            heading: of a recording, on a screen, where each segment has a line of its own; None: the text is as in a txt result.
        """
        self._written, self._write, self._over = written, write, over
        self._heading = heading
        self._current = 1
        self._waiting: dict[int, Merged] = {}
        self._channels: dict[int, set[int]] = {}  # that are kept apart; all have a chunk before anything is written
        self._done: dict[int, int] = {}  # sample up to which nothing is missing
        self._ended: dict[int, Job] = {}
        self._ends: dict[int, dict[int, int]] = {}  # by channel: sample up to which it was heard
        self._joiner = Joiner()
        self._begun = False  # some text of the current recording is written
        self._said = False  # some text of an earlier one is

    def heard(self, number: int, chunks: Sequence[Chunk], done: int) -> None:
        """Chunks of a recording, which is whole up to sample `done`.

        A chunk that was heard before, and comes again because its checkpoint was damaged, is left out. It may have another number
        if there are several channels: which of them is decoded first depends on where each one resumes.
        """
        ends = self._ends.setdefault(number, {})
        for chunk in chunks:
            if chunk.end > ends.get(chunk.channel, 0):
                ends[chunk.channel] = chunk.end
                self._waiting.setdefault(number, Merged()).add(chunk)
                self._channels.setdefault(number, set()).update({chunk.channel} - {TOGETHER})
        self._done[number] = done
        if number == self._current:
            self._put(done)

    def anew(self, number: int) -> None:
        """The file has changed, and begins anew. The text that is written cannot be taken back."""
        for known in (self._ends, self._waiting, self._channels, self._done):
            known.pop(number, None)
        if number == self._current:
            self._close()

    def ended(self, job: Job) -> None:
        """A job has ended: it is the turn of the next one, if this is the current one."""
        self._ended[job.id] = job
        while self._current in self._ended:
            self._close()
            self._over(self._ended.pop(self._current))
            self._current += 1
            self._put(self._done.get(self._current, 0))

    def finish(self) -> None:
        """No more jobs will end: write what there is of the others."""
        self._close()
        for number in sorted({*self._waiting, *self._ended}):
            self._current = number
            self._close()
            if number in self._ended:
                self._over(self._ended.pop(number))

    def _put(self, done: float) -> None:
        """Write the text of the current recording before the sample `done`."""
        waiting = self._waiting.get(self._current, Merged())
        channels = self._channels.get(self._current, set())
        pieces = (self._joiner.add(self._written(segment, channels)) for segment in waiting.before(done))
        text = "".join(self._shown(piece) for piece in pieces if piece is not None)
        if text:
            self._write(text)

    def _shown(self, piece: Piece) -> str:
        first, self._begun = not self._begun, True
        who = label(piece.speaker) if piece.begins else ""
        if self._heading is None:
            before = ("\n" if self._said else "") if first else "\n\n" if piece.begins else piece.between
            return before + who + piece.text
        before = self._heading(self._current) if first else "\n" if piece.begins else ""
        return f"{before}{who}{sentence(piece.text)}\n"

    def _close(self) -> None:
        """Write the rest of the current recording: its text is whole."""
        self._put(math.inf)
        self._waiting.pop(self._current, None)
        self._channels.pop(self._current, None)
        if self._begun and self._heading is None:
            self._write("\n")
        self._said |= self._begun
        self._begun, self._joiner = False, Joiner()

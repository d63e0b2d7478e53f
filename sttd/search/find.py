"""Queries. They read only the index, from any thread, also while it is written."""

from __future__ import annotations

import bisect
import contextlib
import itertools
import json
import math
import os
import sqlite3
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttd.search.excerpt import Excerpt, excerpt
from sttd.search.facets import folder_token, language_token, name_of
from sttd.search.file import IndexDamaged, IndexMissing, read_only, translated
from sttd.search.phrases import Phrase, Stretch, expression, nearest, phrases, places
from sttd.search.transcript import Said

MOST = 100  # hits on one page, or places in one recording, at most
_PLACES = 500  # of a phrase in one recording, at most, that are compared to find the nearest ones
_HIGHEST = 2**63 - 1  # a number that SQLite can hold
_TOGETHER = 3  # segments at most that one excerpt shows


@dataclass(frozen=True, slots=True)
class Filters:
    """Which recordings are searched."""

    language: str | None = None  # one that is spoken in them, among others perhaps; a code such as "th"
    since: float | None = None  # they came in at this time or later: UTC seconds
    until: float | None = None  # they came in before this time
    folder: str | None = None  # of the inbox, in or below which they lay, `os.fsdecode`d


@dataclass(frozen=True, slots=True)
class Passage:
    """Where in a recording something was said."""

    start: float  # seconds
    end: float
    language: str
    excerpt: Excerpt


@dataclass(frozen=True, slots=True)
class Hit:
    """A recording that matches the whole query."""

    job: int
    source: str  # path below the inbox, `os.fsdecode`d
    name: Excerpt  # the path without its suffix, with what matches in it
    created_at: float  # when it came in: UTC seconds
    language: str  # of most of what is said; "und": nothing was said
    passage: Passage | None  # where the phrases are nearest to each other; None: they are in the name alone
    places: int  # how many segments have one of the phrases


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits, the newest recording first."""

    hits: tuple[Hit, ...]
    next: int | None  # `before` of the next page; None: there is none


class Search:
    """Searches an index.

    Args:
        path: of the index.
        on_damage: called where it turns out to be damaged; see `Follower.ask_to_remake`.
    """

    def __init__(self, path: Path, on_damage: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self._on_damage = on_damage

    def find(self, asked: str, filters: Filters = Filters(), *, before: int | None = None, limit: int = 20) -> Found:
        """Recordings that have every word and every quoted phrase of a query, in their text or their name.

        Args:
            asked: as a person typed it; see `phrases`. Without a word or a letter, it finds nothing.
            filters: which recordings are searched.
            before: only recordings of lower job numbers, which are older.
            limit: hits.

        Raises:
            IndexTrouble: the index cannot be read.
        """
        wanted = phrases(asked)
        limit = max(1, min(limit, MOST))
        if not wanted:
            return Found((), None)
        try:
            with self._reading() as db:
                rows = _rows(db, wanted, filters, before, limit + 1)
                hits = tuple(_hit(row, wanted) for row in rows[:limit])
        except IndexMissing:
            return Found((), None)
        return Found(hits, hits[-1].job if len(rows) > limit else None)

    def within(self, job: int, asked: str, limit: int = MOST) -> tuple[Passage, ...]:
        """The segments of one recording that have a phrase of the query, in their order.

        Raises:
            IndexTrouble: the index cannot be read.
        """
        wanted = phrases(asked)
        row, job = None, min(job, _HIGHEST)
        with contextlib.suppress(IndexMissing), self._reading() as db:
            row = db.execute("SELECT key, starts, segments FROM texts WHERE job = ?", (job,)).fetchone()
        if row is None:
            return ()
        with self._blaming():
            text = _Text(*row)
            numbers = text.segments_of(itertools.chain.from_iterable(text.stretches(wanted)))
            return tuple(text.shown(number, number, wanted) for number in numbers[: min(limit, MOST)])

    def count(self) -> int:
        """How many recordings are in the index. Raises IndexTrouble: it cannot be read."""
        with contextlib.suppress(IndexMissing), self._reading() as db:
            return int(db.execute("SELECT count(*) FROM recordings").fetchone()[0])
        return 0

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one query: the index may be made anew at any time, and threads share none."""
        with self._blaming(), contextlib.closing(read_only(self.path)) as db:
            yield db

    @contextlib.contextmanager
    def _blaming(self) -> Iterator[None]:
        """Report damage to the writer."""
        try:
            with translated(self.path):
                yield
        except IndexDamaged:
            self._on_damage()
            raise


class _Text:
    """The text of a recording in the index."""

    def __init__(self, key: bytes, starts: bytes, segments: bytes) -> None:
        self._key = zlib.decompress(key).decode()
        self._starts = array("I", zlib.decompress(starts))
        self._segments = segments
        self._said: list[Said] = []

    def stretches(self, wanted: Sequence[Phrase]) -> list[list[Stretch]]:
        """The places of each phrase that occurs, as offsets in the key."""
        found = (places(self._key, phrase, _PLACES) for phrase in wanted)
        return [each for each in found if each]

    def segments_of(self, stretches: Iterable[Stretch]) -> list[int]:
        """The segments in which stretches begin, in their order."""
        return sorted({self._segment(start) for start, _ in stretches})

    def passage(self, stretch: Stretch, wanted: Sequence[Phrase]) -> Passage:
        """The passage that shows a stretch; of one over too many segments, the first."""
        first = self._segment(stretch[0])
        last = self._segment(stretch[1])
        return self.shown(first, last if last < first + _TOGETHER else first, wanted)

    def shown(self, first: int, last: int, wanted: Sequence[Phrase]) -> Passage:
        """The passage from one segment to another."""
        self._said = self._said or [Said(*each) for each in json.loads(zlib.decompress(self._segments))]
        said = self._said[first : last + 1]
        return Passage(said[0].start, said[-1].end, said[0].language, excerpt(said, wanted))

    def _segment(self, offset: int) -> int:
        return bisect.bisect_right(self._starts, offset) - 1


def _rows(
    db: sqlite3.Connection, wanted: Sequence[Phrase], filters: Filters, before: int | None, limit: int
) -> list[tuple[Any, ...]]:
    """The recordings, newest first: the index is read from its end, and only until there are enough."""
    conditions = ["words MATCH ?"]
    values: list[Any] = [_expression(wanted, filters)]
    if before is not None:
        conditions.append("words.rowid < ?")
        values.append(min(before, _HIGHEST))
    if filters.since is not None or filters.until is not None:
        times = (filters.since or 0.0, math.inf if filters.until is None else filters.until)
        query = "SELECT min(job), max(job) FROM recordings WHERE created_at >= ? AND created_at < ?"
        least, most = db.execute(query, times).fetchone()
        # job numbers grow with time, except where the clock was set back
        conditions.append("words.rowid BETWEEN ? AND ? AND created_at >= ? AND created_at < ?")
        values += [least, most, *times]
    # CROSS JOIN has SQLite join in this order
    query = f"""
        SELECT job, source, created_at, language, key, starts, segments
        FROM words CROSS JOIN recordings ON job = words.rowid CROSS JOIN texts USING (job)
        WHERE {" AND ".join(conditions)} ORDER BY words.rowid DESC LIMIT ?
    """
    return db.execute(query, (*values, limit)).fetchall()


def _expression(wanted: Sequence[Phrase], filters: Filters) -> str:
    terms = [*map(expression, wanted)]
    if filters.language:
        terms.append(f'"{language_token(filters.language)}"')
    if filters.folder:
        terms.append(f'"{folder_token(os.fsencode(filters.folder))}"')
    return " AND ".join(terms)


def _hit(row: tuple[Any, ...], wanted: Sequence[Phrase]) -> Hit:
    job, source, created_at, language, *packed = row
    text = _Text(*packed)
    found = text.stretches(wanted)
    name = Said(0.0, 0.0, name_of(source), language)
    return Hit(
        job=job,
        source=os.fsdecode(source),
        name=excerpt([name], wanted),
        created_at=created_at,
        language=language,
        passage=text.passage(nearest(found), wanted) if found else None,
        places=len(text.segments_of(itertools.chain.from_iterable(found))),
    )

"""`search`: what was said, in all transcripts."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from sttd.cli import filters
from sttd.cli.completion import complete_jobs, complete_languages
from sttd.cli.options import given, shared
from sttd.cli.screen import is_terminal, write_if_read
from sttd.errors import LedgerError, NoSuchJob, UsageError
from sttd.ledger.questions import LARGEST
from sttd.search import Coverage, Excerpt, Filters, Found, Hit, Passage
from sttd.text import printable, sentence
from sttd.view import access, figures, plain

if TYPE_CHECKING:
    from sttd.cli.indexed import Indexed
    from sttd.config import Config

USUAL, MOST = 20, 100  # recordings


@click.command(short_help="Find what was said, in all transcripts.")
@click.argument("words", metavar="WORDS...", nargs=-1, required=True)
@click.option("--language", metavar="L", callback=filters.language, shell_complete=complete_languages,
              help="Only recordings in which this language is spoken.")  # fmt: skip
@click.option("--folder", metavar="DIR", default="", help="Only recordings in this folder of the inbox, and below it.")
@click.option("--since", metavar="T", callback=filters.since, help="Only what came since: 2h, 7d, today, 2026-11-27.")
@click.option(
    "--until", metavar="T", callback=filters.until, help="Only what came until then; a day counts to its end."
)
@click.option("--job", "number", metavar="ID", type=click.IntRange(1, LARGEST), shell_complete=complete_jobs("done"),
              help="All places in the transcript of one job.")  # fmt: skip
@click.option("--before", type=click.IntRange(1, LARGEST), metavar="ID", help="Only jobs that are older than this one.")
@click.option("--limit", type=click.IntRange(1, MOST), metavar="N", default=USUAL, show_default=True,
              help=f"Recordings at most, or places with --job; {MOST} are possible.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@shared
def search(
    *, words: tuple[str, ...], language: str | None, folder: str, since: float | None, until: float | None,
    number: int | None, before: int | None, limit: int, as_json: bool,
) -> None:  # fmt: skip
    """Find recordings in which all WORDS were said, or are in the name, the newest first.

    A word finds longer ones that begin with it. What stands in one argument with spaces, 'next year', is found as it stands. Thai needs no
    spaces and no quotes.
    """
    if number is not None and (before is not None or Filters(language, since, until, folder or None) != Filters()):
        raise UsageError("--job shows the places in one recording: no filter goes with it")
    config = given().load()
    asked = " ".join(map(_quoted, words))
    wanted = Filters(language, since, until, folder.strip("/") or None)
    with _indexed(config) as index:
        if number is None:
            found = index.search().find(asked, wanted, before=before, limit=limit)
        else:
            found = Found(tuple(_places(config, index, number, asked, limit)), None)
        _print(found, as_json, words, within=number is not None)
        _remark(config, index)


def _quoted(word: str) -> str:
    """An argument with spaces is a phrase, as the shell has it; one that the person has quoted once more is left so."""
    return f'"{word}"' if " " in word.strip() and '"' not in word else word


@contextlib.contextmanager
def _indexed(config: Config) -> Iterator[Indexed]:
    """The index, up to date. While it is made a person sees how far that is."""
    from sttd.cli.indexed import Indexed

    if not access.has_ledger(config):
        raise LedgerError(access.no_ledger(config))
    access.require_readable(config)
    looks = is_terminal(sys.stderr)

    def tell(coverage: Coverage) -> None:
        if looks:
            read = coverage.searchable + coverage.without
            text = f"reading transcripts: {read:,} of {read + coverage.waiting:,}" if coverage.waiting else ""
            write_if_read(sys.stderr, f"\r\x1b[K{text}")

    index = Indexed(config, tell)
    if looks:
        write_if_read(sys.stderr, "\r\x1b[K")
    try:
        yield index
        sys.stdout.flush()
    finally:
        index.close()


def _places(config: Config, index: Indexed, number: int, asked: str, limit: int) -> Iterator[Hit]:
    """Each place in the transcript of one job, as a hit of its own."""
    with access.reading(config) as ledger:
        try:
            job = ledger.get(number)
        except NoSuchJob:
            raise UsageError(f"there is no job {number}: `sttd jobs` lists them") from None
    places = index.search().within(number, asked, limit)
    name = Excerpt(job.source, ())
    for passage in places:
        yield Hit(job.id, job.source, name, job.created_at, job.language or "und", passage, len(places))


def _print(found: Found, as_json: bool, words: Sequence[str], *, within: bool) -> None:
    if as_json:
        lines = ",\n".join(figures.line(_figures(hit)) for hit in found.hits)
        print(f"[{lines}]")
    elif is_terminal():
        from sttd.cli import hits, term

        screen = term.console()
        screen.print(hits.found(found, screen.width, within=within))
    else:
        for hit in found.hits:
            print(_line(hit))
    if not as_json and not found.hits:
        print("nothing was found", file=sys.stderr)
    if not as_json and is_terminal() and not within:
        for line in _further(found, f"{given().program()} search", shlex.join(words)):
            print(f"\n{sentence(line)}", file=sys.stderr)


def _further(found: Found, program: str, words: str) -> Iterator[str]:
    """How a person asks on."""
    several = next((hit.job for hit in found.hits if hit.places > 1), None)
    if several is not None:
        yield f"all places in a recording: {program} --job {several} {words}"
    if found.next is not None:
        yield f"older recordings: the same with --before {found.next}"


def span(passage: Passage) -> str:
    """From when to when, in the recording."""
    return f"{plain.clock(passage.start)}-{plain.clock(passage.end)}"


def _line(hit: Hit) -> str:
    """For pipes: the name is followed by a tab, which no printed name holds, and what was said."""
    when, said = ("-", "") if hit.passage is None else (span(hit.passage), hit.passage.excerpt.text)
    return f"{hit.job:>6}  {when:<17}  {printable(hit.source)}\t{sentence(said)}"


def _figures(hit: Hit) -> dict[str, Any]:
    """Keys are never renamed or removed. Times are seconds, `created_at` in UTC; `marks` are characters of `text`: from, to."""
    passage = hit.passage
    return {
        "job": hit.job, "source": hit.source, "created_at": hit.created_at, "language": hit.language, "places": hit.places,
        "start": None if passage is None else passage.start, "end": None if passage is None else passage.end,
        "spoken": None if passage is None else passage.language,
        "text": "" if passage is None else passage.excerpt.text,
        "marks": [] if passage is None else [list(each) for each in passage.excerpt.marks],
    }  # fmt: skip


def _remark(config: Config, index: Indexed) -> None:
    """What could not be searched."""
    with access.reading(config) as ledger:
        left = len(ledger.done()) - index.search().count()
    if left > 0:
        reader = "sttd web" if index.is_followed else "another search"
        print(f"sttd: {left:,} of the newest transcripts are still to be read by {reader}", file=sys.stderr)

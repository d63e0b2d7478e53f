"""`sttd status` on a terminal: one screen that says what holds work up, what is done, what waits, what has failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sttd.cli import term
from sttd.job import State
from sttd.text import printable, sentence
from sttd.view import plain
from sttd.view.lying import Lying

LEVELS = {"normal": "green", "moderate": "yellow", "high": "dark_orange", "critical": "bold red"}
_HELD = {"stopped": "red", "trouble": "red", "model": "red", "paused": "yellow"}
_NAMED = 3  # jobs of a kind: all of it is to be on one screen
_TALL = 5  # busy workers; where there are more, each gets one line on a narrow screen too
_WIDE = 110  # columns from which a name, its bar and its figures have room on one line


def status(found: dict[str, Any], now: float, width: int, lying: Lying, program: str) -> RenderableType:
    """The picture, for a screen of `width` columns. `program`: how sttd is called for the same ledger."""
    blocks: list[RenderableType] = [_facts(found, now, width, program, left=_left(found, lying))]
    busy = [worker for worker in found["workers"] if worker["job"] is not None]
    if busy:
        blocks += [Text(), _workers(busy, now, width)]
    for title, rows in (
        (f"{found['jobs']['queued']} waiting", list(_waiting(found, now, width))),
        (f"{found['jobs']['failed']} failed", list(_failed(found, now))),
        (f"{found['inbox']['settling']} not settled yet", [_row("", name, "") for name in lying.settling]),
        (
            f"{_left(found, lying)} left alone in the inbox",
            [row for why, name in lying.ignored for row in _left_alone(name, why, width)],
        ),
    ):
        if rows:
            blocks += [Text(), Text(title, "dim"), *rows]
    return Group(*blocks)


def _facts(found: dict[str, Any], now: float, width: int, program: str, *, left: int) -> Table:
    table = term.facts()
    running = found["daemon"]["running"]
    style = "yellow" if found["paused"] else "green" if running else "red"
    words = plain.daemon(found, now) if width >= term.WIDE or not running else _daemon(found["daemon"], now)
    table.add_row("daemon", Text.assemble(("● " if running else "○ ", style), words))
    for word, text in plain.held_up(found, program):
        table.add_row(word, Text(text, _HELD[word]))
    table.add_row("jobs", _counts(found))
    if found["ends_at"] is not None:
        table.add_row("all done", Text(plain.about(found["ends_at"], now)))
    for remote in found["remotes"]:
        table.add_row("remote", Text(plain.remote(remote, now), "yellow" if remote["away"] else "default"))
    memory = found["memory"]
    if memory["percent"] is not None:
        table.add_row("memory", Text(plain.memory(found), LEVELS.get(memory["level"], "default")))
    inbox = _inbox(found, left) if left else plain.inbox(found)
    if inbox:
        table.add_row("inbox", Text(inbox))
    for operation in found["operations"]:
        table.add_row("files", Text(plain.operation(operation, now), "yellow"))
    return table


def _daemon(about: dict[str, Any], now: float) -> str:
    """Whether it runs and since when, in fewer words than `plain.daemon`."""
    if about["since"] is None:
        return "starting"
    return sentence(f"running since {plain.nearby(about['since'], now)} ({plain.span(now - about['since'])})")


def _counts(found: dict[str, Any]) -> Text:
    """Those that are not zero."""
    blocks = [Text(words, term.STYLES[state]) for state, count, words in plain.counted(found["jobs"]) if count]
    where = found["inbox"].get("path")
    none = "none yet" + ("" if where is None else f": drop recordings into {printable(where)}")
    return Text(", ").join(blocks) if blocks else Text(none)


def _left(found: dict[str, Any], lying: Lying) -> int:
    """How many files were left alone, if some are named; else 0. There may be more now than the daemon has counted."""
    return max(sum(found["inbox"]["ignored"].values()), len(lying.ignored)) if lying.ignored else 0


def _inbox(found: dict[str, Any], left: int) -> str:
    """As `plain.inbox`, without the kinds, which are shown below."""
    counts = {"settling": found["inbox"]["settling"], "left alone": left}
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _workers(busy: Sequence[dict[str, Any]], now: float, width: int) -> RenderableType:
    """A bar for each recording that a worker has, below its name; beside it where there is room, or where there are many."""
    wide = width >= _WIDE
    if not wide and len(busy) <= _TALL:
        return Group(*(_above(worker, now, width) for worker in busy))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True, min_width=_INDENT - 1)
    table.add_column(min_width=8)  # the name gets narrower first: all others stay on one line
    for _ in range(5 if wide else 2):
        table.add_column(justify="right", no_wrap=True)
    for worker in busy:
        bar, percent, audio, _ = _figures(worker, now, 10)
        left = Text("" if worker["left"] is None else f"{plain.span(worker['left'])} left")
        cells = [bar, percent, audio, left, Text(_who(worker), "dim")] if wide else [percent, left]
        table.add_row(Text(str(worker["job"])), _name(worker["source"]), *cells)
    return table


def _above(worker: dict[str, Any], now: float, width: int) -> RenderableType:
    """The name, and below it the bar with its figures."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(4):
        table.add_column(no_wrap=True)
    bar, percent, audio, ends = _figures(worker, now, 10 if width < term.NARROW else 16)
    table.add_row(bar, percent, *([] if width < term.NARROW else [audio]), ends)
    again = plain.attempt(worker) if plain.is_again(worker) else ""
    remark = ", ".join(each for each in (plain.part(worker), again) if each)
    return Group(_row(str(worker["job"]), worker["source"] or "", remark), Padding(table, (0, 0, 0, _INDENT)))


def _who(worker: dict[str, Any]) -> str:
    """Which worker it is, and which part of its recording it has."""
    return ", ".join(each for each in (plain.part(worker), f"worker {plain.label(worker)}") if each)


def _figures(worker: dict[str, Any], now: float, bar: int) -> list[RenderableType]:
    """A bar of `bar` columns, percentage, audio, and when it is done."""
    if worker["progress"] is None:
        return [Text(sentence(worker["state"]), "cyan"), Text(), Text(plain.clock(worker["done"] or None)), Text()]
    audio = f"{plain.clock(worker['done'])} / {plain.clock(worker['total'])}"
    ends = "" if worker["left"] is None else plain.about(now + worker["left"], now)
    share = worker["progress"]
    return [term.progress(share, bar), Text(plain.percent(share), "cyan"), Text(audio), Text(ends)]


def _waiting(found: dict[str, Any], now: float, width: int) -> Iterator[RenderableType]:
    for each in found["waiting"][:_NAMED]:
        at = each["ends_at"]
        ends = "" if at is None else plain.nearby(at, now) if width < term.NARROW else f"done {plain.about(at, now)}"
        yield _row(str(each["id"]), each["source"], ends)
        if each["reason"]:
            yield _below(plain.waits(each, now), "yellow")
    yield from _more(found["jobs"]["queued"], len(found["waiting"]), "queued")


def _failed(found: dict[str, Any], now: float) -> Iterator[RenderableType]:
    for each in found["failures"][:_NAMED]:
        yield _row(str(each["id"]), each["source"], plain.nearby(each["finished_at"], now))
        if each["error"]:
            yield _below(sentence(each["error"]), "red")
    yield from _more(found["jobs"]["failed"], len(found["failures"]), State.FAILED)


def _left_alone(name: str, why: str, width: int) -> Iterator[RenderableType]:
    """The name gets the room: on a narrow screen the reason is below it."""
    yield _row("", name, "" if width < term.NARROW else why)
    if width < term.NARROW:
        yield _below(sentence(why), "dim")


def _more(all_of_them: int, known: int, state: str) -> Iterator[RenderableType]:
    more = all_of_them - min(known, _NAMED)
    if known and more > 0:
        yield _below(f"and {more} more: sttd jobs --state {state}", "dim")


_INDENT = 7  # columns: the number of a job, and a space


def _row(number: str, name: str, remark: str) -> RenderableType:
    """The number of a job, its recording, and a remark at the right edge."""
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(justify="right", width=_INDENT - 1, no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text(number), _name(name), Text(sentence(remark), "dim"))
    return table


def _name(source: str | None) -> Text:
    return Text(printable(source or ""), no_wrap=True, overflow="ellipsis")


def _below(text: str, style: str) -> RenderableType:
    return Padding(Text(text, style), (0, 0, 0, _INDENT))

"""Whatever the ledger holds, a terminal gets harmless lines: no escape sequence, no forged line, no text that runs backwards."""

from __future__ import annotations

import dataclasses
import io
import typing

from hypothesis import given, strategies as st
from rich.console import Console

from sttd.cli import about, board, term
from sttd.job import FolderOptions, Job, Overrides, Shared, State
from sttd.text import printable
from sttd.view import figures, life, plain
from sttd.view.lying import Lying
from sttd.view.outlook import Prospect

EVIL = [
    "\x1b[31mred",
    "two\nlines",
    "\x9b2J",
    "\u202etxt.exe",
    "\udcff",
    "tab\there",
    "\r",
    "\\x1b",
    "a" * 200,
    "ไทย",
    "[bold]",
]
texts = st.text(st.characters(), max_size=12) | st.sampled_from(EVIL)
floats = st.floats()
VALUES = {
    str: texts,
    str | None: st.none() | texts,
    int: st.integers(0, 2**63),
    int | None: st.none() | st.integers(0, 2**63),
    float: floats,
    float | None: st.none() | floats,
    bool: st.booleans(),
    State: st.sampled_from(State),
    Overrides: st.builds(Overrides, st.none() | texts, st.none() | texts),
    FolderOptions: st.builds(
        FolderOptions,
        st.lists(texts, max_size=2).map(tuple),
        st.dictionaries(
            st.sampled_from(["transcribe.hotwords", "output.formats", "a.b", ""]), texts | floats, max_size=3
        ),
    ),
    tuple[str, ...]: st.lists(texts, max_size=3).map(tuple),
    Shared | None: st.none() | st.builds(Shared, st.integers(2), floats, floats),
    dict[str, typing.Any] | None: st.none(),
}
HINTS = typing.get_type_hints(Job)
jobs = st.builds(Job, **{field.name: VALUES[HINTS[field.name]] for field in dataclasses.fields(Job)})
attempts = st.fixed_dictionaries({
    "attempt": st.integers(), "started_at": floats, "ended_at": st.none() | floats, "cause": st.none() | texts,
    "error": st.none() | texts, "pid": st.none() | st.integers(), "model": st.none() | texts,
    "worker": st.none() | texts,
})  # fmt: skip
workers = st.fixed_dictionaries({
    "pid": st.none() | st.integers(), "state": texts, "job": st.none() | st.integers(), "model": st.none() | texts,
    "progress": st.none() | floats, "source": st.none() | texts, "done": floats, "total": st.none() | floats,
    "attempt": st.none() | st.integers(0), "resumed_at": st.none() | floats, "left": st.none() | floats,
    "part": st.none() | st.integers(0), "parts": st.integers(2), "begins": floats, "ends": floats, "since": floats,
    "job_left": st.none() | floats,
    "name": st.none() | texts,
})  # fmt: skip
statuses = st.fixed_dictionaries({
    "daemon": st.fixed_dictionaries({
        "running": st.booleans(), "pid": st.integers() | texts, "since": st.none() | floats, "version": texts,
    }),
    "jobs": st.just(figures.counts(None)),
    "workers": st.lists(workers, max_size=3),
    "memory": st.fixed_dictionaries({"percent": st.none() | floats, "level": texts}),
    "paused": st.booleans(),
    "inbox": st.fixed_dictionaries({
        "ignored": st.dictionaries(texts, st.integers(), max_size=2), "settling": st.integers(), "away": st.none() | texts,
        "path": st.none() | texts,
    }),
    "trouble": st.lists(texts, max_size=2),
    "operations": st.lists(
        st.fixed_dictionaries({"name": texts, "job": st.none() | st.integers(), "since": floats}), max_size=2
    ),
    "remotes": st.lists(st.fixed_dictionaries({
        "name": texts, "slots": st.integers(0), "workers": st.integers(0), "away": st.none() | texts, "retry_at": floats,
    }), max_size=2),
    "waiting": st.lists(st.fixed_dictionaries({
        "id": st.integers(), "source": texts, "reason": st.none() | texts, "not_before": st.none() | floats,
        "ends_at": st.none() | floats,
    }), max_size=2),
    "failures": st.lists(st.fixed_dictionaries({
        "id": st.integers(), "source": texts, "error": st.none() | texts, "finished_at": st.none() | floats,
    }), max_size=2),
    "ends_at": st.none() | floats,
    "model": st.none() | st.fixed_dictionaries({"missing": st.dictionaries(texts, texts, max_size=2)}),
})  # fmt: skip


def harmless(line: str) -> bool:
    return all(character == "\\" or printable(character) == character for character in line)


def drawn(picture, width=100) -> list[str]:
    """What a terminal without colours gets."""
    file = io.StringIO()
    Console(file=file, markup=False, emoji=False, highlight=False, width=width).print(picture)
    return file.getvalue().split("\n")


@given(jobs)
def test_every_field_of_a_job_in_a_list(job):
    line = plain.job_line(job)
    assert line.count("\t") <= 1
    assert harmless(line.replace("\t", ""))
    assert all(map(harmless, drawn(term.jobs([job], 100, 1e9))))


notices = st.fixed_dictionaries({
    "event": texts, "receiver": texts, "state": texts, "tries": st.integers(), "at": st.none() | floats,
    "error": st.none() | texts,
})  # fmt: skip
prospects = st.builds(Prospect, st.none() | workers, st.none() | floats, st.integers(0))


@given(jobs, prospects, st.lists(attempts, max_size=2), st.lists(notices, max_size=2))
def test_every_field_of_a_job_and_of_its_attempts(job, prospect, history, told):
    facts = dict(about.job_facts(job, prospect, 1e9))
    events = [word for at, says in life.life(job, history, told) for word in (plain.moment(at), says)]
    assert all(map(harmless, (*facts, *facts.values(), *events)))
    assert all(map(harmless, drawn(term.show(job, life.life(job, history, told), prospect, 1e9))))


lies = st.builds(
    Lying, st.lists(st.tuples(texts, texts), max_size=2).map(tuple), st.lists(texts, max_size=2).map(tuple)
)


@given(statuses, lies, st.sampled_from([50, 80, 120]))
def test_every_field_of_the_status(status, lying, width):
    for line in plain.status_lines(status, 1e9, lying):
        assert line.count("\t") <= 1
        assert harmless(line.replace("\t", ""))
    assert all(map(harmless, drawn(board.status(status, 1e9, width, lying, "sttd"), width)))

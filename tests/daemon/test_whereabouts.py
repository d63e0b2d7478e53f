"""Which folder is the inbox, over a real ledger."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.daemon import intake, whereabouts
from sttd.inbox import Folder, Found, Gone, Held, Strange
from sttd.job import Identity, State

OLD = Folder("/old/inbox", "0" * 32, 1, 2)


class Inbox:
    """An inbox that is away for a reason, and what it was told."""

    def __init__(self):
        self.away, self.adopted, self.expected = None, [], []

    def adopt(self, mark):
        self.adopted.append(mark)

    def expect(self, rels):
        self.expected += rels


@pytest.fixture
def context(stations):
    context, _ = stations
    context.inbox = Inbox()
    whereabouts.held(context, Held(OLD))
    intake.found(context, Found((("a.mp3", Identity(1, 1)), ("sub/b.mp3", Identity(2, 2)))))
    return context


def new_of(context, mark="1" * 32):
    return Folder(str(context.config.paths.inbox), mark, 3, 4)


def places(context):
    return {job.source: (job.state, job.location) for job in context.ledger.jobs(newest=False)}


def test_by_what_the_inbox_is_known_again_outlives_the_run(context):
    assert whereabouts.before(context) == OLD
    moved = dataclasses.replace(OLD, device=9)
    whereabouts.held(context, Held(moved))
    assert whereabouts.before(context) == moved
    assert context.inbox.expected == ["a.mp3", "sub/b.mp3"]


def test_what_waits_for_the_inbox_of_another_path_waits_alone(context, log):
    """New files with the same names are new jobs; the old jobs neither start nor vanish, and may be cancelled."""
    whereabouts.held(context, Held(new_of(context)))
    intake.gone(context, Gone(("a.mp3", "sub/b.mp3")))
    intake.found(context, Found((("a.mp3", Identity(7, 7)),)))
    old, other, new = context.ledger.jobs(newest=False)
    assert (old.state, old.location, other.location) == (State.QUEUED, "/old/inbox/a.mp3", "/old/inbox/sub/b.mp3")
    assert (new.state, new.source, new.location) == (State.QUEUED, "a.mp3", None)
    assert [whereabouts.waits_alone(context, job) for job in (old, new)] == [True, False]
    old, other, new = context.ledger.jobs(newest=False)
    assert min(old.not_before, other.not_before) > context.utc()
    assert "which was the inbox: set paths.inbox back, or move the file" in old.error
    assert sum("which was the inbox" in line for line in log) == 1
    assert any("2 waiting jobs stay with their files there" in line for line in log)


def test_what_waits_for_an_inbox_that_is_the_inbox_again_goes_on(context):
    whereabouts.held(context, Held(new_of(context)))
    assert whereabouts.waits_alone(context, context.ledger.get(1))
    whereabouts.held(context, Held(OLD))
    assert places(context) == {"a.mp3": (State.QUEUED, None), "sub/b.mp3": (State.QUEUED, None)}
    assert context.ledger.get(1).not_before == 0.0
    assert context.ledger.get(1).error is None
    assert not whereabouts.waits_alone(context, context.ledger.get(1))


def test_an_inbox_that_was_moved_with_its_mark_is_the_same(context):
    """As after `cp -r` of the root, or where a disk is mounted elsewhere."""
    whereabouts.held(context, Held(new_of(context, OLD.mark)))
    assert places(context) == {"a.mp3": (State.QUEUED, None), "sub/b.mp3": (State.QUEUED, None)}


def test_a_strange_folder_is_refused_with_the_jobs_that_wait_and_adopted_once_they_do_not(context, log):
    context.inbox.away = "/in is not the folder that it was"
    whereabouts.strange(context, Strange("2" * 32, ("a.mp3", "done.mp3"), used=True))
    assert context.inbox.adopted == []
    (line,) = [line for line in log if "is away" in line]
    assert "job 1 (a.mp3)" in line
    assert "`sttd cancel 1`" in line
    assert "done.mp3" not in line
    context.ledger.update(context.ledger.get(1), state=State.CANCELLED)
    whereabouts.strange(context, Strange("2" * 32, ("a.mp3", "done.mp3"), used=False))
    assert context.inbox.adopted == [], "an empty folder may be a mount point"
    whereabouts.strange(context, Strange("2" * 32, ("a.mp3", "done.mp3"), used=True))
    assert context.inbox.adopted == ["2" * 32]


def test_an_inbox_that_hangs_is_logged_once_and_once_when_it_is_over(context, log):
    log.clear()
    for away in (None, "/in does not answer", "/in does not answer", None, None):
        context.inbox.away = away
        whereabouts.look_after(context)
        assert context.troubles.texts() == ([f"inbox away: {away}"] if away else [])
    assert [line.strip().split(" ", 1)[1] for line in log] == [
        "the inbox is away: /in does not answer; what waits goes on waiting",
        "the inbox is back",
    ]


def test_a_stop_while_the_inbox_hangs_does_not_log_that_it_is_back(context, log):
    """Its thread has been let go of by then and says nothing any more."""
    context.inbox.away = "/in does not answer"
    whereabouts.look_after(context)
    log.clear()
    context.stopping, context.inbox.away = True, None
    whereabouts.look_after(context)
    assert log == []

"""Which folder is the inbox, over a real ledger."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.daemon import dispatch, filing, intake, whereabouts
from sttd.inbox import FolderIdentity, Found, Gone, Held, Strange
from sttd.job import Identity, State
from sttd.part import Cause
from tests.properties.stations import CHUNKS, Stations

OLD = FolderIdentity("/old/inbox", "0" * 32, 1, 2)


class Inbox:
    """An inbox that is away for a reason, and what it was told."""

    def __init__(self):
        self.away, self.adopted, self.expected = None, [], []

    def reasons(self):
        return {"": self.away}

    def adopt(self, name, mark):
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
    return FolderIdentity(str(context.config.paths.inbox), mark, 3, 4)


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


@pytest.fixture
def bench(tmp_path):
    """A job whose results are staged; its inbox is about to be another one."""
    bench = Stations(tmp_path, "archive")
    inbox = bench.config.paths.inbox
    whereabouts.held(bench.context, Held(dataclasses.replace(OLD, path=str(inbox))))
    (inbox / "a.mp3").write_text("a")
    bench.look()
    dispatch.dispatch(bench.context)
    (attempt,) = bench.pool.attempts.values()
    for _ in range(CHUNKS + 2):
        bench.step(attempt)
    bench.settle()
    assert bench.context.ledger.get(1).state is State.COMMITTING
    bench.errands.posted.clear()
    yield bench
    bench.context.ledger.close()


def start_with(bench, inbox):
    """The next start has another path for it, and has not looked at it yet."""
    paths = dataclasses.replace(bench.config.paths, inbox=inbox)
    bench.config = dataclasses.replace(bench.config, paths=paths)
    bench.context.ledger.close()
    bench.start()
    whereabouts.begin(bench.context)
    bench.errands.posted.clear()
    bench.context.filing.tries.end(1)
    filing.resume(bench.context)
    assert not bench.errands.posted, "nothing is moved before it is known which folder that is"


def end(bench):
    filing.resume(bench.context)
    while bench.errands.posted:
        bench.settle()
    job = bench.context.ledger.get(1)
    assert job.state is State.DONE
    assert list(bench.config.paths.transcripts.glob("a.*"))
    return job


def test_a_job_whose_files_are_being_moved_when_the_inbox_changes_is_done_and_its_source_stays(bench, tmp_path):
    """A file of the same name in the new inbox is another one. Where the path is set back, the source is known."""
    old, new = tmp_path / "inbox", tmp_path / "new"
    new.mkdir()
    (new / "a.mp3").write_text("another")
    start_with(bench, new)
    whereabouts.held(bench.context, Held(dataclasses.replace(OLD, path=str(new), mark="1" * 32)))
    assert end(bench).location == str(old / "a.mp3")
    assert ((old / "a.mp3").read_text(), (new / "a.mp3").read_text()) == ("a", "another")
    whereabouts.held(bench.context, Held(dataclasses.replace(OLD, path=str(old))))
    assert bench.context.ledger.latest("a.mp3").state is State.DONE


def test_a_job_whose_files_are_being_moved_finds_them_in_the_same_folder_under_another_path(bench, tmp_path):
    moved = (tmp_path / "inbox").rename(tmp_path / "moved")
    start_with(bench, moved)
    whereabouts.held(bench.context, Held(dataclasses.replace(OLD, path=str(moved))))
    assert end(bench).location == str(tmp_path / "archive" / "a.mp3")


def test_a_job_that_waits_alone_for_the_inbox_of_another_path_can_be_cancelled(tmp_path):
    """Its file is nobody's to move any more, and stays where it lies."""
    bench = Stations(tmp_path, "archive")
    old, new = bench.config.paths.inbox, tmp_path / "new"
    whereabouts.held(bench.context, Held(dataclasses.replace(OLD, path=str(old))))
    (old / "a.mp3").write_text("a")
    bench.look()
    new.mkdir()
    start_with(bench, new)
    whereabouts.held(bench.context, Held(dataclasses.replace(OLD, path=str(new), mark="1" * 32)))
    bench.go_on()
    assert whereabouts.waits_alone(bench.context, bench.context.ledger.get(1))
    bench.ask("cancel", 1)
    for _ in range(3):
        bench.go_on()
    (job,) = bench.context.ledger.jobs()
    assert (job.state, job.cause, job.location) == (State.CANCELLED, Cause.CANCELLED, str(old / "a.mp3"))
    assert (old / "a.mp3").read_text() == "a"
    bench.context.ledger.close()


def test_what_ended_with_its_source_in_a_former_inbox_is_known_when_that_is_the_inbox_again(context):
    """Else the file would be transcribed once more."""
    whereabouts.held(context, Held(new_of(context)))
    context.ledger.update(context.ledger.get(1), state=State.CANCELLED)
    whereabouts.held(context, Held(OLD))
    assert places(context)["a.mp3"] == (State.CANCELLED, None)
    assert context.ledger.latest("a.mp3").id == 1


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

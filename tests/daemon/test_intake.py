"""From settled files to jobs, over a real ledger."""

from __future__ import annotations

import dataclasses

import pytest
from loguru import logger

from sttd.daemon import intake
from sttd.inbox import Found, Gone
from sttd.inbox.events import BATCH
from sttd.job import Identity, State
from sttd.part import Cause
from tests.properties.stations import Stations

OLD, NEW = Identity(100, 1), Identity(200, 2)


@pytest.fixture
def facts():
    """What the log was told beside the lines: (the event's word, its fields)."""
    told = []
    handler = logger.add(lambda message: told.append(message.record["extra"]["facts"]), level="INFO", format="")
    yield told
    logger.remove(handler)


def test_each_of_a_flood_of_files_is_a_job_with_a_line_of_its_own(stations, facts):
    """`journalctl STTD_JOB=42` begins where job 42 was queued, however many came with it."""
    context, _ = stations
    names = [f"{number}.mp3" for number in range(BATCH)]
    intake.found(context, Found(tuple((name, Identity(number, 7)) for number, name in enumerate(names))))
    jobs = context.ledger.jobs(newest=False)
    assert [(job.source, job.size, job.state) for job in jobs] == [
        (name, number, State.QUEUED) for number, name in enumerate(names)
    ]
    assert [(fact.kind.word, fact.fields["job"], fact.fields["source"], fact.fields["size"]) for fact in facts] == [
        ("job-queued", job.id, job.source.encode(), job.size) for job in jobs
    ]


@pytest.mark.parametrize("then", [OLD, NEW])
def test_a_file_that_one_event_tells_of_twice_is_one_job_about_the_file_as_it_is_now(stations, then):
    context, _ = stations
    intake.found(context, Found((("a.mp3", OLD), ("b.mp3", OLD), ("a.mp3", then))))
    assert [(job.source, job.identity) for job in context.ledger.jobs(newest=False)] == [
        ("a.mp3", then),
        ("b.mp3", OLD),
    ]


def test_files_are_told_apart_from_those_that_are_known_within_one_event(stations):
    """New, known, changed, back, and new under the name of one that was given up."""
    context, _ = stations
    names = ("known.mp3", "changed.mp3", "back.mp3", "again.mp3")
    intake.found(context, Found(tuple((name, OLD) for name in names)))
    intake.gone(context, Gone(("back.mp3", "nobody.mp3")))
    failed = context.ledger.latest("again.mp3")
    context.ledger.update(failed, state=State.FAILED)
    now = (("known.mp3", OLD), ("changed.mp3", NEW), ("back.mp3", OLD), ("again.mp3", NEW), ("new.mp3", NEW))
    intake.found(context, Found(now))
    jobs = context.ledger.jobs(newest=False)
    assert [(job.source, job.identity, job.state, job.location) for job in jobs] == [
        ("known.mp3", OLD, State.QUEUED, None),
        ("changed.mp3", NEW, State.QUEUED, None),
        ("back.mp3", OLD, State.QUEUED, None),
        ("again.mp3", OLD, State.FAILED, ""),
        ("again.mp3", NEW, State.QUEUED, None),
        ("new.mp3", NEW, State.QUEUED, None),
    ]


def test_what_a_walk_saw_before_it_was_archived_is_no_second_job(bench):
    """A walk through a large inbox takes seconds, and is told when the file is in archive/ already: a ghost that vanished."""
    saw, looked = bench.context.ledger.get(1).identity, bench.now
    bench.go_on()
    assert [job.state for job in bench.context.ledger.jobs()] == [State.DONE]
    intake.found(bench.context, Found((("a.mp3", saw),), looked))
    assert [job.state for job in bench.context.ledger.jobs()] == [State.DONE]
    intake.found(bench.context, Found((("a.mp3", NEW),), bench.now + 1.0))
    assert [job.identity for job in bench.context.ledger.jobs([State.QUEUED])] == [NEW], (
        "what is seen afterwards is new"
    )


def test_the_owner_of_a_file_is_noted_with_its_job(stations):
    """As the file is now: who replaces another one's recording has it in his own share of the workers' time."""
    context, _ = stations
    for identity in (Identity(100, 1, 1001), Identity(100, 2, 1002)):
        intake.found(context, Found((("a.mp3", identity),)))
        assert [job.owner for job in context.ledger.jobs()] == [identity.owner]
    assert context.ledger.waiting_owners() == [1002]


def test_many_files_of_one_owner_do_not_delay_those_of_another(tmp_path):
    """A hundred thousand worthless files, say, that were dropped before: the others have every second turn."""
    bench = Stations(tmp_path, "archive")
    with bench.context.ledger.transaction():
        for number in range(8):
            path = bench.config.paths.inbox / f"{number}.mp3"
            path.write_text(str(number))
            mine = dataclasses.replace(Identity.of(path.stat()), owner=1001 if number < 6 else 1002)
            bench.context.ledger.add(path.name, mine, float(number))
    owners = []
    while len(owners) < 4:
        bench.tick(1.0)
        started = list(bench.pool.attempts.values())
        for attempt in started:
            owners.append(bench.context.ledger.get(int(attempt.spec.part_id.partition(".")[0])).owner)
            bench.step(attempt)
        bench.now += 30.0  # that each of them takes
        for attempt in started:
            bench.end(attempt, Cause.BAD_FILE)
    assert owners.count(1002) == 2, owners
    bench.context.ledger.close()

"""An error that is everybody's holds the queue; one that is a job's own costs that job alone."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.config import Remote
from sttd.daemon import ending, reload, requests, trial
from sttd.job import Overrides, State
from sttd.part import Cause, Chunks, Done, Failed, Lost, Started
from sttd.rules.claims import BELIEVED
from sttd.rules.streaks import ACQUITTED, LONGEST, MANY, Streaks, likeness
from tests.properties.stations import STARTED, Stations


@pytest.fixture
def daemon(tmp_path):
    stations = Stations(tmp_path, "archive")
    yield stations
    stations.context.ledger.close()


def drop(daemon, *names: str) -> None:
    """In this order, whichever their folder has."""
    for name in names:
        size = 1 + NAMES.index(name)  # others of its size would be compared first
        (daemon.config.paths.inbox / name).write_text(name * size)
        daemon.look()
    daemon.tick(1.0)


def oldest(daemon):
    return next(iter(daemon.pool.attempts.values()))


def fail(
    daemon, cause: Cause, error: str = "it went wrong", *, retriable: bool = True, attempt=None, **known: bool
) -> int:
    """An attempt, mostly the oldest, ends so; returns its job."""
    attempt = attempt or oldest(daemon)
    del daemon.pool.attempts[attempt.spec.part_id]
    carried = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}
    daemon.message(Failed(cause=cause, error=error, retriable=retriable, **carried, **known))
    return int(attempt.spec.part_id.partition(".")[0])


def succeed(daemon, attempt=None) -> int:
    attempt = attempt or oldest(daemon)
    while attempt.spec.part_id in daemon.pool.attempts:
        daemon.step(attempt)
    return int(attempt.spec.part_id.partition(".")[0])


def states(daemon) -> list[State]:
    return [job.state for job in daemon.context.ledger.jobs(newest=False)]


def test_a_source_that_is_gone_is_asked_for_where_somebody_can(daemon):
    """`sttd transcribe` has no job that could be retried: the same number is another one in the daemon's ledger."""
    inbox = daemon.context.inbox
    for box, remedy in (
        (inbox, "is not there any more: put it back, then `sttd retry 1`"),
        (None, "is not there any more"),
    ):
        daemon.context.inbox = inbox
        drop(daemon, "a.wav")
        attempt = oldest(daemon)
        running = daemon.context.running[attempt.spec.part_id]
        running.job = daemon.context.ledger.update(running.job, location="/else/a.wav")
        daemon.context.inbox = box
        end = ending.ending(daemon.context, running, Cause.GONE, None, retriable=True)
        assert end.error == f"/else/a.wav {remedy}"


NAMES = [f"{letter}.wav" for letter in "abcdef"]


def test_a_configuration_that_the_model_cannot_meet_waits_and_is_said_once(daemon, log):
    """No recording is given up for it, no attempt is spent, no worker is tried in vain more than once a while."""
    drop(daemon, *NAMES)
    words = "the model does not know the language 'yue'"
    for _ in range(5):
        while daemon.pool.attempts:
            fail(daemon, Cause.CONFIGURATION, words, retriable=False)
        daemon.tick(1.0)
        assert not daemon.pool.attempts, "held"
        assert daemon.context.troubles.texts() == [words]
        daemon.tick(1000.0)
    jobs = daemon.context.ledger.jobs()
    assert {(job.state, job.attempts) for job in jobs} <= {(State.QUEUED, 0), (State.RUNNING, 0)}
    assert len([line for line in log if words in line and not line.startswith("DEBUG")]) == 1
    for _ in range(4):
        daemon.go_on()
    assert states(daemon) == [State.DONE] * len(NAMES)
    assert daemon.context.troubles.texts() == []


@pytest.mark.parametrize("cause", [Cause.CONFIGURATION, Cause.NO_MODEL])
def test_an_attempt_that_had_the_configuration_before_a_reload_tells_nothing_of_the_new_one(daemon, log, cause):
    """It would hold the queue for what somebody has just put right, and `status` would go on to show it."""
    drop(daemon, "a.wav")
    daemon.tick(1.0)
    reload.reload(daemon.context, lambda: daemon.config)
    daemon.tick(1.0)
    fail(daemon, cause, "it cannot do that", retriable=False)
    daemon.tick(1.0)
    assert len(daemon.pool.attempts) == 1, "tried at once"
    assert daemon.context.troubles.texts() == []
    assert not [line for line in log if "cannot do that" in line and not line.startswith("DEBUG")]
    fail(daemon, cause, "it cannot do that", retriable=False)
    assert daemon.context.troubles.hold(), "that one had the new configuration"


def test_a_language_that_an_earlier_attempt_found_and_the_fallback_does_not_know_keeps_that_job_alone_waiting(daemon):
    """It resumes with the model that began it, not in another language; nobody else is held up."""
    drop(daemon, "a.wav")
    attempt = oldest(daemon)
    daemon.step(attempt)
    chunk = dataclasses.replace(daemon._chunk(attempt), spoken="yue", spoken_probability=0.9)
    daemon.message(Chunks(part_id=attempt.spec.part_id, attempt=attempt.spec.attempt, chunks=(chunk,), done=chunk.end))
    fail(daemon, Cause.TIMEOUT)
    daemon.tick(1.0)
    drop(daemon, "b.wav", "c.wav")
    assert oldest(daemon).spec.places[0].language == "yue"
    fail(daemon, Cause.CONFIGURATION, "the model does not know the language 'yue'", retriable=False)
    daemon.tick(1.0)
    job = daemon.context.ledger.get(1)
    assert (job.state, job.attempts, job.cause) == (State.QUEUED, 0, Cause.CONFIGURATION)
    assert job.not_before == pytest.approx(daemon.now + daemon.config.model.retry_after, abs=5.0)
    assert daemon.context.troubles.texts() == []
    assert len(daemon.pool.attempts) == 2, "b and c"
    daemon.tick(daemon.config.model.retry_after)
    for _ in range(3):
        daemon.go_on()
    assert states(daemon) == [State.DONE] * 3


def test_what_was_asked_for_one_job_alone_costs_that_job_alone(daemon):
    drop(daemon, "a.wav")
    daemon.go_on()
    (done,) = daemon.context.ledger.jobs()
    daemon.context.ledger.add(
        "a.wav", done.identity, daemon.now, location=done.location, redo_of=1, overrides=Overrides(language="yue")
    )
    daemon.tick(1.0)
    fail(daemon, Cause.CONFIGURATION, "the model does not know the language 'yue'", retriable=False)
    redo = daemon.context.ledger.get(2)
    assert (redo.state, redo.attempts) == (State.FAILED, 1)
    assert not daemon.context.troubles.hold()


def test_an_error_that_would_come_again_is_not_tried_again(daemon):
    drop(daemon, "a.wav")
    fail(daemon, Cause.ERROR, retriable=False)
    assert states(daemon) == [State.FAILED]


def test_the_same_error_from_several_jobs_in_a_row_holds_the_queue_until_one_goes_well(daemon, log):
    """As with a library that is gone: what is in the inbox does not go to failed/."""
    drop(daemon, *NAMES)
    failed = [fail(daemon, Cause.ERROR, f"CUDA failed at 0x{number:x} in '/tmp/{number}'") for number in range(2)]
    daemon.tick(0.0)
    failed.append(fail(daemon, Cause.ERROR, "CUDA failed at 0xff in '/tmp/x'"))
    assert len(set(failed)) == MANY
    (text,) = daemon.context.troubles.texts()
    assert text == "3 jobs in a row ended with the same error: CUDA failed at 0xff in '/tmp/x'"
    for _ in range(20):
        while daemon.pool.attempts:
            fail(daemon, Cause.ERROR, "CUDA failed at 0xff in '/tmp/x'")
        daemon.tick(1.0)
        assert not daemon.pool.attempts, "held"
        daemon.tick(1000.0)
    jobs = daemon.context.ledger.jobs()
    assert {job.state for job in jobs} <= {State.QUEUED, State.RUNNING}
    assert sorted(job.attempts for job in jobs) == [0, 0, 0, 0, 1, 1]
    told = [line for line in log if "in a row" in line]
    assert len(told) == 1
    assert told[0].startswith("ERROR")
    assert "`sttd retry ID` or a reload" in told[0]
    for _ in range(4):
        daemon.go_on()
    assert states(daemon) == [State.DONE] * len(NAMES)
    assert any(line.startswith("INFO over: 3 jobs in a row") for line in log)


@pytest.mark.parametrize("kind", ["retry", "retry-failed", "resume"])
def test_a_person_who_says_that_it_is_over_is_believed_at_once(daemon, kind):
    drop(daemon, *NAMES)
    for _ in range(MANY):
        fail(daemon, Cause.CRASH)
        daemon.tick(0.0)
    while daemon.pool.attempts:
        fail(daemon, Cause.CRASH)
    daemon.tick(1.0)
    assert not daemon.pool.attempts
    daemon.ask(kind, 1)
    daemon.tick(1.0)
    assert daemon.pool.attempts
    assert daemon.context.troubles.texts() == []


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1], NAMES[2:] + NAMES[:2]])
def test_poisonous_files_end_in_failed_and_hold_the_others_up_once(daemon, names):
    """Five of six crash their workers, each time. The sixth is done, and sttd's own sample: so the others are at fault themselves."""
    daemon.context.judging.trial.sample = trial.SAMPLE
    drop(daemon, *names)
    for _ in range(60):
        for attempt in list(daemon.pool.attempts.values()):
            if attempt.spec.part_id == trial.PART:
                del daemon.pool.attempts[trial.PART]
                daemon.message(Done(part_id=trial.PART, attempt=attempt.spec.attempt, audio_seconds=1.0))
            elif attempt.spec.source.endswith("f.wav"):
                succeed(daemon, attempt)
            else:
                fail(daemon, Cause.CRASH, attempt=attempt)
        while daemon.errands.posted:
            daemon.settle()
        daemon.tick(1.0)  # the sample begins while the queue is held
        daemon.tick(700.0)
    ends = {job.source: job.state for job in daemon.context.ledger.jobs()}
    assert ends == dict.fromkeys(NAMES[:5], State.FAILED) | {"f.wav": State.DONE}


def test_files_that_are_no_recordings_hold_nobody_up(daemon):
    drop(daemon, *NAMES)
    for _ in range(5):
        fail(daemon, Cause.BAD_FILE, "there is no sound in the file", retriable=False)
        daemon.tick(0.0)
    assert not daemon.context.troubles.hold()
    assert succeed(daemon)


def test_waits_grow_to_a_limit_and_a_job_of_before_the_hold_acquits_nobody():
    streaks, now = Streaks(), 0.0
    assert [streaks.met(job, "x 1", now, 30.0) for job in (1, 1, 1, 2)] == [None] * 4
    assert streaks.met(3, "x 2", now, 30.0) == 30.0
    assert streaks.met(4, "x 3", now + 10.0, 30.0) == 20.0, "a second worker's, of the same round"
    waits = []
    for _ in range(8):
        now += 10_000.0
        waits.append(streaks.met(5, "x", now, 30.0))
    assert waits == [None] * 8, "another error"
    for job in range(6):
        now += 10_000.0
        waits.append(streaks.met(job, "x 9", now, 30.0))
    assert waits[8:] == [60.0, 120.0, 240.0, 480.0, LONGEST * 30, LONGEST * 30]
    assert streaks.in_vain(now) == 6
    streaks.well(-1.0, now)
    assert streaks.in_vain(now) == 0
    assert [streaks.met(job, "x 1", now, 30.0) for job in (1, 2, 3)] == [None, None, 30.0]
    streaks.well(now + 1.0, now + 2.0)
    assert [streaks.met(job, "x 1", now + 3.0, 30.0) for job in (1, 2, 3)] == [None] * 3
    assert [streaks.met(job, "x 1", now + 3.0 + ACQUITTED, 30.0) for job in (1, 2, 3)] == [None, None, 30.0]


def test_a_hold_of_months_goes_on_as_one_of_hours():
    streaks, now, wait = Streaks(), 0.0, None
    for job in range(MANY):
        wait = streaks.met(job, "x", now, 30.0)
    for _ in range(5000):
        now += wait
        wait = streaks.met(1, "x", now, 30.0)
    assert wait == LONGEST * 30


def test_a_drain_ends_though_an_error_that_once_held_the_queue_is_met_no_more():
    """The jobs that met it were cancelled; another error holds the others up, try after try."""
    streaks, now, wait = Streaks(), 0.0, None
    for error in ("x", "y"):
        for job in range(MANY):
            wait = streaks.met(job, error, now, 30.0)
    assert streaks.in_vain(now) == 0
    for _ in range(3):
        now += wait
        wait = streaks.met(5, "y", now, 30.0)
    assert streaks.in_vain(now) == 3


def test_errors_are_alike_whatever_they_say_of_the_job():
    assert likeness("OSError: [Errno 5] at 0x7f: '/a/b c.wav'") == likeness("OSError: [Errno 7] at 0x8e: 'x'")
    assert likeness("died by signal 11 (SIGSEGV)") != likeness("died by signal 6 (SIGABRT)")


def with_another_machine(daemon) -> None:
    daemon.context.config = dataclasses.replace(daemon.context.config, remotes=(Remote("gpu1", ("ssh", "gpu1")),))


@pytest.mark.parametrize("cause", [Cause.NO_MODEL, Cause.MACHINE, Cause.CONFIGURATION])
def test_what_one_machine_of_several_lacks_holds_nobody_up(daemon, cause):
    """That machine waits; the job goes to another at once, and no attempt is spent."""
    with_another_machine(daemon)
    drop(daemon, "a.wav")
    daemon.tick(1.0)
    fail(daemon, cause, "there is none", retriable=True)
    daemon.tick(1.0)
    assert daemon.context.troubles.texts() == []
    assert [attempt.spec.attempt for attempt in daemon.pool.attempts.values()] == [2]
    assert daemon.pool.benched == ([] if cause is Cause.MACHINE else [("local", "there is none")])
    fail(daemon, Cause.CRASH, "killed by SIGSEGV", retriable=True)
    daemon.tick(1.0)
    assert daemon.pool.attempts == {}, "what may be the recording's fault has its wait, as ever"
    assert daemon.context.ledger.get(1).attempts == 1


def test_a_model_that_is_asked_for_one_job_alone_and_is_nowhere_makes_no_machine_wait(daemon):
    """Else one wrong word of a person kept all machines from all other jobs, for minutes."""
    with_another_machine(daemon)
    drop(daemon, "a.wav")
    (running,) = daemon.context.running.values()
    running.job = daemon.context.ledger.update(running.job, overrides=Overrides(model="tiny.cn"))
    fail(daemon, Cause.NO_MODEL, "there is no such model")
    assert daemon.pool.benched == []
    assert daemon.context.ledger.get(1).not_before > daemon.context.utc(), "the job waits"


def lose(daemon, cause: Cause, *, started: bool = True, error: str = "the line broke") -> None:
    """The one attempt there is, on another machine, ends so."""
    attempt = oldest(daemon)
    running = daemon.context.running[attempt.spec.part_id]
    running.node, running.worker = "gpu1", "gpu1/1"
    carried = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}
    if started:
        daemon.message(Started(pid=1, model="demo", **STARTED, **carried))
    daemon.pool.attempts.pop(attempt.spec.part_id, None)
    daemon.message(Lost(cause=cause, error=error, **carried))


def test_a_recording_under_which_line_after_line_breaks_spends_attempts_and_ends(daemon):
    """The first break is nobody's fault, nor is one before which the machine did not come to the part."""
    with_another_machine(daemon)
    drop(daemon, "a.wav")
    seen = []
    for cause in (Cause.LINE, Cause.MACHINE, Cause.LINE, Cause.LINE, Cause.LINE, Cause.LINE, Cause.LINE, Cause.LINE):
        daemon.tick(2000.0)
        lose(daemon, cause, started=cause is Cause.LINE)
        job = daemon.context.ledger.get(1)
        seen.append((job.batch_size, job.attempts))
    assert seen == [(None, 0), (None, 0), (4, 0), (2, 0), (1, 0), (1, 1), (1, 2), (1, 3)]
    assert states(daemon) == [State.FAILED]
    assert daemon.context.troubles.texts() == []
    assert "broke again and again" in daemon.context.ledger.get(1).error


def test_a_recording_under_whose_sending_line_after_line_breaks_ends_too(daemon):
    """It went round without end: too large for the other machine's memory, say. Smaller batches are no remedy."""
    with_another_machine(daemon)
    drop(daemon, "a.wav")
    seen = []
    for _ in range(4):
        daemon.tick(2000.0)
        lose(daemon, Cause.LINE, started=False, error="it is lost, while the recording was sent there")
        job = daemon.context.ledger.get(1)
        seen.append((job.batch_size, job.attempts))
    assert seen == [(None, 0), (None, 1), (None, 2), (None, 3)]
    assert states(daemon) == [State.FAILED]
    assert "the last time: it is lost, while the recording was sent there" in daemon.context.ledger.get(1).error


def test_a_worker_elsewhere_that_never_comes_to_its_part_lets_its_machine_wait_and_not_the_recording(daemon):
    with_another_machine(daemon)
    drop(daemon, "a.wav")
    lose(daemon, Cause.TIMEOUT, started=False, error="it hangs")
    job = daemon.context.ledger.get(1)
    assert (job.attempts, job.batch_size, job.cause) == (0, None, Cause.LINE)
    assert [each["worker"] for each in daemon.context.ledger.attempts(1)] == ["gpu1/1"]
    ((node, why),) = daemon.pool.benched
    assert (node, "did not come to its part in time" in why) == ("gpu1", True)


@pytest.mark.parametrize("cause", [Cause.CHANGED, Cause.GONE])
def test_a_worker_that_says_for_ever_that_a_sound_file_is_another_one_is_an_error_of_its_job(daemon, cause):
    """A recording that had taken its worker over was tried without end, and `run --drain` never ended."""
    drop(daemon, "a.wav")
    ends = 0
    while states(daemon) != [State.FAILED] and ends < 20:
        daemon.tick(2000.0)
        fail(daemon, cause)
        ends += 1
    assert ends == BELIEVED + daemon.config.pool.attempts
    error = daemon.context.ledger.get(1).error
    assert error == "its worker said again and again what is not so; the last time: it went wrong"


def test_a_file_that_changes_again_and_again_costs_no_attempt(daemon):
    drop(daemon, "a.wav")
    for number in range(20):
        (daemon.config.paths.inbox / "a.wav").write_text("x" * (number + 9))
        fail(daemon, Cause.CHANGED)
        daemon.look()
        daemon.tick(2000.0)
    assert daemon.context.ledger.get(1).attempts == 0


def test_a_person_who_has_a_disbelieved_recording_tried_again_has_it_tried_anew(daemon):
    """From its first attempt on each fault of the machine, or of its share, was an error of its own."""
    drop(daemon, "a.wav")
    while states(daemon) != [State.FAILED]:
        daemon.tick(2000.0)
        fail(daemon, Cause.CHANGED)
    daemon.go_on()
    requests.retry(daemon.context, daemon.context.ledger.get(1))
    for _ in range(BELIEVED):
        daemon.tick(2000.0)
        fail(daemon, Cause.CHANGED)
    assert daemon.context.ledger.get(1).attempts == 0


@pytest.mark.parametrize("is_seen_first", [True, False])
def test_what_was_said_of_the_file_before_says_nothing_of_the_one_that_took_its_place(daemon, is_seen_first):
    drop(daemon, "a.wav")
    for _ in range(BELIEVED):
        daemon.tick(2000.0)
        fail(daemon, Cause.CHANGED)
    if not is_seen_first:
        daemon.tick(2000.0)
    (daemon.config.paths.inbox / "a.wav").write_text("another one")
    if not is_seen_first:
        fail(daemon, Cause.CHANGED)
    daemon.look()
    for _ in range(BELIEVED):
        daemon.tick(2000.0)
        fail(daemon, Cause.GONE)
    assert daemon.context.ledger.get(1).attempts == 0


@pytest.mark.parametrize("cause", [Cause.MACHINE, Cause.CONFIGURATION])
def test_what_one_job_alone_says_of_the_machine_while_the_same_worker_does_others_well_is_its_own_error(daemon, cause):
    """It held up the whole queue in each of its turns, for ever, and was never given up."""
    drop(daemon, "a.wav")
    ends = 0
    for number in range(20):
        (daemon.config.paths.inbox / f"other {number}.wav").write_text("y" * (number + 9))
        daemon.look()
        daemon.tick(2000.0)
        for attempt in list(daemon.pool.attempts.values()):
            if attempt.spec.part_id == "1.0":
                fail(daemon, cause, attempt=attempt)
                ends += 1
            else:
                succeed(daemon, attempt)
    assert ends == 1 + BELIEVED + daemon.config.pool.attempts
    assert daemon.context.ledger.get(1).state is State.FAILED
    assert daemon.context.troubles.texts() == []


@pytest.mark.parametrize(("has_begun", "state"), [(True, State.FAILED), (False, State.QUEUED)])
def test_a_worker_elsewhere_is_not_believed_for_ever_and_a_machine_without_room_is(daemon, has_begun, state):
    with_another_machine(daemon)
    drop(daemon, "a.wav")
    for number in range(20):
        (daemon.config.paths.inbox / f"other {number}.wav").write_text("y" * (number + 9))
        daemon.look()
        daemon.tick(2000.0)
        for attempt in list(daemon.pool.attempts.values()):
            running = daemon.context.running[attempt.spec.part_id]
            running.node, running.worker = "gpu1", "gpu1/1"
            if attempt.spec.part_id != "1.0":
                succeed(daemon, attempt)
            elif attempt.killed is None:
                fail(daemon, Cause.MACHINE, "there is no room", attempt=attempt, spoilt=has_begun)
    job = daemon.context.ledger.get(1)
    assert (job.state if job.state is State.FAILED else State.QUEUED, job.attempts > 0) == (state, has_begun)

"""A recording that is shared out: its parts over several workers, whatever ends them, make one transcript."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from sttd.daemon import attempts, requests, results, sweep
from sttd.daemon.listener import Nobody
from sttd.job import Overrides, Shared, State
from sttd.part import Cause, Failed
from sttd.rules.claims import BELIEVED
from tests.properties.stations import CHUNKS, SHARED, Attempt, Pool, Stations

TEXTS = [f"a {number}" for number in range(CHUNKS)]


@pytest.fixture
def daemon(tmp_path):
    """One recording whose worker has just opened it, and found out that it has three parts."""
    daemon = Stations(tmp_path, "archive", shared=True)
    write(daemon, "a.mp3")
    daemon.step(at(daemon, 0))
    yield daemon
    daemon.context.ledger.close()


def write(daemon: Stations, name: str) -> None:
    (daemon.config.paths.inbox / name).write_text(name.partition(".")[0])
    daemon.look()
    daemon.tick(1.0)


def at(daemon: Stations, number: int, job: int = 1) -> Attempt:
    return daemon.pool.attempts[f"{job}.{number}"]


def job(daemon: Stations, number: int = 1):
    return daemon.context.ledger.get(number)


def states(daemon: Stations, number: int = 1) -> list[str]:
    return [str(part.state) for part in daemon.context.ledger.parts(job(daemon, number))]


def finish(daemon: Stations, number: int, of: int = 1) -> None:
    """The worker of a part goes on to its end."""
    attempt = at(daemon, number, of)
    while daemon.pool.attempts.get(attempt.spec.part_id) is attempt:
        daemon.step(attempt)


def drain(daemon: Stations) -> None:
    for _ in range(6):
        daemon.go_on()


def texts(daemon: Stations, number: int = 1) -> list[str]:
    done = job(daemon, number)
    assert done.state is State.DONE, done
    (path,) = (path for path in done.outputs if path.endswith(".json"))
    return [segment["text"] for segment in json.loads(Path(path).read_text())["segments"]]


def test_free_workers_have_further_parts_once_the_language_is_known(daemon):
    """Until the first speech was heard, part 0 is alone."""
    daemon.tick(1.0)
    assert states(daemon) == ["running", "queued", "queued"]
    assert job(daemon).shared == Shared(3, SHARED.split_after, SHARED.part_length)
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    assert states(daemon) == ["running", "running", "queued"]
    spec = at(daemon, 1).spec
    assert (spec.number, spec.parts, spec.decided[0].language) == (1, 3, "en")
    finish(daemon, 1)
    daemon.tick(1.0)
    assert states(daemon) == ["running", "done", "running"]
    finish(daemon, 2)
    assert job(daemon).state is State.RUNNING
    finish(daemon, 0)
    assert job(daemon).state is State.COMMITTING
    drain(daemon)
    assert texts(daemon) == TEXTS
    assert (job(daemon).chunks, job(daemon).audio_seconds) == (CHUNKS, float(CHUNKS))


def test_the_language_of_a_file_that_has_changed_while_its_job_waited_is_decided_anew(daemon):
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    assert states(daemon) == ["running", "running", "queued"]
    for number in (0, 1):
        daemon.end(at(daemon, number), Cause.ASKED)
    (daemon.config.paths.inbox / "a.mp3").write_text("ein anderes")
    daemon.look()
    daemon.tick(1.0)
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.tick(1.0)
    assert states(daemon) == ["running", "queued", "queued"]


def test_a_configured_language_keeps_no_part_waiting(tmp_path):
    daemon = Stations(tmp_path, "archive", shared=True)
    transcribe = dataclasses.replace(daemon.config.transcribe, language="en")
    daemon.config = daemon.context.config = dataclasses.replace(daemon.config, transcribe=transcribe)
    write(daemon, "a.mp3")
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.tick(1.0)
    assert states(daemon) == ["running", "running", "queued"]
    daemon.context.ledger.close()


def test_who_waits_has_the_worker_that_comes_free(daemon):
    """The recording keeps one worker; its next part waits for its turn, and the short one has its own at once."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    write(daemon, "bb.mp3")
    assert sorted(daemon.pool.attempts) == ["1.0", "1.1"]
    finish(daemon, 1)
    daemon.tick(1.0)
    assert sorted(daemon.pool.attempts) == ["1.0", "2.0"]


def test_what_is_wrong_with_the_recording_is_what_the_workers_of_its_parts_found_once_each(daemon):
    """Whichever part is done first; a part that is done again says it again."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    at(daemon, 0).warnings = ("1 damaged packet was left out", "the same in two")
    at(daemon, 1).warnings = ("the same in two",)
    finish(daemon, 1)
    daemon.tick(1.0)
    at(daemon, 2).warnings = ("2 damaged packets were left out",)
    finish(daemon, 2)
    finish(daemon, 0)
    drain(daemon)
    assert job(daemon).warnings == (
        "the same in two",
        "2 damaged packets were left out",
        "1 damaged packet was left out",
    )


def test_a_model_that_does_not_know_the_language_that_part_0_decided_keeps_this_job_alone_waiting(daemon):
    """The fallback may know fewer languages than the model that began."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.step(at(daemon, 1))
    daemon.end(at(daemon, 1), Cause.CONFIGURATION)
    assert not daemon.context.troubles.hold()


def test_a_job_none_of_whose_parts_runs_waits_like_others(daemon):
    finish(daemon, 0)
    row = job(daemon)
    assert (row.state, states(daemon)) == (State.QUEUED, ["done", "queued", "queued"])
    assert (row.chunks, row.progress, row.queued_at) == (2, 2.0, daemon.now)


def test_a_restart_goes_on_with_every_part_where_it_was(daemon):
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.step(at(daemon, 1))
    daemon.step(at(daemon, 1))
    daemon.crash(halfway=False)
    assert (job(daemon).state, states(daemon)) == (State.QUEUED, ["queued"] * 3)
    daemon.tick(1.0)
    daemon.tick(1.0)
    assert (at(daemon, 0).spec.next_index, at(daemon, 1).spec.next_index) == (1, 1)
    drain(daemon)
    assert texts(daemon) == TEXTS
    assert job(daemon).resumes == 2


def test_a_daemon_that_is_killed_before_it_has_written_that_a_recording_is_shared_out_finds_it_in_the_checkpoint(
    daemon,
):
    """The chunk is there, and the row says nothing yet."""
    daemon.step(at(daemon, 0))
    assert job(daemon).shared is None
    daemon.crash(halfway=False)
    daemon.tick(1.0)
    assert at(daemon, 0).spec.next_index == 1
    assert job(daemon).shared == Shared(3, SHARED.split_after, SHARED.part_length)
    drain(daemon)
    assert texts(daemon) == TEXTS


def test_a_recording_that_was_begun_as_one_part_stays_that(tmp_path):
    """Whatever is configured meanwhile; and one that is shared out stays shared out, as it was."""
    daemon = Stations(tmp_path, "archive")
    write(daemon, "a.mp3")
    for _ in range(2):
        daemon.step(at(daemon, 0))
    daemon.end(at(daemon, 0), Cause.SLICE)
    daemon.context.config = dataclasses.replace(daemon.config, pool=SHARED)
    daemon.tick(1.0)
    assert (at(daemon, 0).spec.parts, at(daemon, 0).spec.share) == (1, None)
    write(daemon, "bb.mp3")
    daemon.step(at(daemon, 0, job=2))
    daemon.tick(1.0)
    daemon.context.config = daemon.config
    drain(daemon)
    assert (texts(daemon), texts(daemon, 2)) == (TEXTS, [text.replace("a", "bb") for text in TEXTS])
    assert (job(daemon).shared, job(daemon, 2).shared and job(daemon, 2).shared.parts) == (None, 3)
    daemon.context.ledger.close()


def test_where_one_worker_is_all_that_there_ever_is_a_recording_stays_one_part_and_one_that_has_parts_keeps_them(
    daemon, monkeypatch
):
    monkeypatch.setattr(Pool, "most_slots", lambda _: 1)
    write(daemon, "bb.mp3")
    assert (at(daemon, 0, job=2).spec.parts, at(daemon, 0, job=2).spec.share) == (1, None)
    drain(daemon)
    assert (texts(daemon), texts(daemon, 2)) == (TEXTS, [text.replace("a", "bb") for text in TEXTS])
    assert (job(daemon).shared and job(daemon).shared.parts, job(daemon, 2).shared) == (3, None)


@pytest.mark.parametrize("kind", ["retry", "redo"])
def test_the_last_failure_of_a_part_fails_the_job_in_words_and_stops_the_others(daemon, kind):
    """A retry has what was done by then, of all parts; so has a redo."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.step(at(daemon, 1))
    daemon.step(at(daemon, 1))
    daemon.end(at(daemon, 1), Cause.BAD_FILE)
    assert (job(daemon).state, at(daemon, 0).killed) == (State.RUNNING, Cause.ASKED)
    assert states(daemon) == ["running", "failed", "queued"]
    daemon.tick(1.0)
    assert list(daemon.pool.attempts) == ["1.0"]
    daemon.step(at(daemon, 0))
    failed = job(daemon)
    assert (failed.state, failed.cause) == (State.FAILED, Cause.BAD_FILE)
    assert failed.error == "part 2 of 3 (0:02 to 0:03): it went wrong"
    drain(daemon)
    daemon.ask(kind, 1)
    daemon.tick(1.0)
    assert job(daemon).attempts == 0
    daemon.tick(1.0)
    assert sorted((key, attempt.spec.next_index) for key, attempt in daemon.pool.attempts.items()) == [
        ("1.0", 1),
        ("1.1", 1),
    ]
    drain(daemon)
    assert texts(daemon) == TEXTS
    assert len(daemon.context.ledger.jobs()) == 1


def test_a_redo_of_a_failed_job_with_another_language_begins_anew_and_says_so(daemon):
    """What is asked beside that is what was asked before."""
    context = daemon.context
    daemon.step(at(daemon, 0))
    daemon.end(at(daemon, 0), Cause.BAD_FILE)
    drain(daemon)
    failed = job(daemon)
    assert (failed.state, failed.chunks > 0) == (State.FAILED, True)
    text = requests.redo(context, failed, Overrides(language="th"))
    assert text == (
        f"job 1 ({failed.source}) is queued again (language th), from its beginning: its chunks were made with other options"
    )
    daemon.tick(1.0)
    assert (at(daemon, 0).spec.next_index, at(daemon, 0).spec.options.language) == (0, "th")
    daemon.end(at(daemon, 0), Cause.BAD_FILE)
    drain(daemon)
    assert requests.redo(context, job(daemon), Overrides()) == f"job 1 ({failed.source}) is queued again"
    drain(daemon)
    assert (job(daemon).state, job(daemon).overrides) == (State.DONE, Overrides(language="th"))
    assert texts(daemon) == TEXTS


def test_attempts_and_batches_are_those_of_a_part(daemon):
    """What was too much for one part is no other one's fault."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.end(at(daemon, 1), Cause.OOM)
    daemon.tick(1.0)
    first, second, _ = daemon.context.ledger.parts(job(daemon))
    assert (first.batch_size, second.batch_size, at(daemon, 1).spec.options.batch_size) == (None, 4, 4)
    daemon.end(at(daemon, 1), Cause.CRASH)
    daemon.tick(1.0)
    assert sorted(daemon.pool.attempts) == ["1.0", "1.2"], "it waits, and another part does not"
    daemon.tick(1000.0)
    finish(daemon, 2)
    daemon.tick(1.0)
    assert sorted(daemon.pool.attempts) == ["1.0", "1.1"]
    assert [part.attempts for part in daemon.context.ledger.parts(job(daemon))] == [0, 1, 0]
    assert job(daemon).attempts == 1


def test_a_part_that_waits_for_its_next_try_keeps_the_job_waiting_where_no_other_may_begin(daemon):
    """The language is not known yet: nothing of it is begun before the wait is over."""
    daemon.tick(1.0)
    daemon.end(at(daemon, 0), Cause.CRASH)
    daemon.tick(1.0)
    assert (job(daemon).state, list(daemon.pool.attempts)) == (State.QUEUED, [])
    assert job(daemon).not_before > daemon.now + 20
    daemon.tick(100.0)
    assert list(daemon.pool.attempts) == ["1.0"]


def test_cancelling_ends_every_part(daemon):
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.ask("cancel", 1)
    daemon.tick(1.0)
    assert [attempt.killed for attempt in daemon.pool.attempts.values()] == [Cause.CANCELLED] * 2
    daemon.step(at(daemon, 1))
    assert job(daemon).state is State.RUNNING
    daemon.tick(1.0)
    assert list(daemon.pool.attempts) == ["1.0"]
    daemon.step(at(daemon, 0))
    assert job(daemon).state is State.CANCELLED


@pytest.mark.parametrize("told", [True, False], ids=["the inbox sees it", "a worker sees it"])
def test_a_changed_file_begins_anew_when_no_worker_has_the_old_one_any_more(daemon, told):
    """Nothing of the old text stays, and the new one is shared out itself."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.step(at(daemon, 1))
    daemon.step(at(daemon, 1))
    (daemon.config.paths.inbox / "a.mp3").write_text("other")
    if told:
        daemon.look()
    else:
        daemon.end(at(daemon, 1), Cause.CHANGED)
    assert {attempt.killed for attempt in daemon.pool.attempts.values()} == {Cause.CHANGED}
    for attempt in list(daemon.pool.attempts.values()):
        assert job(daemon).state is State.RUNNING
        daemon.step(attempt)
    row = job(daemon)
    assert (row.state, row.shared, row.chunks, row.size) == (State.QUEUED, None, 0, 5)
    assert not (daemon.config.paths.state / "work" / "1").exists()
    drain(daemon)
    assert texts(daemon) == [f"other {number}" for number in range(CHUNKS)]


def test_other_options_begin_anew(daemon):
    """What was heard with others may not be mixed with it."""
    finish(daemon, 0)
    transcribe = dataclasses.replace(daemon.config.transcribe, beam_size=2)
    daemon.context.config = dataclasses.replace(daemon.config, transcribe=transcribe)
    daemon.tick(1.0)
    assert (at(daemon, 0).spec.next_index, at(daemon, 0).spec.parts, job(daemon).shared) == (0, 0, None)
    drain(daemon)
    assert texts(daemon) == TEXTS


def test_what_a_disk_took_from_a_checkpoint_is_transcribed_again(daemon):
    """The transcript is made only of parts that are whole: one that is not goes on after its last good chunk."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    for number in (1, 0):
        finish(daemon, number)
    daemon.tick(1.0)
    work = daemon.config.paths.state / "work" / "1"
    lines = (work / "0.jsonl").read_bytes().splitlines(keepends=True)
    (work / "0.jsonl").write_bytes(b"".join(lines[:-1]))
    finish(daemon, 2)
    assert job(daemon).state is State.COMMITTING
    daemon.settle()
    assert (job(daemon).state, states(daemon)) == (State.QUEUED, ["queued", "done", "done"])
    daemon.tick(1.0)
    assert at(daemon, 0).spec.next_index == 1
    drain(daemon)
    assert texts(daemon) == TEXTS


def test_results_that_are_lost_before_they_are_in_place_are_written_again_with_the_same_warnings(daemon):
    """All parts are done: nothing is transcribed for it."""
    heard = daemon._chunk

    def silent(attempt):
        return dataclasses.replace(heard(attempt), segments=(), language="und", spoken="")

    daemon._chunk = silent
    for number in range(3):
        finish(daemon, number)
        daemon.tick(1.0)
    daemon.settle()
    for path in daemon.config.paths.transcripts.rglob("*"):
        path.unlink() if path.is_file() else None
    daemon.settle()
    assert job(daemon).state is State.QUEUED
    drain(daemon)
    assert (job(daemon).state, job(daemon).attempt) == (State.DONE, 3)
    assert job(daemon).warnings == ("no speech was found in 4s of sound",)


def test_parts_that_do_not_fit_together_are_no_transcript(daemon):
    """A worker that finds another border than its neighbour is tried again, and then the job fails in words."""
    lies = daemon._chunk

    def beside(attempt):
        chunk = lies(attempt)
        return dataclasses.replace(chunk, start=chunk.start + 100) if attempt.spec.number == 1 else chunk

    daemon._chunk = beside
    drain(daemon)
    drain(daemon)
    failed = job(daemon)
    assert failed.state is State.FAILED
    assert "part 2 of 3 (0:01 to 0:03): it does not begin where the part before it ends" in failed.error
    assert not failed.outputs
    daemon._chunk = lies
    daemon.ask("retry", 1)
    drain(daemon)
    assert texts(daemon) == TEXTS


def test_a_worker_that_found_another_border_than_its_neighbour_is_told_where_that_ended(daemon):
    """It may be of another kind of computer, which rounds otherwise: one more attempt, and the transcript is whole."""
    lies = daemon._chunk

    def beside(attempt):
        chunk, looks = lies(attempt), attempt.spec.number == 1 and not attempt.spec.places
        return dataclasses.replace(chunk, start=chunk.start + 100) if looks else chunk

    daemon._chunk = beside
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    finish(daemon, 1)
    finish(daemon, 0)
    drain(daemon)
    assert texts(daemon) == TEXTS
    assert [part.attempts for part in daemon.context.ledger.parts(job(daemon))] == [0, 1, 0]


def test_behind_an_attempt_that_went_wrong_what_lies_before_a_part_is_decoded(daemon):
    """Packets that are counted may be longer than what a decoder makes of them."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    assert at(daemon, 1).spec.passes
    daemon.end(at(daemon, 1), Cause.CRASH)
    daemon.tick(100.0)
    assert not at(daemon, 1).spec.passes


def test_a_fault_in_sttd_met_by_one_part_ends_all_of_its_job(daemon):
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.break_code(0)
    daemon.end(at(daemon, 1), Cause.SLICE)
    assert job(daemon).state is State.FAILED
    assert not daemon.context.running
    assert "running" not in states(daemon)


def test_a_part_whose_row_is_damaged_goes_on_from_its_checkpoint(daemon):
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    db = daemon.context.ledger._db
    db.execute("UPDATE parts SET state = x'ff' WHERE number = 0")
    db.execute("DELETE FROM parts WHERE number = 2")
    daemon.tick(61.0)
    assert at(daemon, 0).killed is Cause.ERROR
    drain(daemon)
    assert texts(daemon) == TEXTS


def test_a_job_whose_row_is_damaged_while_workers_have_parts_of_it_fails(daemon):
    """No end of a part brings it back; a retry does, with all that was done."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    daemon.context.ledger._db.execute("UPDATE jobs SET size = x'ff'")
    assert job(daemon).state is State.FAILED
    for number in (1, 0):
        daemon.end(at(daemon, number), Cause.SLICE)
    assert job(daemon).state is State.FAILED
    daemon.tick(61.0)
    assert not daemon.context.running


def test_an_attempt_that_nobody_works_on_any_more_is_taken_up_beside_others(daemon):
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    attempts.drop(daemon.context, daemon.context.running["1.1"])
    del daemon.pool.attempts["1.1"]
    sweep.sweep(daemon.context)
    assert (job(daemon).state, states(daemon)) == (State.RUNNING, ["running", "queued", "queued"])
    assert job(daemon).id in {each.job.id for each in daemon.context.running.values()}
    results.save(daemon.context)
    drain(daemon)
    assert texts(daemon) == TEXTS


def test_who_waits_has_a_worker_of_a_recording_that_has_several(daemon):
    """One part stops at the end of a batch, of those that have brought something; the recording keeps one worker."""
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    write(daemon, "bb.mp3")
    daemon.step(at(daemon, 1))
    daemon.tick(1.0)
    assert {key: attempt.killed for key, attempt in daemon.pool.attempts.items()} == {"1.0": Cause.ASKED, "1.1": None}
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    assert sorted(daemon.pool.attempts) == ["1.1", "2.0"]
    write(daemon, "ccc.mp3")
    daemon.step(at(daemon, 1))
    daemon.tick(1.0)
    assert at(daemon, 1).killed is None
    drain(daemon)
    assert texts(daemon) == TEXTS


def test_a_person_who_listens_hears_the_parts_in_their_order(daemon):
    """What a later part has brought is told when those before it are done."""
    heard: list[str] = []

    class Person(Nobody):
        listens = True

        def heard(self, job, chunks, done):
            heard.extend(segment.text for chunk in chunks for segment in chunk.segments)

    daemon.context.shared.listener = Person()
    daemon.step(at(daemon, 0))
    daemon.tick(1.0)
    finish(daemon, 1)
    daemon.tick(1.0)
    daemon.step(at(daemon, 2))
    assert heard == TEXTS[:1]
    daemon.step(at(daemon, 2))
    finish(daemon, 0)
    assert heard == TEXTS


def test_a_fault_while_the_progress_of_a_part_is_stored_leaves_nothing_half_stored(daemon):
    """The part had its windows, and the job knew of none."""
    for _ in range(2):
        daemon.step(at(daemon, 0))
    daemon.break_code(after=1)
    daemon.tick(0.0)
    assert job(daemon).state is State.FAILED
    assert job(daemon).chunks == sum(part.chunks for part in daemon.context.ledger.parts(job(daemon)))


def test_a_share_that_was_away_for_a_moment_was_so_once_however_many_workers_met_it(daemon):
    """Each of them says so, and the file is there again when that is heard: with many workers it was an error of the recording."""
    workers = []
    for _ in range(BELIEVED):
        daemon.step(at(daemon, 0))
        daemon.tick(1.0)
        workers.append(len(daemon.pool.attempts))
        for attempt in list(daemon.pool.attempts.values()):
            del daemon.pool.attempts[attempt.spec.part_id]
            carried = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}
            daemon.message(Failed(cause=Cause.GONE, error="it is not there", retriable=False, **carried))
        daemon.tick(2000.0)
    assert workers[0] > 1
    assert [part.attempts for part in daemon.context.ledger.parts(job(daemon))] == [0, 0, 0]

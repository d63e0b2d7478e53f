"""Commands that change something, with a daemon that answers and without one."""

from __future__ import annotations

import contextlib
import threading

import pytest

from sttd.job import State
from sttd.ledger import Ledger
from tests.cli.conftest import SOUND, failed, finished


@pytest.fixture
def answering(root, daemon):
    """A daemon that takes requests and does to the job what `act` says."""
    stop, threads = threading.Event(), []

    def answer(act):
        def loop():
            with contextlib.closing(Ledger.open(root / "state" / "ledger.db")) as ledger:
                while not stop.wait(0.02):
                    for number, request in ledger.take_requests():
                        act(ledger, request)
                        ledger.drop_request(number)

        threads.append(threading.Thread(target=loop))
        threads[-1].start()

    yield answer
    stop.set()
    for thread in threads:
        thread.join()


def kinds(ledger):
    return [(request.kind, request.job, request.arguments) for _, request in ledger.take_requests()]


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.VANISHED])
def test_retry_leaves_a_request(sttd, ledger, state):
    job = ledger.update(ledger.add("a.mp3", SOUND, 1.0), state=state)
    done = sttd("retry", str(job.id))
    assert done.code == 0
    assert "next start" in done.out
    assert kinds(ledger) == [("retry", job.id, {})]
    assert ledger.get(job.id).state is state


def test_what_cannot_be_done_is_refused_with_what_can(sttd, ledger, root):
    """Nothing is asked of the daemon then."""
    done = finished(ledger, "done.mp3").id
    gone = failed(ledger, "failed.mp3").id
    waits = ledger.add("queued.mp3", SOUND, 1.0).id
    committing = ledger.update(ledger.add("c.mp3", SOUND, 1.0), state=State.COMMITTING, plan={}).id
    for words, said in (
        (["retry", done], f"`sttd --root {root} redo {done}`"),
        (["retry", waits], "queued already"),
        (["cancel", done], "nothing to cancel"),
        (["cancel", gone], "nothing to cancel"),
        (["cancel", committing], "being put in place"),
        (["redo", gone], f"`sttd --root {root} retry {gone}`"),
        (["redo", waits], "wait for its end"),
        (["redo", done], "the source of job 1 is gone"),
    ):
        outcome = sttd(*map(str, words))
        assert outcome.code == 1, words
        assert said in outcome.err
        assert outcome.out == ""
    assert kinds(ledger) == []


@pytest.mark.parametrize("words", [["retry"], ["retry", "1", "--failed"]])
def test_retry_wants_one_job_or_all(sttd, words):
    done = sttd(*words)
    assert done.code == 2
    assert "sttd retry --failed" in done.err


def test_retry_all_that_failed(sttd, ledger):
    assert sttd("retry", "--failed").out == "no job has failed\n"
    failed(ledger, "a.mp3")
    failed(ledger, "b.mp3")
    assert "2 failed jobs" in sttd("retry", "--failed").out
    assert kinds(ledger) == [("retry-failed", None, {})]


def test_redo_takes_a_model_and_a_language(sttd, ledger, root):
    """Also where the configuration detects among several; a language that does not exist is refused at once."""
    (root / "inbox").mkdir()
    (root / "inbox" / "a.mp3").write_bytes(b"sound")
    job = finished(ledger, "a.mp3")
    languages = ["--set", "transcribe.languages=th,en"]
    wrong = sttd("redo", str(job.id), "--language", "thaii")
    assert wrong.code == 2
    assert kinds(ledger) == []
    done = sttd("redo", str(job.id), "--language", "en", "--model", "large-v3", *languages)
    assert done.code == 0, done.err
    assert kinds(ledger) == [("redo", job.id, {"model": "large-v3", "language": "en"})]


def test_redo_of_a_source_that_was_deleted_says_so(sttd, ledger):
    job = finished(ledger, "a.mp3", location="")
    assert "output.source" in sttd("redo", str(job.id)).err


def test_pause_and_resume(sttd, ledger):
    assert sttd("pause").code == 0
    assert sttd("resume").code == 0
    assert [kind for kind, _, _ in kinds(ledger)] == ["pause", "resume"]


def test_what_a_running_daemon_did_is_said(sttd, ledger, answering):
    first, second = ledger.add("a.mp3", SOUND, 1.0), failed(ledger, "b.mp3")
    states = {"cancel": State.CANCELLED, "retry": State.QUEUED}

    def act(daemon, request):
        if request.kind == "pause":
            daemon.set_fact("paused", True)
        else:
            daemon.update(daemon.get(request.job), state=states[request.kind])

    answering(act)
    assert sttd("cancel", str(first.id)).out == "job 1 (a.mp3) is cancelled\n"
    assert sttd("retry", str(second.id)).out == "job 2 (b.mp3) is queued again\n"
    assert sttd("pause").out.startswith("paused")


def test_the_number_of_the_new_job_is_said(sttd, ledger, answering, root):
    (root / "inbox").mkdir()
    (root / "inbox" / "a.mp3").write_bytes(b"sound")
    job = finished(ledger, "a.mp3")
    answering(lambda daemon, request: daemon.add("a.mp3", SOUND, 2.0, redo_of=request.job))
    assert sttd("redo", str(job.id)).out == "job 1 (a.mp3) is done again as job 2\n"


def test_a_cancel_that_comes_too_late_is_told(sttd, ledger, answering):
    """The job was finished between the look and the request."""
    job = ledger.update(ledger.add("a.mp3", SOUND, 1.0), state=State.RUNNING)
    answering(lambda daemon, request: daemon.update(daemon.get(request.job), state=State.COMMITTING, plan={}))
    done = sttd("cancel", str(job.id))
    assert done.code == 1
    assert "could not be cancelled any more" in done.err


def test_a_daemon_that_does_not_answer_is_not_waited_for_long(sttd, ledger, daemon, monkeypatch):
    """A stopped daemon holds its lock: the request stays, and that is said."""
    monkeypatch.setattr("sttd.cli.ask.PATIENCE", 0.2)
    job = ledger.add("a.mp3", SOUND, 1.0)
    done = sttd("cancel", str(job.id))
    assert done.code == 0
    assert "will be cancelled" in done.out
    assert kinds(ledger) == [("cancel", 1, {})]


def test_nothing_is_created_where_no_daemon_ever_ran(tmp_path, process):
    done = process("--root", str(tmp_path / "new"), "pause")
    assert done.returncode == 1
    assert "there is no ledger" in done.stderr
    assert not (tmp_path / "new").exists()

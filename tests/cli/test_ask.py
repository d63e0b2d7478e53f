"""Commands that change something, with a daemon that answers and without one."""

from __future__ import annotations

import contextlib
import os
import threading

import pytest

from sttd.job import State
from sttd.ledger import SPOOL, Answer, Ask, Ledger, Request
from sttd.ledger.spool import Spool
from tests.cli.conftest import SOUND, failed, finished
from tests.harness import PATIENCE


@pytest.fixture
def answering(root, daemon, monkeypatch):
    """A daemon that takes requests, and answers what `act` returns."""
    monkeypatch.setattr("sttd.cli.ask.PATIENCE", PATIENCE)
    stop, threads = threading.Event(), []

    def answer(act):
        def loop():
            spool = Spool(root / "state" / SPOOL)
            with contextlib.closing(Ledger.open(root / "state" / "ledger.db")) as ledger:
                while not stop.wait(0.02):
                    for name in spool.names() or ():
                        ledger.set_answer(name, act(spool.read(name).request), 1.0)
                        spool.remove(name)

        threads.append(threading.Thread(target=loop))
        threads[-1].start()

    yield answer
    stop.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.VANISHED])
def test_retry_leaves_a_request(sttd, ledger, asked, state):
    job = ledger.update(ledger.add("a.mp3", SOUND, 1.0), state=state)
    done = sttd("retry", str(job.id))
    assert done.code == 0
    assert "next start" in done.out
    assert asked() == [Request(Ask.RETRY, job.id)]
    assert ledger.get(job.id).state is state


def test_what_cannot_be_done_is_refused_with_what_can(sttd, ledger, asked, root):
    """Nothing is asked of the daemon then."""
    done = finished(ledger, "done.mp3").id
    gone = failed(ledger, "failed.mp3").id
    waits = ledger.add("queued.mp3", SOUND, 1.0).id
    for words, said in (
        (["retry", done], f"`sttd --root {root} redo {done}`"),
        (["retry", waits], "queued already"),
        (["cancel", done], "nothing to cancel"),
        (["cancel", gone], "nothing to cancel"),
        (["redo", gone], f"the source of job {gone} is gone"),
        (["redo", waits], "wait for its end"),
        (["redo", done], "the source of job 1 is gone"),
    ):
        outcome = sttd(*map(str, words))
        assert outcome.code == 1, words
        assert said in outcome.err
        assert outcome.out == ""
    assert asked() == []


@pytest.mark.parametrize("words", [["retry"], ["retry", "1", "--failed"]])
def test_retry_wants_one_job_or_all(sttd, words, root):
    done = sttd(*words)
    assert done.code == 2
    assert f"`sttd --root {root} retry --failed`" in done.err


@pytest.mark.parametrize(
    ("command", "state", "kind"),
    [
        ("retry", State.FAILED, Ask.RETRY),
        ("cancel", State.QUEUED, Ask.CANCEL),
        ("next", State.QUEUED, Ask.NEXT),
    ],
)
def test_several_jobs_are_asked_for_at_once(sttd, ledger, asked, command, state, kind):
    """What cannot be done for one is told, and done for the others; a number that no job has does nothing at all."""
    able = [ledger.add(f"{number}.mp3", SOUND, 1.0, state=state).id for number in range(2)]
    done = finished(ledger, "done.mp3").id
    assert sttd(command, str(able[0]), "99").code == 2
    assert asked() == []
    outcome = sttd(command, str(able[0]), str(done), str(able[1]), str(able[0]))
    assert outcome.code == 1
    assert sorted(line.partition(" will")[0] for line in outcome.out.splitlines()) == [
        f"job {able[0]} (0.mp3)", f"job {able[1]} (1.mp3)",
    ]  # fmt: skip
    assert f"sttd: job {done} is done" in outcome.err
    order = able[::-1] if kind is Ask.NEXT else able  # each goes before the earlier ones
    assert asked() == [Request(kind, number) for number in order]


def test_more_jobs_than_can_be_before_all_others_are_refused_at_the_door(sttd, ledger, asked):
    """Those behind the twentieth were dropped without a word."""
    numbers = [str(ledger.add(f"{number}.mp3", SOUND, 1.0).id) for number in range(21)]
    outcome = sttd("next", *numbers)
    assert outcome.code == 2
    assert "21 jobs are named, and 20 can be before all others" in outcome.err
    assert asked() == []


def test_only_what_waits_for_a_worker_can_be_the_next(sttd, ledger, asked):
    running = ledger.add("r.mp3", SOUND, 1.0, state=State.RUNNING).id
    twin = ledger.add("t.mp3", SOUND, 1.0, copy_of=running).id
    gone = failed(ledger, "f.mp3").id
    for number, said in ((running, "is running already"), (twin, f"next {running}`"), (gone, f"retry {gone}`")):
        outcome = sttd("next", str(number))
        assert (outcome.code, said in outcome.err) == (1, True), outcome.err
    assert asked() == []


def test_retry_all_that_failed(sttd, ledger, asked):
    assert sttd("retry", "--failed").out == "no job has failed\n"
    failed(ledger, "a.mp3")
    failed(ledger, "b.mp3")
    assert "2 failed jobs" in sttd("retry", "--failed").out
    assert asked() == [Request(Ask.RETRY_FAILED)]


@pytest.fixture
def archived(root, ledger):
    """A job that is done, whose source is there."""
    (root / "inbox").mkdir()
    (root / "inbox" / "a.mp3").write_bytes(b"sound")
    return finished(ledger, "a.mp3")


def test_redo_takes_a_model_and_a_language(sttd, archived, asked):
    """Also where the configuration detects among several; a language that does not exist is refused at once."""
    languages = ["--set", "transcribe.languages=th,en"]
    wrong = sttd("redo", str(archived.id), "--language", "thaii")
    assert wrong.code == 2
    assert asked() == []
    done = sttd("redo", str(archived.id), "--language", "en", "--model", "demo", *languages)
    assert done.code == 0, done.err
    assert asked() == [Request(Ask.REDO, archived.id, model="demo", language="en")]


def test_what_came_to_no_result_is_done_again_too(sttd, ledger, asked, root):
    """Also with another model or language, which a retry does not take."""
    (root / "inbox").mkdir()
    (root / "inbox" / "a.mp3").write_bytes(b"sound")
    job = failed(ledger, "a.mp3")
    done = sttd("redo", str(job.id), "--language", "th")
    assert (done.code, done.err) == (0, "")
    assert asked() == [Request(Ask.REDO, job.id, language="th")]


def test_several_jobs_are_done_again_at_once(sttd, archived, asked, root, ledger):
    """As with the other commands, what cannot be is told, and the others are asked for."""
    (root / "inbox" / "b.mp3").write_bytes(b"sound")
    other, gone = finished(ledger, "b.mp3"), finished(ledger, "c.mp3")
    outcome = sttd("redo", str(archived.id), str(gone.id), str(other.id), "--language", "en")
    assert outcome.code == 1
    assert f"the source of job {gone.id} is gone" in outcome.err
    assert asked() == [Request(Ask.REDO, job.id, language="en") for job in (archived, other)]


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        ("smal", 2, "did you mean 'small'?"),
        (os.fsdecode(b"\xff"), 2, "no text that can be read"),
        ("small", 1, "sttd model pull small"),
        ("/opt/others", 2, "below no folder that the configuration names"),
        ("/opt/models/../others", 2, "below no folder that the configuration names"),
        ("./models", 2, "below no folder that the configuration names"),
        ("/opt/models/none", 1, "none"),
    ],
)
def test_a_model_that_no_worker_could_load_is_refused_at_the_door(
    sttd, archived, asked, model, code, said, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    done = sttd("--set", "model.name=/opt/models", "redo", str(archived.id), "--model", model)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert asked() == []


def test_a_model_that_is_not_here_may_be_on_another_machine(sttd, archived, asked, tmp_path, monkeypatch):
    """The daemon, which knows them, looks for no model here either."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    file = tmp_path / "others.toml"
    file.write_text('[[pool.remote]]\nname = "gpu1"\ncommand = ["ssh", "gpu1", "sttd", "worker"]\n')
    assert "did you mean" in sttd("--config", str(file), "redo", str(archived.id), "--model", "smal").err
    done = sttd("--config", str(file), "redo", str(archived.id), "--model", "small")
    assert done.code == 0, done.err
    assert asked() == [Request(Ask.REDO, archived.id, model="small")]


def test_redo_of_a_source_that_is_gone_says_so_and_not_that_it_was_deleted_for_sure(sttd, ledger):
    job = finished(ledger, "a.mp3", location="")
    assert "is gone (deleted, as output.source says, replaced or taken away)" in sttd("redo", str(job.id)).err


def test_pause_and_resume(sttd, ledger, asked):
    assert sttd("pause").code == 0
    assert sttd("resume").code == 0
    assert [request.kind for request in asked()] == ["pause", "resume"]


def test_a_command_prints_what_the_daemon_answers(sttd, ledger, answering):
    """Its own request is the one that it waits for, whatever the job looks like meanwhile."""
    failed(ledger, "a.mp3")
    answering(lambda request: Answer(ok=True, text=f"{request.kind} of {request.job} is done"))
    for _ in range(5):
        assert sttd("retry", "1").out == "retry of 1 is done\n"


def test_a_command_waits_for_the_answer_to_its_own_request(sttd, ledger, answering, monkeypatch):
    """Another person's is there first; the daemon comes to this one only after the command has looked."""
    failed(ledger, "a.mp3")
    ledger.set_answer("9" * 20 + "-" + "0" * 16, Answer(ok=True, text="another request is done"), 1.0)
    answer, looked = Ledger.answer, threading.Event()

    def look(ledger, request):
        found = answer(ledger, request)
        looked.set()
        return found

    def act(request):
        assert looked.wait(PATIENCE)
        return Answer(ok=True, text=f"{request.kind} of {request.job} is done")

    monkeypatch.setattr(Ledger, "answer", look)
    answering(act)
    assert sttd("retry", "1").out == "retry of 1 is done\n"


def test_what_the_daemon_advises_is_printed_as_the_command_for_its_ledger(sttd, ledger, answering, root):
    """The daemon may have been started with other words for the same folders."""
    answering(lambda request: Answer(ok=True, text="paused: no further job starts until `sttd resume`"))
    assert sttd("pause").out == f"paused: no further job starts until `sttd --root {root} resume`\n"


def test_what_the_daemon_refuses_is_an_error_in_its_words(sttd, ledger, answering):
    """The job was finished between the look and the request, say."""
    ledger.update(ledger.add("a.mp3", SOUND, 1.0), state=State.RUNNING)
    answering(lambda request: Answer(ok=False, text="job 1 is done: there is nothing to cancel"))
    done = sttd("cancel", "1")
    assert (done.code, done.out) == (1, "")
    assert done.err == "sttd: job 1 is done: there is nothing to cancel\n"


def test_a_daemon_that_does_not_answer_is_not_waited_for_long(sttd, ledger, daemon, asked, monkeypatch):
    """A stopped daemon still counts as one that runs: the request stays, and the command says so."""
    monkeypatch.setattr("sttd.cli.ask.PATIENCE", 0.2)
    job = ledger.add("a.mp3", SOUND, 1.0)
    done = sttd("cancel", str(job.id))
    assert done.code == 0
    assert "will be cancelled" in done.out
    assert asked() == [Request(Ask.CANCEL, 1)]


def test_nothing_is_created_where_no_daemon_ever_ran(tmp_path, process):
    done = process("--root", str(tmp_path / "new"), "pause")
    assert done.returncode == 1
    assert "there is no ledger" in done.stderr
    assert not (tmp_path / "new").exists()

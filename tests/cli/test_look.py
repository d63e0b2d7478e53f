"""`status`, `jobs` and `show`, for programs and for pipes."""

from __future__ import annotations

import json
import os
import re
import time

import pytest
from rich.cells import cell_len

from sttd.fs.lock import Lock
from sttd.job import State
from sttd.ledger import LOCK, facts
from sttd.text import printable
from tests.cli.conftest import HOSTILE, SOUND, THAI, failed, finished, lives

LIVE = {
    "workers": [
        {"pid": 4243, "state": "busy", "job": 1, "source": THAI, "model": "small", "progress": 0.361, "done": 13.0, "total": 36.0},
        {"pid": 4244, "state": "idle", "job": None, "source": None, "model": None, "progress": None, "done": 0.0, "total": None},
    ],
    "memory": {"percent": 83.4, "level": "moderate"},
    "inbox": {"ignored": {"hidden": 2}, "settling": 3, "away": None},
    "trouble": ["model small is not here"],
}  # fmt: skip
JOB = [
    "id", "source", "state", "attempts", "resumes", "chunks", "audio_seconds", "language", "model", "requested_model",
    "fallback_reason", "error", "outputs",
]  # fmt: skip


def test_status_before_the_first_start(tmp_path, process):
    """A program gets zeros, a person what to do."""
    status = json.loads(process("--root", str(tmp_path / "new"), "status", "--json").stdout)
    assert status["daemon"] == {"running": False, "pid": None, "since": None, "version": None, "silent": None}
    assert set(status["jobs"].values()) == {0}
    assert status["workers"] == []
    assert json.loads(process("--root", str(tmp_path / "new"), "jobs", "--json").stdout) == []
    done = process("--root", str(tmp_path / "new"), "status")
    assert done.returncode == 3
    assert re.fullmatch(r"sttd: there is no ledger at .*: start the daemon .*\n", done.stderr)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("words", [("status",), ("jobs",), ("wait", "1"), ("report",), ("search", "word")])
def test_who_named_a_folder_without_a_ledger_is_told_the_command_for_that_folder(tmp_path, process, words):
    named = tmp_path / "new"
    done = process("--root", str(named), *words)
    asks = f"start the daemon (sttd --root {named} run), or name another folder with --root or --config"
    assert done.stderr == f"sttd: there is no ledger at {named}/state/ledger.db: {asks}\n"


def test_status_of_a_daemon_that_runs(sttd, ledger, daemon):
    """The keys of the contract come first, in its order."""
    lives(ledger, LIVE)
    ledger.update(ledger.add(THAI, SOUND, 1.0), state=State.RUNNING)
    status = json.loads(sttd("status", "--json").out)
    assert list(status)[:4] == ["daemon", "jobs", "workers", "memory"]
    assert list(status["daemon"]) == ["running", "pid", "since", "version", "silent"]
    assert status["daemon"]["running"] is True
    assert list(status["jobs"])[:5] == ["queued", "running", "done", "failed", "cancelled"]
    assert status["jobs"]["running"] == 1
    assert list(status["workers"][0])[:5] == ["pid", "state", "job", "model", "progress"]
    assert status["workers"][0]["progress"] == 0.361
    assert status["memory"] == {"percent": 83.4, "level": "moderate"}


def test_what_a_daemon_that_is_gone_said_last_is_not_shown(sttd, ledger):
    """Its workers are gone too, and its memory is given back."""
    about = {"pid": os.getpid(), "since": 1.0, "version": "0.1.0"}
    ledger.set_fact(facts.DAEMON, about | {"live": str(ledger.path.with_name("live.json"))})
    lives(ledger, LIVE)
    status = json.loads(sttd("status", "--json").out)
    assert status["daemon"] == {"running": False, "pid": None, "since": None, "version": None, "silent": None}
    assert status["workers"] == []
    assert "worker" not in sttd("status").out


def test_status_in_a_pipe_is_plain_and_stays_in_its_columns(process, ledger, daemon):
    lives(ledger, LIVE)
    lines = process("status", env={"FORCE_COLOR": "1", "PATH": "/bin"}).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["daemon", "trouble", "jobs", "memory", "inbox", "worker", "worker"]
    assert all(line[9] != " " and line[8] == " " for line in lines)
    assert not any("\x1b" in line for line in lines)
    assert f"worker   4243 busy model small job 1 36% {THAI}" in lines


def test_jobs_for_programs(sttd, ledger):
    """The contract's keys in its order; a name's bytes come back whatever they are."""
    finished(ledger, THAI, model="base", fallback_reason="load timed out after 5 minutes")
    failed(ledger, HOSTILE)
    done = sttd("jobs", "--json")
    found = json.loads(done.out)
    assert done.out.isascii()
    assert [list(job)[: len(JOB)] for job in found] == [JOB, JOB]
    assert found[0]["fallback_reason"] == "load timed out after 5 minutes"
    assert found[0]["outputs"] == [f"/out/{THAI}.th.txt"]
    assert found[1]["source"] == HOSTILE
    assert (found[1]["state"], found[1]["error"]) == ("failed", "the file holds no audio")


def test_no_jobs_are_an_empty_list(sttd):
    assert json.loads(sttd("jobs", "--json").out) == []


def test_jobs_in_a_pipe(sttd, ledger):
    """A heading, then a line a job whatever its name holds; the error comes after the only tab."""
    finished(ledger, THAI)
    failed(ledger, HOSTILE, "not\tgood")
    finished(ledger, "cut.mp3", warnings=("ends\nearly", "silent"))
    head, *lines = sttd("jobs").out.split("\n")[:-1]
    assert len(lines) == 3
    column = head.index("SOURCE")
    assert lines[0][column:] == THAI
    assert [time.strptime(line[head.index("WHEN") : column].strip(), "%Y-%m-%d %H:%M") for line in lines]
    assert lines[1][column:] == "evil\\x1b[31m\\x0aname\\xff.ogg\tnot\\x09good"
    assert lines[2][column:] == "cut.mp3\tends\\x0aearly; silent"


def test_jobs_of_one_state(sttd, ledger):
    """A transcript that is being put in place counts as running."""
    finished(ledger, "done.mp3")
    committing = ledger.update(ledger.add("a.mp3", SOUND, 1.0), state=State.COMMITTING, plan={})
    running = ledger.update(ledger.add("b.mp3", SOUND, 1.0), state=State.RUNNING)
    found = json.loads(sttd("jobs", "--state", "running", "--json").out)
    assert [job["id"] for job in found] == [committing.id, running.id]
    assert [job["state"] for job in found] == ["committing", "running"]
    assert json.loads(sttd("status", "--json").out)["jobs"]["running"] == 2
    assert sttd("jobs", "--state", "runing").code == 2


def test_the_newest_jobs_are_the_last_lines(sttd, ledger):
    for number in range(5):
        ledger.add(f"{number}.mp3", SOUND, float(number))
    assert [job["id"] for job in json.loads(sttd("jobs", "--json", "--limit", "2").out)] == [4, 5]


def test_one_chunk_is_written_as_one(sttd, ledger):
    for chunks, words in ((1, "1 chunk"), (2, "2 chunks"), (0, "0 chunks")):
        job = finished(ledger, f"{chunks}.mp3", chunks=chunks)
        assert f"done in {words}\n" in sttd("show", str(job.id)).out


def test_show_tells_all(sttd, ledger):
    fallback = {"model": "base", "fallback_reason": "load timed out after 5 minutes"}
    job = finished(ledger, THAI, **fallback, warnings=("the file ends early", "a\x1b[31m"))
    text = sttd("show", str(job.id)).out
    for said in (
        THAI,
        "done",
        "base",
        "small",
        "load timed out after 5 minutes",
        f"/out/{THAI}.th.txt",
        "worker 4242",
        "1min",
        "warning      the file ends early\nwarning      a\\x1b[31m\n",
    ):
        assert said in text
    found = json.loads(sttd("show", str(job.id), "--json").out)
    assert list(found)[: len(JOB)] == JOB
    assert found["history"][0]["pid"] == 4242
    assert found["warnings"] == ["the file ends early", "a\x1b[31m"]


@pytest.mark.parametrize("command", ["show", "retry", "cancel", "redo"])
def test_a_job_that_does_not_exist_is_a_usage_error(sttd, ledger, asked, command):
    ledger.add("a.mp3", SOUND, 1.0)
    for number in (17, 10**20):  # SQLite has no number that is so large
        done = sttd(command, str(number))
        assert done.code == 2
        assert f"there is no job {number}: the newest is 1" in done.err
    assert asked() == []


@pytest.mark.parametrize("option", ["--before", "--limit"])
def test_a_number_that_no_job_can_have_is_a_usage_error(sttd, ledger, option):
    done = sttd("jobs", option, str(10**20))
    assert (done.code, "is not in the range" in done.err) == (2, True)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_the_exit_code_of_status_is_a_health_check(sttd, ledger, root, more):
    """3: it does not run. 1: something holds it up. 0: it works, also while a person has paused it."""
    assert sttd("status", *more).code == 3
    lock = Lock(root / "state" / LOCK, "the state folder")
    about = {"pid": os.getpid(), "since": 1.0, "version": "0.1.0", "live": str(ledger.path.with_name("live.json"))}
    ledger.set_fact(facts.DAEMON, about)
    try:
        assert sttd("status", *more).code == 0
        lives(ledger, LIVE)
        assert sttd("status", *more).code == 1
        lives(ledger, LIVE | {"trouble": []})
        ledger.set_fact(facts.PAUSED, value=True)
        assert sttd("status", *more).code == 0
        lives(ledger, LIVE | {"trouble": [], "inbox": {"away": "it is not mounted"}})
        assert sttd("status", *more).code == 1
    finally:
        lock.release()


FORGED = "\x1b[2J\x1b[31m\nsttd: all is well\u202e\x9b"


@pytest.mark.parametrize("words", [["jobs"], ["show", "1"], ["status"], ["retry", "1"], ["cancel", "1"], ["redo", "1"]])
def test_a_forged_ledger_forges_no_line_and_no_colour(sttd, ledger, daemon, words, monkeypatch):
    """Every column that holds text holds escape sequences; they are shown as what they are."""
    monkeypatch.setattr("sttd.cli.ask.PATIENCE", 0.0)
    finished(ledger, "a.mp3")
    table = {name: kind for _, name, kind, *_ in ledger._db.execute("PRAGMA table_info(jobs)")}
    kept = {"state", "overrides", "outputs", "warnings", "plan", "source", "location"}
    values = {name: FORGED for name, kind in table.items() if kind == "TEXT" and name not in kept}
    lists = {"outputs": json.dumps([FORGED]), "warnings": json.dumps([FORGED])}
    values |= {"source": FORGED.encode(), **lists, "overrides": json.dumps({"model": FORGED})}
    assert {"error", "model", "language", "fallback_reason", "cause"} <= set(values)
    marks = ", ".join(f"{name} = ?" for name in values)
    ledger._db.execute(f"UPDATE jobs SET {marks}", tuple(values.values()))
    ledger._db.execute("UPDATE attempts SET cause = ?, error = ?", (FORGED, FORGED))
    worker = dict.fromkeys(("state", "model", "source"), FORGED) | LIVE["workers"][0]
    lives(ledger, LIVE | {"workers": [worker | {"job": 1}], "trouble": [FORGED], "inbox": {"away": FORGED}})
    done = sttd(*words)
    for line in (done.out + done.err).splitlines():
        assert all(character in "\t\\" or printable(character) == character for character in line), line
        assert not line.startswith("sttd: all is well")


def test_a_job_that_a_worker_has_is_told_of_as_it_is_now(sttd, ledger, daemon):
    """What its last attempt died of is past: it is named as that, and no longer as the job's error."""
    job = ledger.update(ledger.add("a.mp3", SOUND, 1.0), state=State.RUNNING, attempt=1, started_at=1_000_000.0)
    job = ledger.update(job, state=State.QUEUED, error="killed by SIGKILL", cause="crash", audio_seconds=900.0)
    (waiting,) = json.loads(sttd("jobs", "--json").out)
    assert waiting["error"] == "killed by SIGKILL"
    ledger.update(job, state=State.RUNNING, attempt=2, started_at=1_000_100.0)
    worker = LIVE["workers"][0] | {"job": job.id, "attempt": 2, "resumed_at": 300.0}
    lives(ledger, LIVE | {"workers": [worker]})
    (running,) = json.loads(sttd("jobs", "--json").out)
    assert (running["error"], running["cause"], running["attempt"]) == (None, None, 2)
    assert running["last_error"] == "killed by SIGKILL"
    assert "SIGKILL" not in sttd("jobs").out
    shown = dict(line.split("  ", 1) for line in sttd("show", "1").out.splitlines())
    assert shown["state"].strip().startswith("running: attempt 2 from 5:00, since ")
    assert shown["last error"].strip() == "killed by SIGKILL"
    assert "error" not in shown
    assert "job 1 attempt 2 from 5:00 36%" in sttd("status").out


def test_a_job_whose_files_are_being_put_in_place_is_not_running(sttd, ledger, daemon):
    """To programs it is still under way; how long the work on its files takes is told."""
    job = ledger.update(ledger.add("a.mp3", SOUND, 1.0), state=State.COMMITTING, plan={})
    operation = {"name": "puts the results of a.mp3 in place", "job": job.id, "since": time.time() - 75}
    lives(ledger, LIVE | {"workers": [], "trouble": [], "operations": [operation]})
    shown = sttd("status")
    assert shown.code == 0
    assert "0 running" in shown.out
    assert "1 being filed" in shown.out
    assert f"files    job {job.id}: puts the results of a.mp3 in place, for 1min 1" in shown.out
    status = json.loads(sttd("status", "--json").out)
    assert (status["jobs"]["running"], status["jobs"]["committing"]) == (1, 1)
    assert status["operations"] == [operation]
    old = operation | {"since": time.time() - 1000}
    lives(ledger, LIVE | {"trouble": [], "operations": [old]})
    assert sttd("status").code == 1
    lives(ledger, LIVE | {"trouble": [], "operations": [old | {"moved": time.time() - 10}]})
    assert sttd("status").code == 0, "a large file takes its time"


def test_the_columns_of_a_pipe_stay_whatever_a_model_is_called(sttd, ledger):
    names = (
        "small",
        "/srv/models/whisper-large-v3-thai-combined-ct2",
        "/srv/แบบจำลองเสียงพูดภาษาไทยขนาดใหญ่/",
        "Systran/faster-whisper-large-v3",
    )
    for name in names:
        finished(ledger, "talk.mp3", model=name, audio_seconds=360_000.0)
    head, *rows = sttd("jobs").out.splitlines()
    assert {cell_len(row[: row.index("talk.mp3")]) for row in rows} == {head.index("SOURCE")}
    assert "ai-combined-ct2" in rows[1]

"""Requests from a folder where anybody of the group may put anything: what is asked is done once, the rest harms nobody."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import signal
import socket
import sqlite3
import stat
import time

import pytest

from sttd.daemon import requests
from sttd.errors import LedgerError
from sttd.job import Identity, Overrides, State
from sttd.ledger import SPOOL, Answer, Ask, Ledger, Request, facts, refused, schema, spool
from sttd.ledger.names import REFUSED
from sttd.ledger.request import MOST_FIRST
from sttd.ledger.spool import leave
from sttd.part import Cause
from sttd.rules import refusals
from tests.properties.stations import Stations

NAME = f"{1:020d}-{1:016x}"
LATER = f"{2:020d}-{1:016x}"


@pytest.fixture
def stations(tmp_path):
    made = Stations(tmp_path, "archive")
    yield made
    made.context.ledger.close()


@pytest.fixture
def folder(stations):
    return stations.config.paths.state / SPOOL


@pytest.fixture
def aside(folder):
    """Where a copy of what is no request is kept."""
    return folder.with_name(REFUSED)


def put(path, data=b"{}"):
    path.write_bytes(data)


def ended(stations, state=State.FAILED, name="a.mp3"):
    """A job that came to no result."""
    (stations.inbox.root / name).write_text("sound")
    stations.look()
    ledger = stations.context.ledger
    return ledger.update(ledger.latest(name), state=state)


def done(stations):
    (stations.inbox.root / "done.mp3").write_text("sound")
    for _ in range(3):
        stations.go_on()
    (job,) = stations.context.ledger.jobs()
    assert job.state is State.DONE
    return job


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no JSON",
        b"[]",
        b"7",
        b"[" * 60_000,
        b'{"kind": ' + b"9" * 60_000 + b"}",
        b"{}",
        b'{"kind": "format"}',
        b'{"kind": ["retry"], "job": 1}',
        b'{"kind": "retry"}',
        b'{"kind": "retry", "job": "1"}',
        b'{"kind": "retry", "job": true}',
        b'{"kind": "retry", "job": 1e400}',
        b'{"kind": "retry", "job": 99999999999999999999}',
        b'{"kind": "retry", "job": -1}',
        b'{"kind": "retry", "job": 1, "plan": {}}',
        b'{"kind": "redo", "job": 1, "model": "\\udcff"}',
        b'{"kind": "redo", "job": 1, "model": ["small"]}',
        b'{"kind": "redo", "job": 1, "model": "a\\nb"}',
        b'{"kind": "pause", "model": "' + b"x" * 2**16 + b'"}',
        b"\xff\xfe\x00",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_is_no_request_is_set_aside_and_named_once(stations, folder, aside, log, data):
    """The daemon lives, also at its next start, and does what others ask. The log has the path of the copy."""
    put(folder / NAME, data)
    leave(folder, Request(Ask.PAUSE), LATER)
    stations.tick(1.0)
    stations.crash(halfway=False)
    stations.tick(1.0)
    assert os.listdir(folder) == []
    assert stations.context.ledger.fact(facts.PAUSED) is True
    (line,) = [line for line in log if "is no request" in line]
    (copy,) = aside.iterdir()
    assert f"left by user {os.getuid()}, is no request and is set aside as {copy}" in line
    assert copy.read_bytes() == data[: spool.LIMIT]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (aside, copy)] == [0o700, 0o600]


def test_no_file_is_opened_but_a_regular_one_and_nothing_is_waited_for(stations, folder, aside, tmp_path, monkeypatch):
    """Links, FIFOs, sockets and folders under a request's name; a request that is somebody else's file too."""
    secret = tmp_path / "secret"
    put(secret, b'{"kind": "pause"}')
    (folder / NAME).symlink_to(secret)
    os.link(secret, folder / LATER)
    os.mkfifo(folder / f"{3:020d}-{1:016x}")
    (folder / f"{4:020d}-{1:016x}").mkdir()
    (folder / f"{5:020d}-{1:016x}" / "full").mkdir(parents=True)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as bound:
        monkeypatch.chdir(folder)  # an address has at most 107 bytes
        bound.bind(f"{6:020d}-{1:016x}")
    stations.tick(1.0)
    assert os.listdir(folder) == [f"{5:020d}-{1:016x}"]
    assert secret.exists()
    assert not aside.exists()  # somebody else's file is not copied either
    assert stations.context.ledger.fact(facts.PAUSED) is False


def test_a_request_of_a_terabyte_costs_64_kib(stations, folder, aside, log):
    with (folder / NAME).open("wb") as file:
        file.truncate(2**40)
    stations.tick(1.0)
    assert os.listdir(folder) == []
    assert [line for line in log if "(its first 64 KiB): it is larger than 64 KiB" in line]
    assert [path.stat().st_size for path in aside.iterdir()] == [2**16]


def test_copies_are_bounded_in_number_bytes_and_age_and_the_oldest_go_first(stations, folder, aside, monkeypatch):
    monkeypatch.setattr(refused, "MOST", 5)
    monkeypatch.setattr(refused, "MOST_BYTES", 50)
    for number in range(8):
        put(folder / NAME, b"%d" % number)
        stations.tick(1.0)
    assert [path.read_bytes() for path in sorted(aside.iterdir())] == [b"3", b"4", b"5", b"6", b"7"]
    put(folder / NAME, b"x" * 48)
    stations.tick(1.0)
    assert [path.read_bytes() for path in sorted(aside.iterdir())] == [b"6", b"7", b"x" * 48]
    (aside / "a note").touch()  # of an administrator
    oldest = min(aside.iterdir())
    oldest.rename(aside / f"{int((time.time() - refused.KEPT - 1) * 1e9):020d}-0-00000000")
    stations.crash(halfway=False)
    stations.tick(1.0)
    assert sorted(path.read_bytes() for path in aside.iterdir()) == [b"", b"7", b"x" * 48]


@pytest.mark.parametrize("taken", ["link", "file", "full"])
def test_what_cannot_be_set_aside_is_removed_all_the_same(stations, folder, aside, tmp_path, log, monkeypatch, taken):
    """A link that was put there while the group could write to the state folder; a disk that is full."""
    (tmp_path / "other").mkdir()
    if taken == "link":
        aside.symlink_to(tmp_path / "other")
    elif taken == "file":
        aside.touch()
    else:
        monkeypatch.setattr(refused, "_make_room", lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1])))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # EFBIG, as ENOSPC: some bytes have no room
    put(folder / NAME, b"no JSON")
    try:
        stations.context.requests.spool.refuse(NAME, "it is none")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    stations.tick(1.0)
    assert os.listdir(folder) == []
    assert [line for line in log if "is removed (no copy could be set aside: " in line]
    assert os.listdir(tmp_path / "other") == []
    assert taken != "full" or os.listdir(aside) == []


def test_what_is_being_written_is_left_alone_until_it_is_litter(stations, folder):
    for name in (".new", ".old", ".ahead"):
        put(folder / name)
    os.utime(folder / ".old", (1.0, 1.0))
    os.utime(folder / ".ahead", (1e11, 1e11))
    stations.tick(1.0)
    assert os.listdir(folder) == [".new"]


def test_a_flood_takes_a_bounded_share_of_each_round_and_is_cleared(stations, folder, aside, log, monkeypatch):
    """A request behind it has its turn. Of a thousand refusals a round the log has two lines, and few are set aside."""
    monkeypatch.setattr(spool, "LOOKED_AT", 100)
    for number in range(1000):
        put(folder / f"junk{number}")
        put(folder / f".fresh{number}")
        put(folder / f"{number:020d}-{0:016x}", b"junk")
    leave(folder, Request(Ask.PAUSE))
    now = [0.0]

    def clock():
        now[0] += 0.001
        return now[0]

    stations.context.clock = clock
    rounds = 0
    while len(os.listdir(folder)) > 1000:
        before = now[0]
        copies = set(os.listdir(aside)) if rounds else set()
        requests.take(stations.context)
        rounds += 1
        assert len(set(os.listdir(aside)) - copies) <= spool.SET_ASIDE
        assert len(os.listdir(aside)) <= refused.MOST
        assert now[0] - before < 2 * requests.BUDGET
        assert len(stations.context.requests.spool.found) <= 100
        assert rounds < 50, os.listdir(folder)
    assert rounds > 5
    assert stations.context.ledger.fact(facts.PAUSED) is True
    assert 0 < len([line for line in log if "request" in line]) <= 2 * rounds


def test_a_request_about_a_job_that_is_not_there_or_has_gone_on_is_refused_in_words(stations, folder):
    job = ended(stations, State.VANISHED)
    stations.context.ledger.update(job, state=State.QUEUED)
    asked = {
        stations.ask("retry", 99): "there is no job 99",
        stations.ask("retry", job.id): "is queued already",
        stations.ask("redo", job.id): "wait for its end",
    }
    stations.tick(1.0)
    for name, said in asked.items():
        answer = stations.context.ledger.answer(name)
        assert answer.ok is False
        assert said in answer.text
    assert os.listdir(folder) == []


@pytest.mark.parametrize("model", ["smal", "/etc", "./etc", "etc/../x", "~/x"])
def test_a_model_is_checked_where_it_is_read_too(stations, folder, model):
    """Whoever writes the file himself may make the daemon load no folder either."""
    job = done(stations)
    name = leave(folder, Request(Ask.REDO, job.id, model=model))
    stations.tick(1.0)
    assert stations.context.ledger.answer(name).ok is False
    assert len(stations.context.ledger.jobs()) == 1


@pytest.mark.parametrize("model", ["small", "acme/none"])
def test_a_model_that_is_not_here_is_refused_where_a_request_is_read(stations, folder, model, tmp_path, monkeypatch):
    """As the command does at the door. It is looked for off the loop, which meanwhile takes other requests."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    name = leave(folder, Request(Ask.REDO, done(stations).id, model=model))
    after = stations.ask("pause")
    for _ in range(3):
        stations.tick(1.0)
    assert stations.context.ledger.answer(after).ok is True
    assert stations.context.ledger.answer(name) is None
    (looks,) = stations.errands.posted
    assert looks.name == f"looks for the model {model}"
    stations.settle()
    answer = stations.context.ledger.answer(name)
    assert answer.ok is False
    assert f"sttd model pull {model}" in answer.text
    assert len(stations.context.ledger.jobs()) == 1
    assert os.listdir(folder) == []


def test_a_model_that_is_not_here_may_be_on_another_machine(stations, folder):
    job = done(stations)
    there = dataclasses.replace(stations.config.pool, backend="ray")
    stations.context.config = dataclasses.replace(stations.config, pool=there)
    name = leave(folder, Request(Ask.REDO, job.id, model="acme/none"))
    stations.tick(1.0)
    assert stations.context.ledger.answer(name).ok is True


def test_a_redo_with_a_model_that_is_here_is_carried_out_once_however_often_the_daemon_is_killed(stations, folder):
    job = done(stations)
    name = leave(folder, Request(Ask.REDO, job.id, model="demo"))
    stations.tick(1.0)
    for halfway in (False, True):
        stations.crash(halfway=halfway)
        stations.tick(1.0)
    stations.settle()
    for _ in range(2):
        stations.tick(1.0)
    assert stations.context.ledger.answer(name).ok is True
    assert [each.redo_of for each in stations.context.ledger.jobs()] == [job.id, None]
    assert os.listdir(folder) == []


def test_a_request_that_is_taken_back_while_its_model_is_looked_for_is_not_carried_out(stations, folder):
    name = leave(folder, Request(Ask.REDO, done(stations).id, model="demo"))
    stations.tick(1.0)
    (folder / name).unlink()
    stations.settle()
    stations.tick(1.0)
    assert stations.context.ledger.answer(name) is None
    assert len(stations.context.ledger.jobs()) == 1


@pytest.mark.parametrize(
    "data", [None, b"no JSON", b'{"kind": "pause"}', b'{"kind": "redo", "job": 1, "model": "smal"}']
)
def test_what_was_found_of_a_model_is_forgotten_whatever_became_of_its_request(stations, folder, data):
    """Of requests that were replaced meanwhile, or carried out, what was found stayed for as long as the daemon ran."""
    name = leave(folder, Request(Ask.REDO, done(stations).id, model="demo"))
    stations.tick(1.0)
    assert stations.context.requests.sought.is_under_way(name)
    (folder / name).unlink()
    if data is not None:
        put(folder / name, data)
    stations.settle()
    stations.tick(1.0)
    assert not stations.context.requests.sought.is_under_way(name)
    assert stations.context.requests.sought.found == {}
    assert os.listdir(folder) == []


def test_what_was_found_of_a_model_is_forgotten_where_the_ledger_fails_after_its_request(stations, folder, monkeypatch):
    """What was found is handed over once more then, when the request is carried out and gone."""
    name = leave(folder, Request(Ask.REDO, done(stations).id, model="demo"))
    stations.tick(1.0)
    after = stations.ask("pause")
    stations.context.requests.spool.found.append(after)
    real = requests._switch
    troubles = [LedgerError("the disk is full")]

    def switch(*args, **kwargs):
        if troubles:
            raise troubles.pop()
        return real(*args, **kwargs)

    monkeypatch.setattr(requests, "_switch", switch)
    finished = stations.errands.do()
    with pytest.raises(LedgerError):
        finished.settle()
    assert stations.context.ledger.answer(name).ok is True
    finished.settle()
    stations.tick(1.0)
    assert stations.context.ledger.answer(after).ok is True
    assert stations.context.requests.sought.found == {}


def test_a_fault_in_sttd_ends_one_request_and_not_the_daemon(stations, folder, log, monkeypatch):
    """Else it would end it at each start to come."""
    ended(stations)
    monkeypatch.setattr(requests, "retry", lambda *_: {}["no such key"])
    name = stations.ask("retry", 1)
    after = stations.ask("pause")
    stations.tick(1.0)
    answer = stations.context.ledger.answer(name)
    assert answer.ok is False
    assert "a fault in sttd (KeyError)" in answer.text
    assert stations.context.ledger.answer(after).ok is True
    assert any("Traceback" in line for line in log)
    assert os.listdir(folder) == []


def test_a_request_that_was_carried_out_is_not_carried_out_again_after_a_kill(stations, folder, monkeypatch):
    """Killed between the transaction and the removal of the file: a redo makes one job."""
    job = done(stations)
    name = stations.ask("redo", job.id)
    monkeypatch.setattr(spool.Spool, "remove", lambda *_: None)
    stations.tick(1.0)
    assert os.listdir(folder) == [name]
    monkeypatch.undo()
    stations.crash(halfway=False)
    stations.tick(1.0)
    assert os.listdir(folder) == []
    assert [each.redo_of for each in stations.context.ledger.jobs()] == [job.id, None]
    assert stations.context.ledger.answer(name) == Answer(ok=True, text="job 1 (done.mp3) is done again as job 2")


def test_a_large_request_goes_in_steps_and_on_after_a_kill(stations, folder, monkeypatch):
    """Each failed job is queued once, also one that fails again meanwhile; others are served between the steps."""
    monkeypatch.setattr(requests, "STEP", 10)
    ledger = stations.context.ledger
    for number in range(35):
        (stations.inbox.root / f"{number}.mp3").write_text("sound")
    stations.look()
    for job in ledger.jobs():
        ledger.update(job, state=State.FAILED)
    name = stations.ask("retry-failed")
    now = [0.0]

    def clock():
        now[0] += requests.BUDGET / 2.5
        return now[0]

    stations.context.clock = clock
    requests.take(stations.context)
    requests.take(stations.context)
    assert 0 < ledger.answer(name).jobs < 35
    assert ledger.answer(name).ok is None
    again = ledger.update(ledger.get(1), state=State.FAILED)
    pause = stations.ask("pause")
    for _ in range(2):
        requests.take(stations.context)
    assert ledger.answer(pause) is not None
    stations.crash(halfway=False)
    ledger = stations.context.ledger
    assert os.listdir(folder) == [name]
    stations.tick(1.0)
    assert ledger.answer(name).text == "queued again: 35 failed jobs"
    assert ledger.get(again.id).state is State.FAILED
    assert ledger.counts()[State.QUEUED] == 34
    assert os.listdir(folder) == []


def test_what_waits_in_an_older_ledger_is_carried_out_after_the_upgrade(tmp_path):
    """Its table becomes files, in order; a row that is no request is dropped."""
    path = tmp_path / "state" / "ledger.db"
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for step in schema.MIGRATIONS[:2]:
            db.executescript(step)
        db.execute("PRAGMA user_version = 2")
        rows = [("pause", None, "{}"), ("redo", 7, json.dumps({"model": "base", "language": None})), ("retry", 1, "no JSON"),
                ("retry", 1, "[]"), (b"\xff", 1, "{}"), ("retry", "x", "{}"), ("cancel", 3, "{}")]  # fmt: skip
        db.executemany("INSERT INTO requests (kind, job, arguments, created_at) VALUES (?, ?, ?, 1.0)", rows)
    Ledger.open(path).close()
    Ledger.open(path).close()
    found = spool.Spool(path.with_name(SPOOL))
    waiting = [found.read(name).request for name in found.names()]
    assert waiting == [Request(Ask.PAUSE), Request(Ask.REDO, 7, model="base"), Request(Ask.CANCEL, 3)]


def test_the_next_job_is_the_one_that_a_person_wants(stations):
    """Before older ones, other owners' and those that were put first before it; also after a restart, and out of a wait."""
    ledger = stations.context.ledger
    jobs = [ledger.add(f"{number}.mp3", Identity(number, 1, number % 3), float(number)) for number in range(8)]
    ledger.update(jobs[6], not_before=stations.now + 500.0, cause=Cause.CRASH)
    ledger.set_fact(facts.PAUSED, value=True)
    names = [stations.ask("next", number) for number in (5, 8, 7)]
    stations.tick(1.0)
    texts = [ledger.answer(name).text for name in names]
    assert texts == [f"job {job} ({job - 1}.mp3) is the next" for job in (5, 8, 7)]
    stations.crash(halfway=False)
    ledger = stations.context.ledger
    ledger.set_fact(facts.PAUSED, value=False)
    started = []
    for _ in jobs:
        stations.tick(1.0)
        for attempt in list(stations.pool.attempts.values()):
            started.append(int(attempt.spec.part_id.partition(".")[0]))
            stations.end(attempt, Cause.BAD_FILE)
    assert started[:3] == [7, 8, 5]
    assert set(started) == {job.id for job in jobs}


def test_a_job_that_loses_its_place_before_all_others_is_named(stations):
    """The twenty-first was put first, and the oldest wish was dropped without a word."""
    ledger = stations.context.ledger
    ledger.set_fact(facts.PAUSED, value=True)
    jobs = [ledger.add(f"{number}.mp3", Identity(number, 1), 1.0).id for number in range(MOST_FIRST + 1)]
    names = [stations.ask("next", number) for number in jobs]
    stations.tick(1.0)
    told = [ledger.answer(name).text for name in names]
    assert not [text for text in told[:-1] if "no longer" in text]
    assert told[-1].endswith(f"is the next; job {jobs[0]} is no longer before the others: {MOST_FIRST} can be")


def test_a_job_that_does_not_wait_for_a_worker_is_not_put_first(stations):
    ledger = stations.context.ledger
    ended = ledger.add("a.mp3", Identity(1, 1), 1.0, state=State.CANCELLED)
    twin = ledger.add("b.mp3", Identity(1, 1), 1.0, copy_of=ended.id)
    names = [stations.ask("next", number) for number in (ended.id, twin.id)]
    requests.take(stations.context)
    told = [ledger.answer(name) for name in names]
    assert [answer.ok for answer in told] == [False, False]
    assert f"`sttd retry {ended.id}` queues it again" in told[0].text
    assert f"the result of job {ended.id}" in told[1].text


REFUSALS = {
    "retry": refusals.of_retry,
    "cancel": refusals.of_cancel,
    "redo": refusals.of_redo,
    "next": refusals.of_next,
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_the_daemon_refuses_what_the_commands_refuse_in_the_same_words(stations, log, kind):
    """A job may have gone on between the look and the request: it read as two troubles, one of them without a way out."""
    ledger = stations.context.ledger
    stations.context.config = dataclasses.replace(stations.config, program="sttd --root /x")
    jobs = [ledger.add(f"{state}.mp3", Identity(1, 1), 1.0, state=state, location="") for state in State]
    jobs += [ledger.add("twin.mp3", Identity(1, 1), 1.0, copy_of=1)]
    jobs += [ledger.add("just.mp3", Identity(1, 1), 1.0, state=State.FAILED, plan={"step": "fail"})]
    refused = {stations.ask(kind, job.id): REFUSALS[kind](job) for job in jobs if REFUSALS[kind](job)}
    requests.take(stations.context)
    assert len(refused) > 3
    assert {name: ledger.answer(name).text for name in refused} == refused
    logged = [line for line in log if "is refused" in line]
    assert len(logged) == len(refused)
    assert all("`sttd --root /x " in line for line in logged if "`" in line)  # for the ledger that the log is about


def test_a_model_that_was_looked_for_does_not_have_the_folder_of_all_other_requests_read(stations, folder, monkeypatch):
    """With thousands of them the loop did little else: each look had the whole of it read once more."""
    job = done(stations)
    for _ in range(3):
        leave(folder, Request(Ask.REDO, job.id, model="demo"))
    stations.tick(1.0)
    reads = []
    real = spool.Spool.names
    monkeypatch.setattr(spool.Spool, "names", lambda self: reads.append(1) or real(self))
    while stations.errands.posted:
        stations.settle()
    assert reads == []
    assert [each.redo_of for each in stations.context.ledger.jobs()] == [job.id, job.id, job.id, None]


def test_another_model_that_is_asked_for_has_the_gpu_and_the_batch_that_are_configured(stations):
    """A smaller one is asked for where memory was short: it ran on the CPU, one clip at a time, as the larger one had to."""
    ledger = stations.context.ledger
    short = {"state": State.FAILED, "cause": Cause.GPU_MEMORY, "batch_size": 1, "device": "cpu"}
    jobs = [ledger.add(f"{number}.mp3", Identity(1, 1), 1.0, **short) for number in range(2)]
    for job, asked in zip(jobs, (Overrides(model="demo"), Overrides(language="th")), strict=True):
        requests.redo(stations.context, job, asked)
    assert [(ledger.get(job.id).batch_size, ledger.get(job.id).device) for job in jobs] == [(None, None), (1, "cpu")]

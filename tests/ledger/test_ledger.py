"""The ledger: steps, turns, answers, and readers without rights."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sttd.errors import AlreadyRunning, LedgerCorrupt, LedgerError, NoSuchJob, Stale
from sttd.fs.lock import Lock
from sttd.job import ENDED, TRANSITIONS, FolderOptions, Identity, Overrides, State
from sttd.ledger import Answer, Ledger, facts, schema, store
from sttd.ledger.rows import NEW
from tests.harness import PATIENCE
from tests.machine import needs_root
from tests.unprivileged import as_nobody

SOUND = Identity(1000, 5)
GROUP = 60  # games, on Debian


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def test_a_job_comes_back_as_it_was_stored(ledger):
    """Names of any bytes, plans and outputs with lone surrogates included."""
    name = os.fsdecode(b"sub/\xff\xfe\n.mp3")
    job = ledger.add(name, SOUND, 10.0)
    assert ledger.get(job.id) == job
    assert ledger.latest(name) == job
    job = ledger.update(job, state=State.RUNNING, outputs=(name,), plan={"to": name}, location=name, error=name)
    assert ledger.get(job.id).outputs == (name,)
    assert ledger.get(job.id).plan == {"to": name}
    assert ledger.get(job.id).location == name
    assert ledger.latest(name) is None, "its source lies elsewhere: the file in the inbox is another one"


def test_a_new_job_is_what_the_ledger_has_of_it(ledger):
    """It is not read back: what it is not told of must be the same in the row and in the value."""
    bare = ledger.add("a.mp3", SOUND, 10.0)
    redo = ledger.add(
        "a.mp3", Identity(1, 2**63), 20.0,
        location="/archive/a.mp3", redo_of=bare.id, sha256="0" * 64, overrides=Overrides("base", "th"),
        folder_options=FolderOptions(("a/.sttd.toml",), {"subtitles.longest": 5.0}),
    )  # fmt: skip
    assert ledger.jobs(newest=False) == [bare, redo]
    assert (bare.state, bare.created_at, bare.queued_at) == (State.QUEUED, 10.0, 10.0)


def test_of_many_paths_each_has_its_newest_job(ledger):
    """More paths than one question holds, in bytes that are no text; none for a source that lies elsewhere."""
    names = [os.fsdecode(b"%d \xff.mp3" % number) for number in range(1200)]
    with ledger.transaction():
        jobs = [ledger.add(name, SOUND, 1.0) for name in names]
        newer = {name: ledger.add(name, SOUND, 2.0) for name in names[::100]}
        ledger.update(jobs[1], location="/archive/1.mp3")
    expected = dict(zip(names, jobs, strict=True)) | newer
    del expected[names[1]]
    assert ledger.latest_of([*names, "other.mp3"]) == expected
    assert ledger.latest_of([]) == {}


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", list(State))
def test_a_step_that_is_not_in_the_table_is_refused(ledger, before, after):
    job = ledger.add("a.mp3", SOUND, 1.0, state=before)
    if after == before or after in TRANSITIONS[before]:
        assert ledger.get(ledger.update(job, state=after).id).state is after
    else:
        with pytest.raises(ValueError, match="cannot go from"):
            ledger.update(job, state=after)
        assert ledger.get(job.id).state is before


def test_nothing_leaves_done():
    assert not TRANSITIONS[State.DONE]
    assert State.DONE in ENDED


def test_counts_follow_every_step(ledger):
    jobs = [ledger.add(f"{number}.mp3", SOUND, 1.0) for number in range(5)]
    ledger.update(jobs[0], state=State.RUNNING)
    ledger.update(jobs[1], state=State.CANCELLED)
    counts = ledger.counts()
    assert (counts[State.QUEUED], counts[State.RUNNING], counts[State.CANCELLED]) == (3, 1, 1)


def test_a_transaction_is_whole_or_nothing(ledger):
    """An error in the middle of a transaction leaves no trace of its first half."""
    with pytest.raises(KeyError), ledger.transaction():
        ledger.add("a.mp3", SOUND, 1.0)
        raise KeyError
    assert ledger.jobs() == []


def test_what_was_committed_is_done_whatever_becomes_of_the_manifest(ledger, monkeypatch):
    """Who asked for it would do it once more."""

    def fails():
        raise LedgerError("disk I/O error")

    monkeypatch.setattr(ledger, "record", fails)
    with ledger.transaction():
        ledger.add("a.mp3", SOUND, 0.0, state=State.DONE)
    assert ledger.counts()[State.DONE] == 1
    assert not ledger.is_recorded


def test_in_each_queue_of_an_owner_the_job_that_waits_longest_is_next(ledger):
    """None before its time, none that waits for a twin; how much service a job has had changes nothing in its queue."""
    late = ledger.add("late.mp3", SOUND, 20.0)
    early = ledger.add("early.mp3", SOUND, 10.0)
    ledger.add("twin.mp3", SOUND, 1.0, copy_of=early.id)
    ledger.add("not-yet.mp3", SOUND, 1.0, not_before=99.0)
    other = ledger.add("other.mp3", Identity(SOUND.size, SOUND.mtime_ns, 1000), 5.0)
    little = ledger.add("little.mp3", SOUND, 2.0, service=5.0)
    much = ledger.add("much.mp3", SOUND, 1.0, service=50.0)
    soon = ledger.add("soon.mp3", Identity(SOUND.size, SOUND.mtime_ns, 1001), 1.0, not_before=31.0)
    ledger.end_waits(30.0)
    assert ledger.waiting_owners() == [-1, 1000]
    assert ledger.next_job(-1, "fresh").id == early.id
    assert ledger.next_job(-1, "fresh", {early.id}).id == late.id
    assert ledger.next_job(-1, "served").id == much.id
    assert ledger.next_job(-1, "served", {much.id}).id == little.id
    assert ledger.next_job(-1, "fresh", {early.id, late.id}) is None
    assert ledger.next_job(1000, "fresh").id == other.id
    assert ledger.next_job(1001, "fresh") is None
    ledger.end_waits(31.0)
    assert ledger.next_job(1001, "fresh").id == soon.id


def test_only_the_latest_answers_are_kept(ledger, monkeypatch):
    """Whoever waits for one looks every moment. One that was changed is still the same."""
    monkeypatch.setattr(store, "ANSWERS", 3)
    for name in "abcde":
        ledger.set_answer(name, Answer(None), 1.0)
        ledger.set_answer(name, Answer(ok=True, text=name, jobs=2, last=7), 1.0)
    assert [ledger.answer(name) for name in "abc"] == [None, None, Answer(ok=True, text="c", jobs=2, last=7)]


def test_a_ledger_of_a_newer_version_is_refused(ledger, tmp_path):
    ledger._db.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="install the newer sttd"):
        Ledger.open(tmp_path / "ledger.db")


def test_a_command_does_not_create_a_ledger(tmp_path):
    with pytest.raises(LedgerError, match="has sttd run"):
        Ledger.open_readonly(tmp_path / "x.db")
    assert not list(tmp_path.iterdir())


WRITER = """
import sys
from pathlib import Path
from sttd.job import Identity
from sttd.ledger import Ledger
from sttd.ledger import facts
ledger = Ledger.open(Path(sys.argv[1]))
ledger.add("a.mp3", Identity(1, 1), 1.0)
print("written", flush=True)
sys.stdin.readline()
ledger.close()
"""


@pytest.fixture
def open_folder():
    """A folder that a group may read, as the state folder is; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="sttd-test-"))
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2750)
    yield folder
    shutil.rmtree(folder)


FILES = {
    "runs": {"ledger.db-wal", "ledger.db-shm"},
    "killed": {"ledger.db-wal", "ledger.db-shm"},
    "closed": set(),
    "restored": {"ledger.db-wal"},
}


@needs_root
@pytest.mark.parametrize("end", ["runs", "killed", "closed", "restored"])
@pytest.mark.parametrize("umask", ["000", "077"])
def test_people_of_the_group_read_and_need_no_right_to_write(open_folder, end, umask):
    """While the writer runs, after it was killed, after it ended well, and of a backup without the index of the WAL."""
    path = open_folder / "ledger.db"
    command = ["sh", "-c", f'umask {umask}; exec "$@"', "sh", sys.executable, "-c", WRITER, str(path)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert writer.stdout.readline() == b"written\n"
        if end in ("killed", "restored"):
            writer.send_signal(signal.SIGKILL)
            writer.wait(PATIENCE)
            if end == "restored":
                (open_folder / "ledger.db-shm").unlink()
        elif end == "closed":
            writer.communicate(b"\n", 10)
        before = sorted(open_folder.iterdir())
        assert {"ledger.db-wal", "ledger.db-shm"} & {one.name for one in before} == FILES[end]
        databases = [one for one in before if one.name.startswith("ledger.db")]
        assert {stat.S_IMODE(one.stat().st_mode) for one in databases} == {0o640}
        look = lambda: print(len(Ledger.open_readonly(path).jobs()))  # noqa: E731
        done = as_nobody(look, (GROUP,))
        assert done.out == "1\n", done.err
        assert sorted(open_folder.iterdir()) == before
        assert as_nobody(look).code != 0
        for file in databases:
            write = functools.partial(os.open, file, os.O_WRONLY)
            assert "PermissionError" in as_nobody(write, (GROUP,)).err
    finally:
        writer.kill()
        writer.wait(PATIENCE)
        writer.stdin.close()
        writer.stdout.close()


@needs_root
def test_a_reader_may_come_while_the_daemon_ends(open_folder):
    """The WAL file that it saw is gone when it opens the ledger, and what it would need is not for it to create."""
    path = open_folder / "ledger.db"
    with contextlib.closing(Ledger.open(path)) as ledger:
        ledger.add("a.mp3", SOUND, 1.0)
    wal = open_folder / "ledger.db-wal"
    wal.touch()
    with subprocess.Popen(["sh", "-c", f"sleep 0.05; rm {wal}"]):
        done = as_nobody(lambda: print(len(Ledger.open_readonly(path).jobs())), (GROUP,))
    assert done.out == "1\n", done.err


def test_migrations_are_steps_that_happen_whole(tmp_path, monkeypatch):
    """A step that fails leaves the ledger as it was; the next sttd, whose step works, goes on from there."""
    path = tmp_path / "ledger.db"
    with contextlib.closing(Ledger.open(path)) as ledger:
        ledger.add("a.mp3", SOUND, 1.0)
    steps = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (*steps, "CREATE TABLE more (x); INSERT INTO nowhere VALUES (1);"))
    with pytest.raises(LedgerError, match="nowhere"):
        Ledger.open(path)
    monkeypatch.setattr(schema, "MIGRATIONS", (*steps, "CREATE TABLE more (x);"))
    with contextlib.closing(Ledger.open(path)) as ledger:
        assert ledger._db.execute("PRAGMA user_version").fetchone()[0] == len(steps) + 1
        assert ledger._db.execute("SELECT count(*) FROM more").fetchone()[0] == 0
        assert ledger.get(1).source == "a.mp3"


def test_warnings_that_an_older_version_kept_in_a_plan_are_kept(tmp_path):
    """It wrote them into the transcripts alone; a job that waits for that has them, and a torn plan costs nobody anything."""
    path = tmp_path / "ledger.db"
    plans = ['{"step": "stage", "warnings": ["cut"]}', '{"step": "stage", "war', '{"staging": "1-2"}', None, "[7]"]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for step in schema.MIGRATIONS[:5]:
            db.executescript(step)
        db.execute("PRAGMA user_version = 5")
        names = [name for name in NEW if name not in ("warnings", "hashes")]
        for plan in plans:
            row = NEW | {"source": b"a", "state": "committing", "plan": plan}
            insert = f"INSERT INTO jobs ({', '.join(names)}, plan) VALUES ({', '.join('?' * len(names))}, ?)"
            db.execute(insert, (*(row[name] for name in names), plan))
    with contextlib.closing(Ledger.open(path)) as ledger:
        assert [job.warnings for job in ledger.jobs(newest=False)] == [("cut",), (), (), (), ()]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        *((f"DROP TABLE {name}", "lacks") for name in ("jobs", "attempts", "answers", "facts", "counts", "unrecorded")),
        ("DROP TRIGGER count_update", "lacks trigger count_update"),
        ("DROP INDEX jobs_fresh", "lacks index jobs_fresh"),
        ("CREATE TRIGGER no AFTER INSERT ON facts BEGIN DELETE FROM jobs; END", "foreign trigger no"),
        ("PRAGMA user_version = 0", "no version"),
    ],
)
def test_a_ledger_that_lacks_something_is_a_damaged_one(tmp_path, harm, said):
    """It is set aside and made anew; as a full disk it would be waited for without end."""
    path = tmp_path / "ledger.db"
    with contextlib.closing(Ledger.open(path)) as ledger:
        ledger._db.execute(harm)
    with pytest.raises(LedgerCorrupt, match=said):
        Ledger.open(path)


def test_a_table_that_is_dropped_under_the_daemon_is_damage_too(ledger):
    ledger._db.execute("DROP TABLE facts")
    with pytest.raises(LedgerCorrupt, match="no such table"):
        ledger.fact(facts.PAUSED)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_no_ledger_is_opened_but_a_regular_file(tmp_path, kind):
    path, victim = tmp_path / "ledger.db", tmp_path / "victim"
    victim.write_bytes(b"")
    {"link": lambda: path.symlink_to(victim), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    with pytest.raises(LedgerCorrupt, match="not a regular file"):
        Ledger.open(path)
    assert victim.read_bytes() == b""


def test_what_is_no_ledger_is_said(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no database at all" * 100)
    for opened in (lambda: Ledger.open(path), lambda: Ledger.open_readonly(path)):
        with pytest.raises(LedgerError, match="not a database"):
            opened()


def test_a_held_lock_is_refused_with_what_to_do(tmp_path):
    lock = Lock(tmp_path / "lock", "the state folder")
    with pytest.raises(AlreadyRunning, match="stop it, or choose another folder"):
        Lock(tmp_path / "lock", "the state folder")
    lock.release()


def test_no_queued_job_waits_beyond_the_clamp(ledger):
    """Waits that are configured to be shorter by now are cut short without a word; the others keep their times."""
    far, near, ended = (ledger.add(name, SOUND, 1.0) for name in ("far.mp3", "near.mp3", "ended.mp3"))
    ledger.update(far, not_before=9e9)
    ledger.update(near, not_before=50.0)
    ledger.update(ended, not_before=9e9, state=State.CANCELLED)
    assert ledger.clamp_waits(40.0, 60.0) is False
    assert [ledger.get(job.id).not_before for job in (far, near, ended)] == [100.0, 50.0, 9e9]


def test_a_job_that_was_queued_in_the_future_says_that_the_clock_was_set_back(ledger):
    """It does not wait for that time, neither behind all that come until then."""
    ledger.add("old.mp3", SOUND, 10.0)
    ledger.add("ahead.mp3", SOUND, 9e9, not_before=9e9 + 30)
    assert ledger.clamp_waits(20.0, 60.0) is True
    ledger.add("new.mp3", SOUND, 30.0)
    assert [(job.source, job.queued_at, job.not_before) for job in ledger.jobs(newest=False)] == [
        ("old.mp3", 10.0, 0.0),
        ("ahead.mp3", 20.0, 80.0),
        ("new.mp3", 30.0, 0.0),
    ]
    assert ledger.clamp_waits(20.0, 60.0) is True
    assert ledger.clamp_waits(40.0, 60.0) is False


def test_a_step_is_checked_against_the_row_as_it_is(tmp_path):
    """What was known of a job may be old: another step came first, and the later one changes nothing."""
    ledger = Ledger.open(tmp_path / "ledger.db")
    queued = ledger.add("a.mp3", Identity(1, 1), 0.0)
    ledger.update(queued, state=State.VANISHED)
    with pytest.raises(Stale, match="is vanished"):
        ledger.update(queued, state=State.RUNNING, error="never stored")
    assert (ledger.get(1).state, ledger.get(1).error) == (State.VANISHED, None)
    ledger.close()


def test_a_step_gives_the_row_back_with_all_that_others_stored_in_it(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    before = ledger.add("a.mp3", Identity(1, 1), 0.0)
    ledger.update(before, sha256="abc")
    assert ledger.update(before, state=State.RUNNING).sha256 == "abc"
    ledger.close()


def test_a_job_that_is_not_there_is_a_fact_and_no_trouble_of_the_machine(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    job = ledger.add("a.mp3", Identity(1, 1), 0.0, state=State.DONE, finished_at=0.0, location="/x")
    assert ledger.forget([1], 1.0, 1.0) == [1]
    for step in (lambda: ledger.get(1), lambda: ledger.update(job, error="late")):
        with pytest.raises(NoSuchJob, match="there is no job 1") as caught:
            step()
        assert not isinstance(caught.value, LedgerError)
    ledger.close()


def test_a_job_that_is_forgotten_is_owed_no_line_in_the_manifest(tmp_path):
    """The manifest could not be written for a while; the start after that must not fail for a job that is gone since."""
    (tmp_path / "manifest.jsonl").mkdir()
    ledger = Ledger.open(tmp_path / "ledger.db")
    ledger.add("a.mp3", Identity(1, 1), 0.0, state=State.DONE, finished_at=0.0, location="/x")
    assert ledger.forget([1], 1.0, 1.0) == [1]
    ledger.close()
    (tmp_path / "manifest.jsonl").rmdir()
    ledger = Ledger.open(tmp_path / "ledger.db")
    ledger.record()
    ledger.add("b.mp3", Identity(1, 1), 0.0)
    ledger.close()


def test_what_is_done_alone_is_undone_alone(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    with ledger.transaction():
        kept = ledger.add("kept.mp3", Identity(1, 1), 1.0)
        with pytest.raises(KeyError), ledger.alone():
            ledger.add("lost.mp3", Identity(1, 1), 1.0)
            raise KeyError
        with ledger.alone():
            ledger.add("kept too.mp3", Identity(1, 1), 1.0)
    assert sorted(job.source for job in ledger.jobs()) == ["kept too.mp3", kept.source]
    ledger.close()

"""A ledger that is damaged or gone: set aside, said, and made anew from the manifest and the checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sqlite3

import pytest

from sttd.config import Config
from sttd.daemon.opening import open_ledger
from sttd.errors import LedgerCorrupt
from sttd.fs.regular import NotRegular, is_regular
from sttd.host.sd_notify import Notifier
from sttd.job import FolderOptions, Identity, Overrides, State
from sttd.ledger import Checkpoint, Ledger, facts
from sttd.ledger.manifest.log import Manifest
from sttd.part import Chunk

NAME = "sub/\udcff\n.mp3"


@pytest.fixture
def config(tmp_path):
    config = Config()
    return dataclasses.replace(config, paths=dataclasses.replace(config.paths, state=tmp_path))


def live(ledger, work):
    """Jobs of every kind; returns those that the manifest must know, by number."""
    jobs = [ledger.add(f"{number}.mp3", Identity(1000 + number, 5), 10.0) for number in range(7)]
    done, failed, cancelled, committing, retried, begun, _ = jobs
    set_by_folder = FolderOptions(("sub/\udcff/.sttd.toml",), {"transcribe.language": "th", "output.formats": ["txt"]})
    done = ledger.update(done, state=State.RUNNING, folder_options=set_by_folder)
    done = ledger.update(done, state=State.COMMITTING, plan={"step": "x"}, sha256="ab", language="th")
    done = ledger.update(
        done, state=State.DONE, plan=None, outputs=("/t/0.th.txt",), location="/a/0.mp3", warnings=("cut",)
    )
    failed = ledger.update(failed, state=State.FAILED, error="no words", location=NAME, attempts=3)
    cancelled = ledger.update(cancelled, state=State.CANCELLED)
    committing = ledger.update(committing, state=State.RUNNING)
    committing = ledger.update(committing, state=State.COMMITTING, plan={"staging": NAME})
    retried = ledger.update(retried, state=State.FAILED, location="/f/4.mp3")
    retried = ledger.update(retried, state=State.QUEUED, location="/f/4.mp3")
    redo = ledger.add("0.mp3", Identity(1000, 5), 20.0, location="/a/0.mp3", redo_of=1, overrides=Overrides("base"))
    ledger.set_fact(facts.PAUSED, value=True)
    begun = ledger.update(begun, state=State.RUNNING, options_key="key", folder_options=set_by_folder)
    checkpoint = Checkpoint(work, begun, "key")
    checkpoint.append([Chunk(0, 0, 160_000, (), "und", 0.0, "demo")])
    checkpoint.close()
    kept = [done, failed, cancelled, committing, retried, redo]
    return {job.id: job for job in kept}, begun


def overwritten(path):
    """The pages in the middle are somebody else's."""
    with path.open("r+b") as file:
        for offset in range(4096, path.stat().st_size, 8192):
            file.seek(offset)
            file.write(b"\x5a" * 4096)


def truncated(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def text(path):
    path.write_text("somebody's notes\n" * 500)


def foreign(path):
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE songs (title TEXT); PRAGMA user_version = 1;")


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def emptied(path):
    path.write_bytes(b"")


def fresh(path):
    """One that has no table yet: what it had lay in a WAL that is gone."""
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")


def gone(path):
    path.unlink()


@pytest.mark.parametrize("damage", [overwritten, truncated, text, foreign, zeros, emptied, fresh, gone])
def test_whatever_happens_to_the_ledger_nothing_that_counts_is_forgotten(config, tmp_path, log, damage):
    """Every outcome, promise, retry and redo is there as it was; what was begun is queued; a pause stays one."""
    path, work = tmp_path / "ledger.db", tmp_path / "work"
    with contextlib.closing(Ledger.open(path)) as ledger:
        kept, begun = live(ledger, work)
    damage(path)
    damaged = path.read_bytes() if path.exists() else b""
    with contextlib.closing(open_ledger(config, Notifier({}))) as ledger:
        jobs = {job.id: job for job in ledger.jobs()}
        for number, job in kept.items():
            assert dataclasses.replace(jobs.pop(number), sha256=None) == dataclasses.replace(job, sha256=None)
        assert {job.source: job.state for job in jobs.values()} == {begun.source: State.QUEUED}
        assert Checkpoint(work, jobs[begun.id], "key").resume().index == 1
        assert jobs[begun.id].folder_options == begun.folder_options
        states = [job.state for job in ledger.jobs()]
        assert ledger.counts() == {state: states.count(state) for state in State}
        assert ledger.fact(facts.PAUSED) is True
        assert ledger.add("new.mp3", Identity(1, 1), 1.0).id > max(kept)
    asides = list(tmp_path.glob("ledger.db.corrupt-*"))
    if damage not in (emptied, fresh, gone):
        (aside,) = asides
        assert aside.read_bytes() == damaged
        assert any(line.startswith("CRITICAL") and aside.name in line for line in log)
    assert any("made anew from the manifest" in line for line in log)


def test_a_whole_ledger_is_opened_as_it_is(config, tmp_path, log):
    path = tmp_path / "ledger.db"
    with contextlib.closing(Ledger.open(path)) as ledger:
        live(ledger, tmp_path / "work")
        before = ledger.jobs()
    with contextlib.closing(open_ledger(config, Notifier({}))) as ledger:
        assert ledger.jobs() == before
    assert not log


def test_damage_that_is_met_while_it_runs_is_told_as_such(tmp_path):
    path = tmp_path / "ledger.db"
    with contextlib.closing(Ledger.open(path)) as ledger:
        for number in range(2000):
            ledger.add(f"{number}.mp3", Identity(1, 1), 1.0)
    with contextlib.closing(Ledger.open(path)) as ledger:
        ledger._db.execute("PRAGMA shrink_memory")  # or it would still be told from memory
        overwritten(path)
        with pytest.raises(LedgerCorrupt, match="makes it anew"):
            ledger.jobs()


def test_a_line_that_is_torn_or_altered_costs_only_itself(tmp_path):
    """And what is appended after a torn one is whole."""
    manifest = Manifest(tmp_path / "manifest.jsonl")
    manifest.append({"job": {"id": number, "source": "a"}} for number in (1, 2, 3))
    manifest.close()
    whole = manifest.path.read_bytes()
    second = whole.splitlines(keepends=True)[1]
    manifest.path.write_bytes(whole.replace(second, second.replace(b"2", b"7", 1))[:-5])
    manifest.append([{"job": {"id": 4, "source": "a"}}])
    manifest.close()
    assert [record and record["job"]["id"] for record in manifest.records()] == [1, None, None, 4]


def planted(path, kind, victim):
    """Something under the name of the manifest that is none. In older versions the group could write to the state folder."""
    path.unlink(missing_ok=True)
    {"link": lambda: path.symlink_to(victim), "pipe": lambda: os.mkfifo(path)}[kind]()


@pytest.mark.parametrize("is_lost", [False, True], ids=["ledger there", "ledger lost"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_manifest_is_set_aside_and_neither_followed_nor_waited_for(config, tmp_path, log, kind, is_lost):
    """Whatever lies behind a link tells of no job, and no line is appended to it."""
    path, manifest, victim = tmp_path / "ledger.db", tmp_path / "manifest.jsonl", tmp_path / "victim"
    with contextlib.closing(Ledger.open(path)) as ledger:
        ledger.add("a.mp3", Identity(1, 1), 1.0, state=State.DONE)
    before = manifest.read_bytes()
    victim.write_bytes(before)
    planted(manifest, kind, victim)
    if is_lost:
        path.unlink()
    with contextlib.closing(open_ledger(config, Notifier({}))) as ledger:
        assert [job.source for job in ledger.jobs()] == ([] if is_lost else ["a.mp3"])
        ledger.add("b.mp3", Identity(2, 2), 2.0, state=State.DONE)
        ledger.record()
    (aside,) = tmp_path.glob("manifest.jsonl.corrupt-*")
    assert (aside.is_symlink(), aside.is_fifo()) == (kind == "link", kind == "pipe")
    assert victim.read_bytes() == before
    assert is_regular(manifest)
    assert any(f"is not a regular file, and is set aside as {aside.name}" in line for line in log)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_comes_in_the_place_of_the_manifest_while_it_is_closed_is_refused(tmp_path, kind):
    manifest, victim = Manifest(tmp_path / "manifest.jsonl"), tmp_path / "victim"
    manifest.append([{"job": {"id": 1, "source": "a"}}])
    manifest.close()
    before = manifest.path.read_bytes()
    victim.write_bytes(before)
    planted(manifest.path, kind, victim)
    with pytest.raises(NotRegular):
        manifest.append([{"job": {"id": 2, "source": "b"}}])
    with pytest.raises(NotRegular):
        list(manifest.records())
    assert victim.read_bytes() == before


def test_lines_that_are_no_good_are_said(config, tmp_path, log):
    path = tmp_path / "ledger.db"
    with contextlib.closing(Ledger.open(path)) as ledger:
        ledger.add("a.mp3", Identity(1, 1), 1.0, state=State.DONE)
    with (tmp_path / "manifest.jsonl").open("ab") as file:
        file.write(b"rubbish\n{}\t00000000\n")
    path.unlink()
    open_ledger(config, Notifier({})).close()
    assert any("2 lines of the manifest" in line for line in log)


def test_a_killed_rebuild_is_begun_again(config, tmp_path):
    """What it left is no ledger: it has another name until it is whole."""
    path = tmp_path / "ledger.db"
    with contextlib.closing(Ledger.open(path)) as ledger:
        kept, _ = live(ledger, tmp_path / "work")
    path.rename(tmp_path / "ledger.db.new")
    (tmp_path / "ledger.db.new-wal").write_bytes(b"half")
    with contextlib.closing(open_ledger(config, Notifier({}))) as ledger:
        assert {job.id for job in ledger.jobs()} > set(kept)
    assert not list(tmp_path.glob("ledger.db.new*"))


def test_of_two_jobs_of_one_source_only_the_newest_is_begun_again(config, tmp_path):
    """An old checkpoint beside a newer one, or beside a newer outcome, makes no second job of the file."""
    path, work = tmp_path / "ledger.db", tmp_path / "work"
    with contextlib.closing(Ledger.open(path)) as ledger:
        for source, state in (("a", State.QUEUED), ("a", State.QUEUED), ("b", State.QUEUED), ("b", State.DONE)):
            job = ledger.add(source, Identity(1, 1), 1.0, state=state)
            checkpoint = Checkpoint(work, job, "key")
            checkpoint.append([Chunk(0, 0, 160_000, (), "und", 0.0, "demo")])
            checkpoint.close()
    path.unlink()
    with contextlib.closing(open_ledger(config, Notifier({}))) as ledger:
        assert {job.id: job.state for job in ledger.jobs()} == {2: State.QUEUED, 4: State.DONE}


def test_what_the_manifest_could_not_take_is_there_when_it_can_be_written_again(config, tmp_path):
    """Work goes on meanwhile, and a kill in between forgets nothing."""
    path, manifest = tmp_path / "ledger.db", tmp_path / "manifest.jsonl"
    ledger = Ledger.open(path)
    manifest.mkdir()
    ledger.add("a.mp3", Identity(1, 1), 1.0, state=State.DONE)
    with pytest.raises(IsADirectoryError):
        ledger.record()
    again = Ledger.open(path)  # as after a kill
    manifest.rmdir()
    again.record()
    for each in (ledger, again):
        each.close()
    path.unlink()
    with contextlib.closing(open_ledger(config, Notifier({}))) as ledger:
        assert [job.state for job in ledger.jobs()] == [State.DONE]


def test_files_that_only_wait_cost_the_manifest_nothing(tmp_path):
    with contextlib.closing(Ledger.open(tmp_path / "ledger.db")) as ledger, ledger.transaction():
        for number in range(1000):
            ledger.update(ledger.add(f"{number}.mp3", Identity(1, 1), 1.0), state=State.RUNNING)
    assert not (tmp_path / "manifest.jsonl").exists()


def test_what_is_below_the_inbox_again_is_known_there_by_a_ledger_made_anew_too(config, tmp_path):
    """Else each file that was kept would be transcribed once more."""
    path = tmp_path / "ledger.db"
    with contextlib.closing(Ledger.open(path)) as ledger:
        ledger.add("kept.mp3", Identity(1, 1), 1.0, state=State.DONE, location="/inbox/kept.mp3")
        ledger.add("waits.mp3", Identity(1, 1), 1.0, location="/inbox/waits.mp3", not_before=9e9)
        ledger.record()
        ledger.come_home("", "/inbox")
        ledger.record()
        before = ledger.jobs()
    path.unlink()
    with contextlib.closing(open_ledger(config, Notifier({}))) as ledger:
        assert ledger.jobs() == before
        assert ledger.latest("kept.mp3").id == 1

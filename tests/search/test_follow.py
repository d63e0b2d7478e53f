"""The index is as the ledger and the results are, whatever happened to it, to them and to its writer."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from sttd.errors import AlreadyRunning
from sttd.job import Identity
from sttd.search import Coverage, Follower, IndexTrouble
from sttd.search.transcript import read
from tests.harness import wait_for
from tests.search.transcripts import write
from tests.swaps import SWAPS


def test_a_job_that_ends_is_found_and_one_without_a_result_by_its_name(archive):
    first = archive.done("a.mp3", ["needle"])
    archive.follow()
    second = archive.done("b.mp3", ["needle"])
    third = archive.done("needle.mp3", [])
    archive.result(third).unlink()
    archive.ledger.add("needle.mp3", Identity(1, 2), 1.0)  # is queued
    follower = archive.follow()
    assert archive.jobs("needle") == [third.id, second.id, first.id]
    assert follower.coverage == Coverage(searchable=2, waiting=0, without=1)


def test_results_that_were_deleted_changed_or_came_back_are_so_in_the_index(archive):
    job = archive.done("a.mp3", ["needle"])
    archive.follow()
    text = archive.result(job).read_text("utf-8")
    archive.result(job).write_text(text.replace("needle", "haystack"), "utf-8")  # by a person: its sum is wrong now
    archive.follow()
    assert (archive.jobs("needle"), archive.jobs("haystack")) == ([], [job.id])
    archive.result(job).unlink()
    archive.follow()
    assert archive.jobs("haystack") == []
    write(archive.result(job), job, ["thread"])
    archive.follow()
    assert archive.jobs("thread") == [job.id]


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"segments": [{"text": 1}]}', b"[]", b"\xff", b'{"segments": 5}', b"[" * 100_000]
)
def test_a_file_that_is_no_transcript_harms_nobody(archive, content):
    bad, good = archive.done("bad.mp3", ["needle"]), archive.done("good.mp3", ["needle"])
    archive.result(bad).write_bytes(content)
    archive.follow()
    assert archive.jobs("needle") == [good.id]


@pytest.mark.parametrize("before", ["hay " * 2498, "hay" * 3332])
def test_a_segment_that_holds_a_book_comes_in_parts_and_all_of_it_is_found(archive, before):
    """A query that met one of 30 MiB took more than the unit's memory: an excerpt looks at each word of a segment."""
    text = f"{before} a needle in it {'more ' * 5000}end"
    job = archive.done("a.mp3", [text])
    archive.follow()
    _, said = read([os.fspath(archive.result(job))], [archive.folder])
    assert "".join(each.text for each in said) == text
    assert max(len(each.text) for each in said) <= 10_000
    (hit,) = archive.search.find('"a needle in it"').hits
    assert "a needle in it" in hit.passage.excerpt.text
    assert archive.jobs("end") == [job.id]


@pytest.mark.parametrize("swap", SWAPS)
def test_what_was_put_in_place_of_a_result_is_not_read_and_holds_up_nothing(archive, tmp_path_factory, swap):
    """Members of the group may do that; whoever builds the index may read what they may not."""
    folder = archive.folder / "talks"
    folder.mkdir()
    bad = archive.done("bad.mp3", ["needle"], path=folder / "bad.json")
    good = archive.done("good.mp3", ["needle"])
    swap(archive.result(bad), tmp_path_factory.mktemp("elsewhere") / "it")
    archive.follow()
    assert archive.jobs("needle") == [good.id]
    assert archive.jobs("bad") == [bad.id]  # it is found by its name


def test_a_result_outside_of_the_folders_is_not_read(archive, tmp_path_factory):
    """A row of the ledger alone makes no file one of ours."""
    job = archive.done("a.mp3", ["needle"], path=tmp_path_factory.mktemp("elsewhere") / "a.json")
    archive.follow()
    assert (archive.jobs("needle"), archive.jobs("a")) == ([], [job.id])


@pytest.mark.parametrize("batch", [1, 100])
def test_a_job_that_is_done_again_has_the_text_that_lies_at_the_path_of_both(archive, monkeypatch, batch):
    """`redo` with output.existing = "replace-ours". Whichever of them comes into the index first."""
    monkeypatch.setattr("sttd.search.follow._BATCH", batch)
    old = archive.done("a.mp3", ["needle"])
    archive.follow()
    new = archive.done("a.mp3", ["needle in hay"], path=archive.result(old))
    archive.follow()
    assert archive.jobs("needle") == [new.id]
    archive.index.unlink()
    archive.follow()
    assert archive.jobs("needle") == [new.id]


def test_a_job_that_the_ledger_forgot_leaves_nothing(archive):
    job = archive.done("secret.mp3", ["needle"])
    archive.done("b.mp3", ["kept"])
    archive.follow()
    archive.done("c.mp3", ["kept"])
    assert archive.ledger.forget([job.id], 5000.0, 6000.0) == [job.id]
    archive.follow()
    assert archive.jobs("needle") == archive.jobs("secret") == []
    with contextlib.closing(sqlite3.connect(archive.index)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = b"".join(path.read_bytes() for path in archive.folder.glob("search.db*"))
    assert b"kept" in content
    assert b"secret" not in content
    assert b"needle" not in content


def test_a_number_that_another_job_has_now_is_that_jobs(archive):
    """A ledger that was lost begins with 1 again."""
    archive.done("a.mp3", ["needle"])
    archive.follow()
    archive.close()
    for path in archive.folder.glob("ledger.db*"):
        path.unlink()
    again = type(archive)(archive.folder)
    job = again.done("b.mp3", ["thread"], path=archive.folder / "other.json")
    again.follow()
    assert (again.jobs("needle"), again.jobs("thread"), job.id) == ([], [1], 1)
    again.close()


def _other_version(path):
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE stamp SET value = 'older'")


def _other_program(path):
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE recipes (name TEXT)")


def _garbled(path):
    content = bytearray(path.read_bytes())
    content[4096 : len(content) : 512] = b"\xa5" * len(content[4096 : len(content) : 512])
    path.write_bytes(content)


def _cut(path):
    os.truncate(path, 5000)


def _linked(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize("harm", [_other_version, _other_program, _garbled, _cut, _linked, lambda path: path.unlink()])
def test_what_is_not_a_whole_index_of_this_version_is_made_anew(archive, harm):
    job = archive.done("a.mp3", ["needle"])
    archive.follow()
    harm(archive.index)
    archive.follow()
    assert archive.jobs("needle") == [job.id]
    assert not archive.index.is_symlink()


@contextlib.contextmanager
def following(archive):
    """A follower at work, as in the web process."""
    follower, stop = Follower(archive.index, archive.path, [archive.folder]), threading.Event()
    thread = threading.Thread(target=follower.run, args=(stop,))
    thread.start()
    try:
        yield follower
    finally:
        stop.set()
        thread.join()
        follower.close()


def test_an_index_that_is_deleted_under_its_writer_is_there_again(archive):
    job = archive.done("a.mp3", ["needle"])
    with following(archive):
        wait_for(lambda: archive.jobs("needle") == [job.id], "it is found")
        archive.index.unlink()
        assert archive.jobs("needle") == []
        wait_for(lambda: archive.jobs("needle") == [job.id], "it is found again")


def test_damage_that_a_query_meets_has_the_index_made_anew(archive):
    job = archive.done("a.mp3", ["needle"])
    archive.follow()
    with following(archive) as follower:
        wait_for(lambda: follower.coverage.searchable == 1, "the index is open")
        archive.search._on_damage = follower.ask_to_remake
        with contextlib.closing(sqlite3.connect(archive.index)) as db, db:
            db.execute("UPDATE texts SET key = x'00'")
        with pytest.raises(IndexTrouble, match="damaged"):
            archive.jobs("needle")
        wait_for(lambda: _found(archive) == [job.id], "it is found again")


def test_an_index_that_cannot_be_made_anew_now_is_made_later(archive):
    """A folder in the way stands for a disk that is full: both refuse the new file."""
    job = archive.done("a.mp3", ["needle"])
    archive.follow()
    follower = Follower(archive.index, archive.path, [archive.folder])
    obstacle = archive.index.with_name("search.db.new")
    obstacle.mkdir()
    follower.ask_to_remake()
    for _ in range(2):
        with pytest.raises(IndexTrouble):
            follower.step()
    obstacle.rmdir()
    later = archive.done("b.mp3", ["needle"])
    while follower.step():
        pass
    follower.close()
    assert archive.jobs("needle") == [later.id, job.id]


def _found(archive):
    with contextlib.suppress(IndexTrouble):
        return archive.jobs("needle")
    return None


def test_two_writers_of_one_index_are_refused(archive):
    with contextlib.closing(Follower(archive.index, archive.path, [archive.folder])), pytest.raises(AlreadyRunning):
        Follower(archive.index, archive.path, [archive.folder])
    archive.follow()


def test_a_ledger_that_is_not_there_yet_is_waited_for(tmp_path):
    with contextlib.closing(Follower(tmp_path / "search.db", tmp_path / "ledger.db", [tmp_path])) as follower:
        assert follower.step() is False


def test_nobody_else_reads_the_index(archive):
    archive.done("a.mp3", ["needle"])
    archive.follow()
    assert archive.index.stat().st_mode & 0o777 == 0o600


FOLLOW = """
import sys, threading
from pathlib import Path
from sttd.search import Follower, follow
follow._BATCH = follow._PAGE = 3
Follower(Path(sys.argv[1]), Path(sys.argv[2]), [Path(sys.argv[2]).parent]).run(threading.Event())
"""


def test_a_writer_that_is_killed_at_any_moment_leaves_an_index_that_goes_on(archive):
    """kill -9 between and in small transactions: what is there in the end is what a writer makes that nobody disturbed."""
    with archive.ledger.transaction():
        jobs = [archive.done(f"{number}.mp3", [f"needle number{number} กขค", "thread"]) for number in range(90)]
    for said in (None, "hay", "needle in hay", "hay"):  # what some of the results are changed to
        for job in jobs[20:60] if said else ():
            write(archive.result(job), job, [said])
        before = _recordings(archive.index)
        with subprocess.Popen([sys.executable, "-c", FOLLOW, archive.index, archive.path]) as process:
            try:
                wait_for(lambda before=before: _recordings(archive.index) != before, "it is at work", pause=0.001)
            finally:
                process.send_signal(signal.SIGKILL)
    archive.follow()
    assert archive.jobs("hay") == [job.id for job in reversed(jobs[20:60])]
    assert archive.jobs("needle") == [job.id for job in reversed(jobs) if job not in jobs[20:60]]
    found = _content(archive.index)
    archive.index.unlink()
    archive.follow()
    assert found == _content(archive.index)


def _recordings(path):
    """What the index has of each result, whether that is still so."""
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db,
    ):
        return db.execute("SELECT * FROM recordings ORDER BY job").fetchall()
    return []


def _content(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        db.execute("CREATE VIRTUAL TABLE temp.tokens USING fts5vocab('main', 'words', 'instance')")
        tokens = db.execute("SELECT term, doc, col, offset FROM tokens").fetchall()
        return [
            db.execute(f"SELECT * FROM {table} ORDER BY job").fetchall() for table in ("recordings", "texts")
        ], sorted(tokens)

"""What a kill, a lost ledger or a person with tools leaves half way is put right, with the rights that its folder gives."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import shutil
import signal
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from sttd import outbox
from sttd.errors import SttdError
from sttd.fs import copies, moves
from sttd.fs.folder import Folder
from sttd.job import Identity, State
from sttd.ledger import Ledger, moved
from sttd.outbox import names
from sttd.outbox.places import MARK
from sttd.outbox.publish import STAGING
from tests import speech
from tests.machine import needs_root
from tests.outbox.test_outbox import commit, files_in, keep, kill_at, make, stage

WORD = "0123456789abcdef"


@pytest.fixture
def other():
    """A folder on another file system than pytest's."""
    folder = Path("/dev/shm") / f"sttd-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir()
    yield folder
    moves.remove_tree(str(folder))


def test_a_stranded_source_gets_its_name_back_and_is_a_job_again(make_daemon):
    """A source that was being filed away when the ledger was lost is transcribed as the new file that it is."""
    daemon = make_daemon()
    (daemon.inbox / "sub").mkdir()
    shutil.copy(speech.SAMPLES / "english.flac", daemon.inbox / "sub" / names.private(7, WORD, "talk.flac"))
    assert daemon.drain() == 0
    assert daemon.job().source == "sub/talk.flac"
    assert files_in(daemon.archive) == ["sub/talk.flac"]


def test_a_plan_that_cannot_be_read_costs_its_job_nothing(make_daemon):
    """Torn or foreign promises: the jobs are queued again from their checkpoints, with words, and end well."""
    daemon = make_daemon()
    plans = ('{"job": 1', '{"step": "dance"}', "null")
    for number in range(len(plans)):
        shutil.copy(speech.SAMPLES / f"clip0{number}.flac", daemon.inbox / f"{number}.flac")
    daemon.start().wait_state(State.QUEUED, len(plans))
    daemon.stop(signal.SIGKILL)
    with contextlib.closing(sqlite3.connect(daemon.state / "ledger.db", isolation_level=None)) as db:
        for number, plan in enumerate(plans, 1):
            db.execute("UPDATE jobs SET state = 'committing', plan = ? WHERE id = ?", (plan, number))
    assert daemon.drain() == 0
    assert {job.state for job in daemon.jobs()} == {State.DONE}
    assert sum("cannot be read" in line for line in daemon.log) == len(plans)


def test_a_staged_result_that_is_gone_is_written_again(make_daemon, tmp_path):
    """Somebody removed it between the promise and its keeping: the job ends all the same, with whole results."""
    daemon = make_daemon()
    config, job, source = make(tmp_path, rel="talk.flac")
    shutil.copy(speech.SAMPLES / "english.flac", source)
    job = dataclasses.replace(job, size=source.stat().st_size, mtime_ns=source.stat().st_mtime_ns)
    plan = stage(config, job)
    (tmp_path / "transcripts/.sttd-staging" / plan.staging / "txt").unlink()
    with contextlib.closing(Ledger.open(daemon.state / "ledger.db")) as ledger:
        added = ledger.add("talk.flac", job.identity, 0.0)
        ledger.update(ledger.update(added, state=State.RUNNING), state=State.COMMITTING, plan=plan.to_json())
    assert daemon.drain() == 0
    assert daemon.job().state is State.DONE
    assert len(daemon.job().outputs) == 5


def test_the_checkpoint_of_a_job_that_is_done_goes_at_the_next_start(make_daemon):
    """Killed between the ledger's `done` and the removal; what belongs to no known job, or one to be retried, stays."""
    daemon = make_daemon()
    daemon.state.mkdir()
    with contextlib.closing(Ledger.open(daemon.state / "ledger.db")) as ledger:
        for states in ((State.RUNNING, State.COMMITTING, State.DONE), (State.RUNNING, State.FAILED)):
            job = ledger.add("talk.flac", Identity(1, 1), 0.0)
            for state in states:
                job = ledger.update(job, state=state)
    for number in (1, 2, 77):
        (daemon.state / "work" / str(number)).mkdir(parents=True)
        (daemon.state / "work" / str(number) / "0.jsonl").touch()
    assert daemon.drain() == 0
    assert sorted(os.listdir(daemon.state / "work")) == ["2", "77"]


def test_no_private_name_is_too_long_and_each_tells_its_source():
    assert names.of_private(names.private(7, WORD, "talk.mp3")) == (7, "talk.mp3")
    assert names.of_private(names.private(7, WORD, "a\nb")) == (7, "a\nb")
    long = names.private(10**9, WORD, "ก" * 83 + ".mp3")
    assert len(os.fsencode(long)) <= 255
    assert names.of_private(long)[1].endswith(".mp3")
    longest = names.private(7, WORD, "ก" * 250 + ".mp3")  # NTFS, exFAT and SMB count letters: 254 of them here
    assert len(os.fsencode(longest)) <= 255
    assert names.of_private(".sttd.lock") is None


def test_removing_leftovers_leaves_the_staging_of_other_daemons_alone(tmp_path):
    """`sttd transcribe -o` into the daemon's transcripts meets none of its folders, and removes none."""
    config, job, _ = make(tmp_path)
    plan = stage(config, job)
    stranger = tmp_path / "transcripts" / ".sttd-staging" / "00000000-1"
    stranger.mkdir()
    outbox.remove_leftovers(config, outbox.Places(config.paths), [])
    assert not (stranger.parent / plan.staging).exists()
    assert stranger.exists()
    outbox.tidy(config)
    stranger.rmdir()
    outbox.tidy(config)
    assert os.listdir(tmp_path / "transcripts") == [MARK]


def test_removing_leftovers_removes_the_half_copies_of_a_promise(tmp_path, other):
    """Killed in mid-copy to another file system, and the source has changed since: no part of the copy stays."""
    config, job, source = make(tmp_path, archive=other)
    plan = stage(config, job)
    (other / "sub").mkdir()
    part = other / "sub" / copies.temporary_of(str(source.parent / plan.private_name))
    part.write_bytes(b"half")
    outbox.remove_leftovers(
        config, outbox.Places(config.paths), [job.evolve(state=State.COMMITTING, plan=plan.to_json())]
    )
    assert not part.exists()
    assert (tmp_path / "transcripts/.sttd-staging" / plan.staging).exists()


@pytest.mark.parametrize("fate", ["archive", "failed"])
def test_a_kill_between_copy_and_removal_leaves_one_copy_though_the_name_that_was_taken_is_free_by_then(
    tmp_path, other, monkeypatch, fate
):
    """To another file system. It had the name ` (2)`, and somebody then removed the file that had the first one."""
    config, job, source = make(tmp_path)
    config = dataclasses.replace(config, paths=dataclasses.replace(config.paths, **{fate: other}))
    places = outbox.Places(config.paths)
    (other / "sub").mkdir()
    taken = other / job.source
    taken.write_text("somebody's")
    plan = stage(config, job)

    def act() -> None:
        if fate == "archive":
            keep(config, plan)
        else:
            outbox.file_failure(job.evolve(state=State.FAILED, cause="error"), config, places)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(moves, "drop_first_name", killed)
        with pytest.raises(KeyboardInterrupt):
            act()
    copied = [name for name in os.listdir(other / "sub") if "(2)" in name]
    assert len(copied) == 1
    taken.unlink()
    act()
    found = [name for name in os.listdir(other / "sub") if not name.endswith(".error.json")]
    assert found == copied
    assert not source.exists()


def test_folders_have_the_rights_of_the_folder_above(tmp_path):
    """A group's setgid folder hands its mode on as far as the umask lets it, a plain one in spite of the umask."""
    (tmp_path / "group").mkdir()
    (tmp_path / "group").chmod(0o2750)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain").chmod(0o775)
    before = os.umask(0o007)
    try:
        moves.make_folder(str(tmp_path / "group" / "a" / "b"))
        moves.make_folder(str(tmp_path / "plain" / "a"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "group/a/b").stat().st_mode) == 0o2750
    assert stat.S_IMODE((tmp_path / "plain/a").stat().st_mode) == 0o775


@needs_root
def test_results_have_the_group_of_a_setgid_folder_and_mode_0640(tmp_path):
    config, job, _ = make(tmp_path)
    os.chown(tmp_path / "transcripts", -1, 12345)
    (tmp_path / "transcripts").chmod(0o2750)
    outputs = commit(config, job).outputs
    assert {(Path(p).stat().st_gid, stat.S_IMODE(Path(p).stat().st_mode)) for p in outputs} == {(12345, 0o640)}


def test_a_copy_to_another_file_system_keeps_mode_and_time_but_no_setuid(tmp_path, other):
    source = tmp_path / "talk.mp3"
    source.write_bytes(b"sound")
    source.chmod(0o6754)
    os.utime(source, ns=(1_000_000_007, 2_000_000_009))
    with Folder.open(tmp_path) as here, Folder.open(other) as there:
        moves.move_new(here, "talk.mp3", there, "talk.mp3")
    seen = (other / "talk.mp3").stat()
    assert (stat.S_IMODE(seen.st_mode), seen.st_mtime_ns) == (0o754, 2_000_000_009)
    assert not source.exists()


@pytest.mark.parametrize("way", [moves.rename_new, moves._rename_linked, moves._look_and_rename])
def test_a_rename_replaces_nobody(tmp_path, way):
    """In one step where the file system can, in two where it has hard links, with a look before it where it has none."""
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with Folder.open(tmp_path) as here:
        with pytest.raises(FileExistsError):
            way(here, "a", here, "b")
        way(here, "a", here, "c")
        assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"b": "b", "c": "a"}
        os.link(tmp_path / "c", tmp_path / "d")  # killed between the two steps
        moves.rename_new(here, "c", here, "d")
    assert sorted(os.listdir(tmp_path)) == ["b", "d"]


def test_this_file_system_renames_in_one_step(tmp_path):
    (tmp_path / "a").touch()
    with Folder.open(tmp_path) as here:
        if not moves._rename_noreplace(here, "a", here, "b"):
            pytest.skip("the file system of the tests knows no RENAME_NOREPLACE")
    assert os.listdir(tmp_path) == ["b"]


def test_a_write_in_the_same_tick_is_seen_where_the_source_is_young(tmp_path):
    """Same size, same time of change, other content, straight after the hash: it stays, as a new job."""
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    source.write_bytes(b"SOUND" * 1000)
    os.utime(source, ns=(job.mtime_ns, job.mtime_ns))
    assert keep(config, plan).changed
    assert source.read_bytes().startswith(b"SOUND")


def test_a_source_that_was_on_its_way_when_its_inbox_was_taken_out_gets_its_name_back(tmp_path):
    """It stays there, and nobody looks into that folder any more: under its private name it would be hidden for good."""
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    source.rename(source.with_name(plan.private_name))
    row = job.evolve(plan=plan.to_json())
    left = moved.relocated(row, str(source), fate="keep")
    filed = keep(config, outbox.Plan.from_json(left["plan"]))
    assert filed.location == str(source)
    assert files_in(source.parent) == [source.name]


def test_a_foreign_plan_is_refused_in_words():
    with pytest.raises(SttdError, match="cannot be read"):
        outbox.Plan.from_json({"job": "x"})


def test_a_cancel_that_is_killed_while_its_staging_folder_goes_takes_no_file_of_others_for_a_result(tmp_path):
    """Half of the folder was gone. The next try took the files that had the names of that half for its own, and removed them."""
    config, job, _ = make(tmp_path, "keep")
    plan = stage(config, job)
    job = dataclasses.replace(job, state=State.COMMITTING, plan=plan.to_json())
    for step in itertools.count(1):
        stage(config, job)
        mine = tmp_path / "transcripts/sub/talk.en.txt"
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
        ended = kill_at(step, lambda: outbox.undo(job, config, outbox.Places(config.paths)))
        assert outbox.undo(job, config, outbox.Places(config.paths))
        assert (files_in(tmp_path / "transcripts"), mine.read_text()) == (["sub/talk.en.txt"], "mine"), step
        if ended:
            break
    outbox.remove_leftovers(config, outbox.Places(config.paths), [])
    assert not list((tmp_path / "transcripts" / STAGING).iterdir())

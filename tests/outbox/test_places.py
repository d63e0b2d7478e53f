"""A folder of results, of archived or of failed sources that is not the one it was is waited for: with real mounts where they can be made."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

from sttd import outbox
from sttd.job import State
from sttd.outbox import Absent, Places, names
from sttd.outbox.formats import FORMATS
from sttd.outbox.places import MARK, MARKED
from sttd.outbox.publish import STAGING, publish
from tests import speech
from tests.harness import PATIENCE, wait_for
from tests.outbox.test_outbox import files_in, keep, make, stage
from tests.shares import hanging


def unmount(folder: Path) -> Path:
    """As far as anybody can see: the bare folder that was under the mount. Returns where the rest is."""
    away = folder.rename(folder.with_name(f"{folder.name}-away"))
    folder.mkdir()
    return away


def mount_again(folder: Path, away: Path) -> None:
    shutil.rmtree(folder)
    away.rename(folder)


@pytest.mark.parametrize("name", MARKED)
def test_a_folder_that_is_not_mounted_is_told_from_the_one_that_was_used(tmp_path, name):
    config, _, _ = make(tmp_path)
    first = Places(config.paths)
    first.open(name).close()
    known = first.news()
    assert first.news() is None
    again = Places(config.paths, known)
    again.open(name).close()
    assert again.news() is None
    away = unmount(getattr(config.paths, name))
    for places in (first, again, Places(config.paths, known)):
        with pytest.raises(Absent, match="mount it again, or if it is the right one: echo") as absent:
            places.open(name)
    assert os.listdir(getattr(config.paths, name)) == []
    os.system(str(absent.value).partition("right one: ")[2])  # what the message advises works
    again.open(name).close()
    mount_again(getattr(config.paths, name), away)
    again.open(name).close()
    shutil.rmtree(getattr(config.paths, name))
    with pytest.raises(Absent, match="is gone"):
        again.open(name)


def test_a_mark_that_a_mirror_removes_or_empties_is_written_again(tmp_path):
    """The folder is proved by its numbers, in this run and in the next one."""
    config, _, _ = make(tmp_path)
    places = Places(config.paths)
    places.open("archive").close()
    known, mark = places.news(), config.paths.archive / MARK
    word = mark.read_text()
    for harm in (mark.unlink, lambda: mark.write_text("")):
        for each in (places, Places(config.paths, known)):
            harm()
            each.open("archive").close()
            assert mark.read_text() == word


def test_a_folder_that_hangs_holds_up_neither_the_loop_nor_the_other_folders(tmp_path):
    """The loop asks for news after each step of each job, while a thread may stand in an archive whose server is gone."""
    config, _, _ = make(tmp_path)
    places = Places(config.paths)
    for name in MARKED:
        places.open(name).close()
    assert places.news() is not None
    entered = threading.Event()

    def stand() -> None:
        entered.set()
        with contextlib.suppress(OSError):  # ENOTCONN, once the mount is taken away
            places.open("archive").close()

    def others() -> None:
        places.news()
        places.open("transcripts").close()
        places.open("failed").close()

    with hanging(config.paths.archive):
        standing = threading.Thread(target=stand, daemon=True)
        standing.start()
        entered.wait(PATIENCE)
        standing.join(0.2)
        assert standing.is_alive()
        going_on = threading.Thread(target=others, daemon=True)
        going_on.start()
        going_on.join(PATIENCE / 4)
        assert not going_on.is_alive()
    standing.join(PATIENCE)


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("what", ["file", "loop"])
@pytest.mark.parametrize("name", MARKED)
def test_a_folder_that_is_none_any_more_is_waited_for(tmp_path, name, what, used):
    """ELOOP is also what an automounter says. Neither is the fault of a recording's name."""
    config, _, _ = make(tmp_path)
    places, folder = Places(config.paths), getattr(config.paths, name)
    if used:
        places.open(name).close()
    shutil.rmtree(folder)
    folder.write_text("no folder") if what == "file" else folder.symlink_to(folder)
    with pytest.raises(Absent, match="is no folder"):
        places.open(name)
    folder.unlink()
    folder.mkdir()
    if not used:
        places.open(name).close()


def test_a_folder_that_the_configuration_names_anew_is_taken_as_it_is(tmp_path):
    config, _, _ = make(tmp_path)
    places = Places(config.paths)
    places.open("archive").close()
    known = places.news()
    other, _, _ = make(tmp_path, archive=tmp_path / "elsewhere")
    Places(other.paths, known).open("archive").close()


def test_a_person_who_names_a_folder_for_once_finds_no_mark_in_it(tmp_path):
    config, job, _ = make(tmp_path, "keep")
    places = Places(config.paths, marked=False)
    meta = outbox.Meta.of(job, finished_at=1.0)
    plan = outbox.stage(job, meta, lambda: iter(()), config, places)
    outbox.keep(plan, places)
    assert not (config.paths.transcripts / MARK).exists()
    assert places.news() is None


@pytest.mark.ci
def test_a_job_is_not_done_while_its_transcripts_are_not_mounted(make_daemon):
    """Without the mount it waits and says so, over a kill and a start too, and ends well when the mount is back."""
    daemon = make_daemon({"pool.machine_wait": "1s"})
    speech.encode(daemon.inbox / "warm.flac", speech.sample("clip01"))
    assert daemon.drain() == 0
    away = unmount(daemon.transcripts)
    speech.encode(daemon.inbox / "talk.flac", speech.sample("english"))
    daemon.start()
    assert "echo" in daemon.wait_log("is not the folder that it was")
    assert daemon.json("status")["jobs"]["done"] == 1
    daemon.stop(signal.SIGKILL)
    assert os.listdir(daemon.transcripts) == []
    daemon.start()
    wait_for(lambda: [line for line in daemon.log if "is not the folder" in line][1:], "it is said again")
    assert daemon.json("status")["trouble"]
    mount_again(daemon.transcripts, away)
    job = daemon.wait_state(State.DONE, 2)
    assert len(job.outputs) == 5
    assert daemon.stop() == 0


def test_what_is_staged_of_a_promise_outlives_a_start_without_the_mount(tmp_path):
    config, job, _ = make(tmp_path)
    plan = stage(config, job)
    places = Places(config.paths)
    places.open("transcripts").close()
    known = places.news()
    promised = job.evolve(state=State.RUNNING).evolve(state=State.COMMITTING, plan=plan.to_json())
    away = unmount(config.paths.transcripts)
    for _ in range(2):
        start = Places(config.paths, known)
        outbox.remove_leftovers(config, start, [promised])
        with pytest.raises(Absent):
            outbox.keep(plan, start)
    mount_again(config.paths.transcripts, away)
    outbox.remove_leftovers(config, Places(config.paths, known), [promised])
    assert len(keep(config, plan).outputs) == len(FORMATS)


def test_an_archive_that_is_not_mounted_leaves_the_source_under_its_own_name(tmp_path):
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    places = Places(config.paths)
    for name in MARKED:
        places.open(name).close()
    unmount(config.paths.archive)
    with pytest.raises(Absent):
        outbox.keep(plan, places)
    assert source.exists()
    assert len(files_in(config.paths.transcripts)) == len(FORMATS)
    unmount(config.paths.failed)
    with pytest.raises(Absent):
        outbox.file_failure(job, config, places)
    assert source.exists()


@pytest.mark.parametrize("filed", [False, True])
def test_results_that_are_gone_before_the_job_is_done_are_written_again_from_its_checkpoint(tmp_path, filed):
    """Staging was removed: the plan cannot be kept, and whoever tries again knows where the source is by then."""
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    if filed:
        outbox.keep(plan, Places(config.paths))
    shutil.rmtree(config.paths.transcripts / ".sttd-staging")
    with pytest.raises(outbox.Unkept) as unkept:
        outbox.keep(plan, Places(config.paths))
    assert unkept.value.moved_to == (str(tmp_path / "archive/sub/talk.mp3") if filed else None)
    assert source.exists() is not filed


def test_a_transcript_that_was_corrected_between_a_kill_and_the_next_start_stays_as_it_is(tmp_path):
    config, job, _ = make(tmp_path)
    plan = stage(config, job)
    (path,) = [path for path in outbox.keep(plan, Places(config.paths)).outputs if path.endswith("txt")]
    Path(path).write_text("corrected")
    assert path in keep(config, plan).outputs
    assert Path(path).read_text() == "corrected"


def test_a_cancelled_job_takes_back_what_was_placed_until_its_source_is_filed_away(tmp_path):
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    committing = job.evolve(state=State.RUNNING).evolve(state=State.COMMITTING, plan=plan.to_json())
    config.paths.archive.rmdir()
    config.paths.archive.write_text("no folder")
    with pytest.raises(Absent):
        outbox.keep(plan, Places(config.paths))
    assert len(files_in(config.paths.transcripts)) == len(FORMATS)
    for _ in range(2):  # killed, and done again
        assert outbox.undo(committing, config, Places(config.paths))
        assert files_in(config.paths.transcripts) == []
    assert source.exists()
    config.paths.archive.unlink()
    plan = stage(config, job)
    outbox.keep(plan, Places(config.paths))
    assert not outbox.undo(committing.evolve(plan=plan.to_json()), config, Places(config.paths))
    assert len(files_in(config.paths.transcripts)) == len(FORMATS)


def staged_and_placed(plan: outbox.Plan, transcripts: Path) -> tuple[Path, Path]:
    """Where a text is and where it will be."""
    name = names.results(plan.result_name, plan.language, plan.hashes, plan.number)["txt"]
    folder = transcripts / "sub"
    folder.mkdir()
    return transcripts / STAGING / plan.staging / "txt", folder / name


def test_a_cancelled_job_takes_back_a_result_that_a_kill_left_both_names(tmp_path):
    """Where no rename keeps what is there, as on NFS, a result is linked first."""
    config, job, _ = make(tmp_path)
    plan = stage(config, job)
    staged, placed = staged_and_placed(plan, config.paths.transcripts)
    os.link(staged, placed)
    placed.with_suffix(".json").write_text("a person's own")
    assert outbox.undo(job.evolve(plan=plan.to_json()), config, Places(config.paths))
    assert [path.name for path in placed.parent.iterdir()] == [placed.with_suffix(".json").name]


def test_a_source_that_a_kill_left_a_name_in_the_archive_is_not_given_back(tmp_path):
    """It lay in both then: the archive had a recording of which no job knew."""
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    publish(plan, Places(config.paths))
    private, archived = source.with_name(plan.private_name), config.paths.archive / job.source
    source.rename(private)
    archived.parent.mkdir(parents=True)
    os.link(private, archived)
    assert not outbox.undo(job.evolve(plan=plan.to_json()), config, Places(config.paths))
    assert list(source.parent.iterdir()) == []
    assert keep(config, plan).location == str(archived)
    assert list(archived.parent.iterdir()) == [archived]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EINVAL])
@pytest.mark.parametrize("is_placed", ["", "renamed", "linked"])
def test_a_job_that_has_placed_nothing_is_cancelled_though_the_folder_of_its_results_is_closed(
    tmp_path, monkeypatch, is_placed, number
):
    """Or though its name is refused."""
    config, job, _ = make(tmp_path)
    plan = stage(config, job)
    staged, placed = staged_and_placed(plan, config.paths.transcripts)
    if is_placed:
        (os.rename if is_placed == "renamed" else os.link)(staged, placed)

    def closed(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("sttd.outbox.publish.folder_below", closed)
    with pytest.raises(OSError, match=os.strerror(number)) if is_placed else contextlib.nullcontext():
        assert outbox.undo(job.evolve(plan=plan.to_json()), config, Places(config.paths))
    assert placed.exists() == bool(is_placed)

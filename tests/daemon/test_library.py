"""Results beside recordings, in a library in which others rename, replace and bring subtitles."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import ClassVar

import pytest

from sttd.daemon import requests, twins
from sttd.daemon.errands import Operation
from sttd.daemon.guard import guard
from sttd.daemon.library import MOST, PATIENCE
from sttd.job import Overrides, State
from sttd.part import Cause, Existing, Failed
from tests.properties import stations
from tests.properties.stations import Stations


class Recordings(stations.Folder):
    def files(self):
        return {rel: identity for rel, identity in super().files().items() if rel.endswith(".mp3")}


class Library(Stations):
    """Stations with results beside their sources."""

    output: ClassVar[dict[str, object]] = {}

    def start(self) -> None:
        wanted = {"place": "beside", "formats": ("srt",)} | self.output
        self.config = dataclasses.replace(self.config, output=dataclasses.replace(self.config.output, **wanted))
        super().start()

    @property
    def folder(self) -> Path:
        return Path(self.config.paths.inbox)

    def drop(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.write_text(content)
        return path

    def work_off(self) -> None:
        for _ in range(6):
            self.go_on()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))

    def jobs(self):
        return {job.source: job for job in self.context.ledger.jobs(newest=False)}


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.setattr(stations, "Folder", Recordings)
    library = Library(tmp_path, "archive")
    yield library
    library.context.ledger.close()


def test_a_recording_that_is_renamed_is_not_transcribed_again_and_its_results_follow(library):
    library.drop("ep1.mp3", "speech")
    library.work_off()
    assert library.names() == ["ep1.en.srt", "ep1.mp3"]
    os.rename(library.folder / "ep1.mp3", library.folder / "S01E01.mp3")
    library.work_off()
    assert library.names() == ["S01E01.en.srt", "S01E01.mp3"]
    done = library.jobs()["S01E01.mp3"]
    assert (done.state, done.attempt, done.outputs) == (State.DONE, 0, (str(library.folder / "S01E01.en.srt"),))
    os.rename(library.folder / "S01E01.mp3", library.folder / "Pilot.mp3")  # and once more
    library.work_off()
    assert library.names() == ["Pilot.en.srt", "Pilot.mp3"]
    assert library.jobs()["Pilot.mp3"].attempt == 0


def test_what_a_library_tool_or_a_person_did_with_the_results_is_left_as_it_is(library):
    """Renamed along, edited, or deleted: in no case is the recording transcribed again."""
    for number in "123":
        library.drop(f"ep{number}.mp3", f"speech {number}")
    library.work_off()
    os.rename(library.folder / "ep1.en.srt", library.folder / "S01E01.en.srt")
    (library.folder / "ep2.en.srt").write_text("corrected")
    (library.folder / "ep3.en.srt").unlink()
    for number in "123":
        os.rename(library.folder / f"ep{number}.mp3", library.folder / f"S01E0{number}.mp3")
    library.work_off()
    recordings = ["S01E01.mp3", "S01E02.mp3", "S01E03.mp3"]
    assert library.names() == sorted(["S01E01.en.srt", "ep2.en.srt", *recordings])
    jobs = library.jobs()
    assert [(jobs[name].state, jobs[name].attempt) for name in recordings] == [(State.DONE, 0)] * 3
    assert jobs["S01E01.mp3"].outputs == (str(library.folder / "S01E01.en.srt"),)
    assert (library.folder / "ep2.en.srt").read_text() == "corrected"


def test_a_copy_is_no_rename_and_neither_is_another_recording_of_the_same_size(library):
    library.drop("ep1.mp3", "speech")
    library.drop("gone.mp3", "SPEECH")
    library.work_off()
    library.drop("copy.mp3", "speech")
    (library.folder / "gone.mp3").unlink()
    library.drop("new.mp3", "sPeEcH")
    library.work_off()
    assert {"ep1.en.srt", "copy.en.srt", "gone.en.srt", "new.en.srt"} <= set(library.names())
    assert all(library.jobs()[name].attempt == 1 for name in ("copy.mp3", "new.mp3"))


def test_what_lies_on_a_disk_that_is_away_was_not_renamed(library):
    """The disk of a part of the library is unmounted: its recordings have left no name, and a copy has no results."""
    library.drop("disk1.mp3", "speech")
    library.work_off()
    for name in ("disk1.mp3", "disk1.en.srt"):
        (library.folder / name).rename(library.folder / f".{name}")
    library.inbox.lost_mounts.add("disk1.mp3")
    library.inbox.known.clear()
    library.drop("copy.mp3", "speech")
    library.work_off()
    assert library.jobs()["copy.mp3"].outputs == (str(library.folder / "copy.en.srt"),)
    assert library.jobs()["disk1.mp3"].location is None


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_copy_of_a_recording_that_was_renamed_before_is_no_rename(library, is_edited):
    """The former name is gone for good, and its results went with the recording: they are not to be had once more."""
    library.drop("ep1.mp3", "speech")
    library.work_off()
    if is_edited:
        (library.folder / "ep1.en.srt").write_text("corrected")
    os.rename(library.folder / "ep1.mp3", library.folder / "S01E01.mp3")
    library.work_off()
    shutil.copy2(library.folder / "S01E01.mp3", library.folder / "copy.mp3")
    library.work_off()
    assert library.jobs()["copy.mp3"].outputs == (str(library.folder / "copy.en.srt"),)
    os.rename(library.folder / "S01E01.mp3", library.folder / "Pilot.mp3")
    library.work_off()
    assert library.jobs()["Pilot.mp3"].attempt == 0


def test_a_file_of_a_person_under_the_new_name_is_no_result(library):
    library.drop("ep1.mp3", "speech")
    library.work_off()
    (library.folder / "S01E01.en.srt").write_text("a person's own")
    os.rename(library.folder / "ep1.mp3", library.folder / "S01E01.mp3")
    library.work_off()
    jobs = library.jobs()
    assert (jobs["S01E01.mp3"].attempt, jobs["S01E01.mp3"].outputs) == (0, ())
    assert jobs["ep1.mp3"].outputs == (str(library.folder / "ep1.en.srt"),)


def test_a_fault_in_a_look_ends_its_job_alone(library, monkeypatch):
    """It gives up its place among the few that are looked at at a time: else no recording would start after some faults."""
    library.drop("done.mp3", "speech")
    library.work_off()
    monkeypatch.setattr("sttd.daemon.library._look", lambda *_: {}["a fault in sttd"])
    for number in range(MOST + 1):
        library.drop(f"{number}.mp3", f"SPEE{number}H")
        library.look()
        library.tick(1.0)
        while library.errands.posted:
            errand = library.errands.posted.popleft()
            with guard(library.context, errand.job):
                errand.then(errand.work())
        library.context.judging.faults.ended_well()
    assert library.context.ledger.counts()[State.FAILED] == MOST + 1


def test_a_share_that_hangs_during_a_look_does_not_keep_other_recordings_waiting_for_ever(library):
    """A look may read a film of 100 GB, which takes its time; a share that hangs takes for ever."""
    library.drop("ep1.mp3", "speech")
    library.work_off()
    began = library.now
    library.errands.operations = lambda: [Operation("looks at another one", 9, began)]
    library.drop("ep2.mp3", "SPEECH")
    library.look()
    library.tick(PATIENCE - 1.0)
    assert not library.pool.attempts
    library.tick(2.0)
    assert library.pool.attempts


@pytest.mark.parametrize("moment", range(12))
def test_a_crash_while_results_follow_leaves_each_once(library, moment):
    library.drop("ep1.mp3", "speech")
    library.work_off()
    os.rename(library.folder / "ep1.mp3", library.folder / "S01E01.mp3")
    library.look()
    for step in range(moment):
        library.settle() if library.errands.posted and step % 2 else library.tick(1000.0)
    library.crash(halfway=bool(moment % 3))
    library.work_off()
    assert library.names() == ["S01E01.en.srt", "S01E01.mp3"]
    assert (library.jobs()["S01E01.mp3"].state, library.jobs()["S01E01.mp3"].attempt) == (State.DONE, 0)
    assert library.jobs()["S01E01.mp3"].outputs == (str(library.folder / "S01E01.en.srt"),)


@pytest.fixture
def careful(tmp_path, monkeypatch):
    """`output.existing = "skip"`, English wanted."""
    monkeypatch.setattr(stations, "Folder", Recordings)
    monkeypatch.setattr(Library, "output", {"existing": "skip"})
    library = Library(tmp_path, "archive")
    options = dataclasses.replace(library.config.transcribe, language="en")
    library.context.config = dataclasses.replace(library.config, transcribe=options)
    yield library
    library.context.ledger.close()


def test_a_recording_with_subtitles_in_the_wanted_language_is_not_transcribed(careful):
    """It is told once, with the reason; a person can have it done all the same, and forced, empty or other ones do not count."""
    for name, subtitles in (("a", "a.eng.srt"), ("b", "b.en.forced.srt"), ("c", "c.th.srt"), ("d", "d.srt")):
        careful.drop(subtitles, "1")
        careful.drop(f"{name}.mp3", name)
    careful.drop("e.en.srt", "")
    careful.drop("e.mp3", "e")
    careful.work_off()
    jobs = careful.jobs()
    reasons = {name: job.warnings for name, job in jobs.items() if job.cause == Cause.EXISTING}
    assert reasons == {
        "a.mp3": ("not transcribed: it has subtitles in English (a.eng.srt)",),
        "d.mp3": ("not transcribed: it has subtitles of an unknown language (d.srt)",),
    }
    assert {job.state for job in jobs.values()} == {State.DONE}
    assert [len(jobs[f"{name}.mp3"].outputs) for name in "abcde"] == [0, 1, 1, 0, 1]
    careful.crash(halfway=False)
    careful.work_off()
    assert len(careful.jobs()) == 5
    careful.ask("redo", jobs["a.mp3"].id)
    careful.work_off()
    assert careful.context.ledger.jobs(limit=1)[0].outputs == (str(careful.folder / "a.en.srt"),)


def test_a_cancelled_job_that_is_done_again_in_another_language_has_that_whatever_subtitles_there_are(careful):
    """It is the same job, and was looked at as a new one."""
    careful.drop("a.mp3", "a")
    careful.look()
    (job,) = careful.jobs().values()
    with careful.context.ledger.transaction():
        requests.cancel(careful.context, job)
    careful.drop("a.en.srt", "1")
    with careful.context.ledger.transaction():
        requests.redo(careful.context, careful.context.ledger.get(job.id), Overrides(language="en"))
    careful.work_off()
    (job,) = careful.jobs().values()
    assert (job.state, job.cause, len(job.outputs)) == (State.DONE, None, 1)


def test_where_several_languages_will_do_the_worker_gets_to_know_what_is_beside(careful):
    options = dataclasses.replace(careful.config.transcribe, languages=("th", "en"))
    careful.context.config = dataclasses.replace(careful.config, transcribe=options)
    careful.drop("a.eng.srt", "1")
    careful.drop("a.mp3", "a")
    careful.look()
    careful.tick(1.0)
    careful.settle()
    careful.tick(1.0)
    ((attempt),) = careful.pool.attempts.values()
    assert attempt.spec.existing == Existing(("th", "en"), (("a.eng.srt", "en"),))
    del careful.pool.attempts[attempt.spec.part_id]
    ended = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt, "retriable": False}
    careful.message(Failed(cause=Cause.EXISTING, error="not transcribed: it has them", **ended))
    job = careful.jobs()["a.mp3"]
    assert (job.state, job.cause, job.warnings) == (State.DONE, Cause.EXISTING, ("not transcribed: it has them",))
    careful.work_off()
    assert careful.names() == ["a.eng.srt", "a.mp3"]


def test_a_redo_replaces_what_sttd_wrote_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(stations, "Folder", Recordings)
    monkeypatch.setattr(Library, "output", {"existing": "replace-ours"})
    library = Library(tmp_path, "archive")
    for name in "ab":
        library.drop(f"{name}.mp3", name)
        library.look()  # the first one has the first job
    library.work_off()
    (library.folder / "b.en.srt").write_text("corrected")
    library.drop("a.m4a", "no recording of this name")
    for job in (1, 2):
        library.ask("redo", job)
    library.work_off()
    assert library.names() == ["a.en.srt", "a.m4a", "a.mp3", "b (2).en.srt", "b.en.srt", "b.mp3"]
    assert (library.folder / "b.en.srt").read_text() == "corrected"
    outputs = {job.id: job.outputs for job in library.context.ledger.jobs()}
    redone = {job.redo_of: job.outputs for job in library.context.ledger.jobs() if job.redo_of}
    assert (outputs[1], redone[1]) == ((), (str(library.folder / "a.en.srt"),))
    assert redone[2] == (str(library.folder / "b (2).en.srt"),)
    library.drop("a.mp3", "a better version of the film")  # and so does another version of the recording
    library.work_off()
    assert [name for name in library.names() if name.startswith("a")] == ["a.en.srt", "a.m4a", "a.mp3"]
    library.context.ledger.close()


@pytest.fixture
def replacing(tmp_path, monkeypatch):
    """`output.existing = "replace-ours"`, with the place of results and the fate of sources that a test asks for."""
    made = []

    def make(place: str, fate: str) -> Library:
        monkeypatch.setattr(stations, "Folder", Recordings)
        monkeypatch.setattr(Library, "output", {"place": place, "existing": "replace-ours", "formats": ("json", "srt")})
        made.append(Library(tmp_path, fate))
        return made[0]

    yield make
    for library in made:
        library.context.ledger.close()


def subtitles(library: Library) -> dict[str, str]:
    """What is said first, by name."""
    files = [path for name in ("transcripts", "inbox") for path in library.folder.with_name(name).glob("*.srt")]
    return {path.name: path.read_text().splitlines()[2] for path in files}


@pytest.mark.parametrize(
    ("place", "fate", "is_moved_away"),
    [
        ("transcripts", "archive", False),
        ("transcripts", "delete", False),
        ("transcripts", "keep", True),
        ("beside", "keep", True),
    ],
)
def test_a_recorder_that_uses_a_name_again_loses_no_transcript(replacing, place, fate, is_moved_away):
    """Monday's recording went elsewhere: what the name is given to on Tuesday is another one."""
    library = replacing(place, fate)
    library.drop("a.mp3", "monday")
    library.work_off()
    if is_moved_away:
        library.ask("redo", 1)
        library.work_off()
        (library.folder / "a.mp3").unlink()
        library.work_off()
    library.drop("a.mp3", "tuesday")
    library.work_off()
    assert subtitles(library) == {"a.en.srt": "monday 0", "a (2).en.srt": "tuesday 0"}
    if fate == "archive":
        library.ask("redo", 1)
        library.work_off()
        assert subtitles(library) == {"a.en.srt": "monday 0", "a (2).en.srt": "tuesday 0"}
        assert json.loads((library.folder.with_name("transcripts") / "a.en.json").read_bytes())["job"] == 3
    library.drop("a.mp3", "tuesday")  # once more, from the recorder's card
    library.work_off()
    assert subtitles(library) == {"a.en.srt": "monday 0", "a (2).en.srt": "tuesday 0"}


@pytest.mark.parametrize("place", ["transcripts", "beside"])
def test_a_source_that_stays_and_is_written_anew_has_the_results_of_what_it_is(replacing, place):
    """Also over a version that came to nothing, and after a redo."""
    library = replacing(place, "keep")
    library.drop("a.mp3", "a draft")
    library.work_off()
    library.ask("redo", 1)
    library.work_off()
    library.drop("a.mp3", "noise")
    library.look()
    library.tick(1.0)
    (attempt,) = library.pool.attempts.values()
    library.end(attempt, Cause.BAD_FILE)
    library.work_off()
    assert [job.state for job in library.context.ledger.jobs()] == [State.FAILED, State.DONE, State.DONE]
    assert subtitles(library) == {"a.en.srt": "a draft 0"}
    library.drop("a.mp3", "as it is broadcast")
    library.work_off()
    if place == "beside":
        assert subtitles(library) == {"a.en.srt": "as it is broadcast 0"}
    else:  # what could not be transcribed went to failed/ in between
        assert subtitles(library) == {"a.en.srt": "a draft 0", "a (2).en.srt": "as it is broadcast 0"}
        library.drop("a.mp3", "as it is repeated")
        library.work_off()
        assert subtitles(library) == {"a.en.srt": "a draft 0", "a (2).en.srt": "as it is repeated 0"}


def test_a_recording_whose_content_is_compared_too_is_looked_at_once(careful, monkeypatch):
    """One of the same size was done: the content check comes after the look, and does not make it anew."""
    monkeypatch.setattr(twins, "look_ahead", lambda context: None)  # it has more urgent ones to do
    careful.drop("a.mp3", "a")
    careful.work_off()
    posted = []
    real = careful.errands.post
    careful.errands.post = lambda name, *rest: posted.append(name) or real(name, *rest)
    careful.drop("b.mp3", "b")
    careful.work_off()
    assert careful.jobs()["b.mp3"].state is State.DONE
    assert sum("reads b.mp3 to compare its content" in name for name in posted) == 1
    assert sum("looks at what is there of b.mp3" in name for name in posted) == 1
    assert not careful.context.recordings.looked.over


@pytest.mark.parametrize("moment", range(8))
def test_a_recording_that_is_renamed_while_its_job_is_under_way_has_one_result(library, moment):
    """Whatever step its job is at: before, in, and after its attempt, and while its results are put in place."""
    library.drop("ep1.mp3", "speech")
    library.look()
    library.tick(1.0)
    for _ in range(moment):
        attempts = list(library.pool.attempts.values())
        if library.errands.posted:
            library.settle()
        elif attempts:
            library.step(attempts[0])
    assert library.jobs()["ep1.mp3"].attempt == 1
    os.rename(library.folder / "ep1.mp3", library.folder / "S01E01.mp3")
    library.work_off()
    assert library.names() == ["S01E01.en.srt", "S01E01.mp3"]
    assert library.jobs()["S01E01.mp3"].state is State.DONE
    assert library.jobs()["ep1.mp3"].state in (State.DONE, State.VANISHED)

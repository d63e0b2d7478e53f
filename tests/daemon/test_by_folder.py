"""Options by folder: when they count, and what a bad file costs: its own folder's recordings their turn, and nobody else anything."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import os
from pathlib import Path

import pytest

from sttd.config.watched import Watched
from sttd.configfile import folder_options
from sttd.daemon import by_folder as flow, draining, requests
from sttd.daemon.folder_looks import PAUSE
from sttd.daemon.opening import open_ledger
from sttd.host.sd_notify import Notifier
from sttd.job import Identity, Overrides, State
from sttd.ledger import LEDGER, holds
from sttd.part import Cause, Failed
from tests.properties.stations import Drawer, Stations

WAIT = 30.0  # seconds: `pool.machine_wait`


@pytest.fixture
def daemon(tmp_path):
    stations = Stations(tmp_path, "archive")
    stations.sizes = itertools.count(1)
    stations.tick(1.0)
    yield stations
    stations.context.ledger.close()


def put(daemon, path: str, text: str) -> Path:
    file = daemon.inbox.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def options(daemon, folder: str, text: str) -> Path:
    """A `.sttd.toml`, written long ago."""
    file = put(daemon, os.path.join(folder, folder_options.NAME), text)
    os.utime(file, (1.0, 1.0))
    return file


def drop(daemon, *names: str) -> None:
    for name in names:
        put(daemon, name, "x" * next(daemon.sizes))  # of different sizes: else they would be compared first
        daemon.look()
    daemon.tick(1.0)


def attempts(daemon) -> dict:
    return {
        daemon.context.ledger.get(int(part.partition(".")[0])).source: found
        for part, found in daemon.pool.attempts.items()
    }


def finish(daemon) -> None:
    """What runs and waits comes to its end, as far as it may."""
    while daemon.pool.attempts or daemon.errands.posted:
        for attempt in list(daemon.pool.attempts.values()):
            while daemon.pool.attempts.get(attempt.spec.part_id) is attempt:
                daemon.step(attempt)
        while daemon.errands.posted:
            daemon.settle()
        daemon.tick(1.0)


def state(daemon, source: str) -> State:
    return next(job for job in daemon.context.ledger.jobs() if job.source == source).state


def result(daemon, name: str) -> dict:
    return json.loads((daemon.config.paths.transcripts / f"{name}.en.json").read_text())


THAI = '[transcribe]\nlanguage = "th"\n'


def test_the_nearest_file_counts_key_by_key(daemon):
    options(daemon, "", '[transcribe]\nhotwords = "root"\nbeam_size = 2')
    options(daemon, "a", THAI + 'hotwords = "a"')
    options(daemon, "a/b", "[transcribe]\nbeam_size = 1")
    drop(daemon, "a/b/x.mp3", "c/y.mp3")
    found = {source: attempt.spec.options for source, attempt in attempts(daemon).items()}
    assert [(each.language, each.hotwords, each.beam_size) for each in (found["a/b/x.mp3"], found["c/y.mp3"])] == [
        ("th", "a", 1), ("", "root", 2),
    ]  # fmt: skip
    assert daemon.context.ledger.get(1).folder_options.files == (".sttd.toml", "a/.sttd.toml", "a/b/.sttd.toml")


def test_formats_and_subtitles_are_the_folders_and_the_result_says_where_from(daemon):
    options(daemon, "a", '[output]\nformats = ["json", "vtt"]\n[subtitles]\nline_length = 8\nlines = 4')
    drop(daemon, "a/x.mp3", "y.mp3")
    finish(daemon)
    names = sorted(path.name for path in daemon.config.paths.transcripts.rglob("*.en.*"))
    assert names == ["x.en.json", "x.en.vtt", "y.en.json", "y.en.txt"]
    assert (daemon.config.paths.transcripts / "a/x.en.vtt").read_text().splitlines()[3] == "x 0"
    assert result(daemon, "a/x")["options_from"] == ["a/.sttd.toml"]
    assert result(daemon, "y")["options_from"] == []
    assert (daemon.inbox.root / "a" / folder_options.NAME).exists(), (
        "the folder, and what it sets, stay for the next recording"
    )


def test_what_is_changed_counts_for_what_has_not_begun_and_never_within_one_recording(daemon):
    """Whatever becomes of attempts and daemon in between."""
    heard: dict[str, list[str]] = {}

    def note() -> None:
        for source, attempt in attempts(daemon).items():
            heard.setdefault(source, []).append(attempt.spec.options.language)

    drop(daemon, "a/1.mp3", "a/2.mp3", "a/3.mp3")
    note()
    assert heard == {"a/1.mp3": [""], "a/2.mp3": [""]}
    for _ in range(2):
        daemon.step(attempts(daemon)["a/1.mp3"])
    options(daemon, "a", THAI)
    for name in ("a/1.mp3", "a/2.mp3"):
        daemon.end(attempts(daemon)[name], Cause.CRASH)
    daemon.tick(1000.0)
    note()
    daemon.crash(halfway=False)
    for _ in range(3):
        daemon.tick(1000.0)
        note()
        finish(daemon)
    assert {source: set(languages) for source, languages in heard.items()} == {
        "a/1.mp3": {""}, "a/2.mp3": {""}, "a/3.mp3": {"th"},
    }  # fmt: skip
    assert result(daemon, "a/1")["resumes"] == 2
    assert {job.state for job in daemon.context.ledger.jobs()} == {State.DONE}


def test_a_recording_resumes_with_its_own_options_after_the_ledger_is_lost(daemon):
    options(daemon, "a", THAI)
    drop(daemon, "a/1.mp3")
    attempt = attempts(daemon)["a/1.mp3"]
    daemon.step(attempt)
    daemon.step(attempt)
    options(daemon, "a", '[transcribe]\nlanguage = "en"')
    daemon.context.ledger.close()
    for path in daemon.config.paths.state.glob(f"{LEDGER}*"):
        path.unlink()
    open_ledger(daemon.config, Notifier()).close()
    daemon.start()
    daemon.tick(1.0)
    (spec,) = (attempt.spec for attempt in daemon.pool.attempts.values())
    assert (spec.options.language, spec.next_index) == ("th", 1)


def test_a_retry_and_a_redo_read_them_again(daemon):
    """A person has put them right; or their folder is gone, and what they were is kept."""
    file = options(daemon, "a", THAI)
    drop(daemon, "a/1.mp3", "a/2.mp3")
    daemon.end(attempts(daemon)["a/1.mp3"], Cause.BAD_FILE)
    finish(daemon)
    options(daemon, "a", '[transcribe]\nlanguage = "en"')
    context, ledger = daemon.context, daemon.context.ledger
    requests.retry(context, ledger.get(1))
    requests.redo(context, ledger.get(2), Overrides())
    daemon.tick(1.0)
    assert [attempt.spec.options.language for attempt in daemon.pool.attempts.values()] == ["en", "en"]
    finish(daemon)
    file.unlink()
    file.parent.rmdir()
    requests.redo(context, ledger.get(2), Overrides(model="tiny"))
    daemon.tick(10.0)
    (spec,) = (attempt.spec for attempt in daemon.pool.attempts.values())
    assert (spec.options.language, spec.model.name) == ("th", "tiny")


def test_a_bad_file_holds_its_own_folder_and_says_so_and_is_over_when_it_is_put_right(daemon, log):
    file = options(daemon, "a", "[transcribe]\nlangauge = 'th'")
    drop(daemon, "a/1.mp3", "a/2.mp3", "a/b/3.mp3", "c/4.mp3")
    assert set(attempts(daemon)) == {"c/4.mp3"}
    job, ledger = daemon.context.ledger.get(1), daemon.context.ledger
    words = "a/.sttd.toml: [transcribe] langauge: there is no such key; did you mean language?"
    assert (job.state, job.error, job.cause, job.attempts) == (State.QUEUED, words, Cause.CONFIGURATION, 0)
    assert ledger.get(3).error == words
    assert [line.strip() for line in log if "langauge" in line] == [
        f"WARNING {words}; recordings in {folder} wait until that is put right" for folder in ("a", "a/b")
    ]
    assert any(words in text for text in daemon.context.troubles.texts())
    assert not daemon.context.troubles.hold()
    for _ in range(3):
        daemon.tick(WAIT)
    assert len([line for line in log if "langauge" in line]) == 2
    options(daemon, "a", THAI)
    file.parent.joinpath("b").joinpath("new.txt").touch()
    daemon.tick(WAIT)
    daemon.tick(1.0)
    assert not ledger.get(1).error
    assert daemon.context.troubles.texts() == []
    finish(daemon)
    assert {job.state for job in ledger.jobs()} == {State.DONE}
    assert {job.folder_options.values.get("transcribe.language") for job in ledger.jobs()} == {"th", None}


def test_a_drain_ends_with_words_about_the_folders_that_wait_and_about_the_machine(daemon):
    options(daemon, "a", "[transcribe]\nlangauge = 'th'")
    drop(daemon, "a/1.mp3", "a/b/2.mp3")
    words = "a/.sttd.toml: [transcribe] langauge: there is no such key; did you mean language?"
    assert draining.outcome(daemon.context) == f"2 jobs wait until bad options are put right: {words}"
    daemon.context.troubles.begin("transcripts", "the disk is full")
    daemon.context.ledger.add("c.mp3", Identity(1, 1), daemon.now)
    machine = "1 job waits for what is wrong with this machine: the disk is full"
    assert draining.outcome(daemon.context) == f"{machine}; 2 jobs wait until bad options are put right: {words}"


def test_hundreds_of_recordings_of_a_bad_folder_cost_the_others_nothing(daemon, monkeypatch):
    monkeypatch.setattr(holds, "MOST", 50)
    options(daemon, "a", "what?")
    ledger = daemon.context.ledger
    drop(daemon, *(f"a/{number}.mp3" for number in range(200)))
    drop(daemon, "b.mp3")
    for _ in range(5):
        daemon.tick(0.1)
    assert set(attempts(daemon)) == {"b.mp3"}
    assert len([job for job in ledger.jobs() if job.error]) == 200
    seen: list[str] = []
    ledger._db.set_trace_callback(seen.append)
    for _ in range(5):
        daemon.tick(WAIT)
    assert len([line for line in seen if line.startswith("UPDATE")]) < 50, "what waits is not touched again and again"
    ledger._db.set_trace_callback(None)
    options(daemon, "a", "")
    for _ in range(12):
        daemon.tick(WAIT)
    assert not [job for job in ledger.jobs() if job.error]


def test_a_start_and_a_reload_look_anew(daemon):
    file = options(daemon, "a", "what?")
    drop(daemon, "a/1.mp3")
    assert not daemon.pool.attempts
    file.unlink()
    daemon.crash(halfway=False)
    daemon.tick(0.0)
    assert set(attempts(daemon)) == {"a/1.mp3"}
    options(daemon, "c", "what?")
    drop(daemon, "c/2.mp3")
    assert len(daemon.pool.attempts) == 1
    (daemon.inbox.root / "c" / folder_options.NAME).unlink()
    daemon.context.recordings.folders.release()
    daemon.tick(0.0)
    daemon.tick(0.0)
    assert len(daemon.pool.attempts) == 2


def test_a_file_that_is_being_written_is_looked_at_again(daemon):
    """Half of it could be good, and say something else."""
    file = options(daemon, "a", "[transcribe]\n")
    os.utime(file, (daemon.now + 1.2, daemon.now + 1.2))
    drop(daemon, "a/1.mp3")
    assert not daemon.pool.attempts
    file.write_text(THAI)
    os.utime(file, (daemon.now + 0.3, daemon.now + 0.3))
    daemon.tick(PAUSE)
    assert not daemon.pool.attempts, "it has changed again"
    daemon.tick(PAUSE)
    assert attempts(daemon)["a/1.mp3"].spec.options.language == "th"


def test_a_look_that_was_under_way_when_a_recording_came_is_made_again(daemon):
    daemon.context.work.looks[""] = looks = Drawer()
    drop(daemon, "a/1.mp3")
    before = looks.do()
    options(daemon, "a", THAI)
    drop(daemon, "a/2.mp3")
    before.settle()
    daemon.tick(0.0)
    assert not daemon.pool.attempts
    looks.do().settle()
    daemon.tick(0.0)
    assert [attempt.spec.options.language for attempt in attempts(daemon).values()] == ["th", "th"]


def test_options_that_come_right_before_a_recording_count_for_it(daemon):
    """Though the folder was looked at a moment ago."""
    drop(daemon, "a/1.mp3")
    put(daemon, "a/2.mp3", "another one")
    options(daemon, "a", THAI)
    daemon.look()
    daemon.tick(0.0)
    assert attempts(daemon)["a/2.mp3"].spec.options.language == "th"


def test_while_the_inbox_is_not_mounted_nothing_is_taken_for_the_absence_of_options(daemon):
    lock = daemon.inbox.root / ".sttd.lock"
    lock.unlink()
    drop(daemon, "1.mp3")
    assert not daemon.pool.attempts
    options(daemon, "", THAI)
    lock.touch()
    daemon.tick(2.0)
    assert attempts(daemon)["1.mp3"].spec.options.language == "th"


def test_an_error_of_the_machine_is_said_once_and_over_by_itself(daemon, log):
    daemon.context.work.looks[""].fails.extend([(errno.EMFILE, False)] * 3)
    drop(daemon, "1.mp3")
    for _ in range(2):
        daemon.tick(2.0)
    assert not daemon.pool.attempts
    assert len([line for line in log if "cannot be looked at" in line]) == 1
    assert any("cannot be looked at" in text for text in daemon.context.troubles.texts())
    daemon.tick(2.0)
    assert set(attempts(daemon)) == {"1.mp3"}
    assert daemon.context.troubles.texts() == []


def test_a_source_that_was_not_there_has_its_options_read_again(daemon):
    drop(daemon, "a/1.mp3")
    daemon.end(attempts(daemon)["a/1.mp3"], Cause.GONE)
    options(daemon, "a", THAI)
    daemon.tick(1000.0)
    assert attempts(daemon)["a/1.mp3"].spec.options.language == "th"


def fail(daemon, source: str, cause: Cause, error: str) -> None:
    attempt = attempts(daemon)[source]
    del daemon.pool.attempts[attempt.spec.part_id]
    carried = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}
    daemon.message(Failed(cause=cause, error=error, retriable=False, **carried))


@pytest.mark.parametrize("cause", [Cause.CONFIGURATION, Cause.NO_MODEL])
def test_what_a_worker_cannot_do_holds_the_folder_that_asks_for_it_alone(daemon, cause):
    """One attempt finds it out for all recordings of the folder."""
    text = '[transcribe]\nlanguage = "yue"\n[model]\nname = "demo"'
    file = options(daemon, "a", text)
    drop(daemon, "a/1.mp3", "a/2.mp3", "a/3.mp3", "b.mp3", "c.mp3")
    fail(daemon, "a/1.mp3", cause, "the model does not know 'yue'")
    fail(daemon, "a/2.mp3", cause, "the model does not know 'yue'")
    daemon.tick(1.0)
    assert set(attempts(daemon)) == {"b.mp3", "c.mp3"}
    finish(daemon)
    for _ in range(4):
        daemon.tick(WAIT)
    ledger = daemon.context.ledger
    waiting = [ledger.get(number) for number in (1, 2, 3)]
    assert {job.error for job in waiting} == {"a/.sttd.toml: the model does not know 'yue'"}
    assert [job.attempt for job in waiting] == [1, 1, 0]
    assert [job.attempts for job in waiting] == [0, 0, 0]
    file.write_text(THAI)
    os.utime(file, (1.0, 1.0))
    for _ in range(3):
        daemon.tick(WAIT)
    finish(daemon)
    assert {state(daemon, f"a/{number}.mp3") for number in (1, 2, 3)} == {State.DONE}


def test_a_model_that_is_not_here_or_may_not_be_named_is_a_bad_option(daemon, monkeypatch):
    here = ["base"]
    monkeypatch.setattr(flow.cache, "why_missing", lambda name, hub: "" if name in here else f"{name!r} is not here")
    options(daemon, "a", '[model]\nname = "small.en"')
    options(daemon, "b", '[model]\nname = "/etc"')
    options(daemon, "c", '[model]\nname = "base"')
    drop(daemon, "a/1.mp3", "b/2.mp3", "c/3.mp3")
    assert [(source, attempt.spec.model.name) for source, attempt in attempts(daemon).items()] == [("c/3.mp3", "base")]
    assert daemon.context.ledger.get(1).error == "a/.sttd.toml: [model] name: 'small.en' is not here"
    assert "'/etc' lies below no folder" in daemon.context.ledger.get(2).error
    here.append("small.en")
    daemon.tick(WAIT)
    daemon.tick(1.0)
    assert attempts(daemon)["a/1.mp3"].spec.model.name == "small.en"


def test_copies_are_given_between_folders_that_ask_for_the_same_words(daemon):
    """In the formats of their own folder."""
    options(daemon, "a", '[output]\nformats = ["txt"]')
    options(daemon, "b", THAI)
    for name in ("1.mp3", "a/2.mp3", "b/3.mp3"):
        put(daemon, name, "the same")
    daemon.look()
    for _ in range(6):
        daemon.go_on()
    jobs = {job.source: job for job in daemon.context.ledger.jobs()}
    assert {job.state for job in jobs.values()} == {State.DONE}
    assert jobs["b/3.mp3"].copy_of is None
    copies = [job for job in jobs.values() if job.copy_of is not None]
    assert [job.source for job in copies] == ["a/2.mp3"]
    assert [os.path.basename(path) for path in copies[0].outputs] == ["2.en.txt"]


def test_no_fault_in_sttd_that_a_file_can_cause_ends_the_daemon_or_hides_a_recording(daemon, monkeypatch, log):
    options(daemon, "a", "x")

    def broken(*_):
        raise KeyError("x")

    monkeypatch.setattr(folder_options, "read", broken)
    drop(daemon, "a/1.mp3", "b.mp3")
    assert set(attempts(daemon)) == {"b.mp3"}
    job = daemon.context.ledger.get(1)
    assert job.state is State.QUEUED, "it has its turn when the file is another one"
    assert "a fault in sttd" in job.error
    assert any("Traceback" in line for line in log)


def test_many_bad_folders_are_named_up_to_a_bound(daemon, log):
    for number in range(40):
        options(daemon, f"{number}", "what?")
    drop(daemon, *(f"{number}/x.mp3" for number in range(40)))
    for _ in range(6):
        daemon.tick(0.1)
    assert len([job for job in daemon.context.ledger.jobs() if job.error]) == 40
    assert len([line for line in log if "put right" in line]) == len(daemon.context.troubles.texts()) == 20


def test_the_folder_of_a_cancelled_job_is_no_trouble_any_more(daemon):
    options(daemon, "a", "what?")
    drop(daemon, "a/1.mp3")
    assert daemon.context.troubles.texts()
    assert "once the options of its folder are put right (a/.sttd.toml: is not" in requests.put_first(
        daemon.context, daemon.context.ledger.get(1)
    )
    requests.cancel(daemon.context, daemon.context.ledger.get(1))
    daemon.tick(WAIT)
    assert daemon.context.troubles.texts() == []


def test_each_inbox_has_its_own_folders(daemon, tmp_path):
    """Their names, and what is held, are those of the recordings: `movies//Show/ep1.mkv`."""
    movies = tmp_path / "movies"
    (movies / "Show").mkdir(parents=True)
    (movies / ".sttd.lock").touch()
    (movies / "Show" / folder_options.NAME).write_text(THAI)
    options(daemon, "Show", '[transcribe]\nlanguage = "en"')
    table = Watched("movies", movies, {"transcribe": {"hotwords": "film"}})
    config = dataclasses.replace(daemon.config, watched=(table,))
    found = {}
    for source in ("movies//Show/ep1.mkv", "movies//ep2.mkv", "Show/ep3.mkv", "ep4.mkv"):
        folder = flow.folder_of(source)
        known = flow.look(config.of(folder), folder, None, 0.0)
        found[folder] = known.options.files, known.options.values.get("transcribe.language")
    assert found == {
        "movies//Show": (("movies//Show/.sttd.toml",), "th"),
        "movies//": ((), None),
        "Show": (("Show/.sttd.toml",), "en"),
        "": ((), None),
    }
    ledger = daemon.context.ledger
    for source in ("movies//Show/ep1.mkv", "movies//ep2.mkv", "Show/ep3.mkv", "ep4.mkv", "movies/ep5.mkv"):
        ledger.add(source, Identity(1, 1), daemon.now)
    for folder, held in {"movies//": {2}, "movies": {2, 5}, "movies//Show": {1, 2, 5}, "": {1, 2, 4, 5}}.items():
        ledger.hold_folder(folder, daemon.now + 9.0, "bad")
        assert {job.id for job in ledger.jobs() if job.waits_for_folder} == held

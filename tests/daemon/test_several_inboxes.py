"""Several inboxes over a real ledger: each has its own troubles, and its path says which one a folder is."""

from __future__ import annotations

import dataclasses

import pytest

from sttd import inbox
from sttd.config import Watched
from sttd.daemon import dispatch, draining, filing, intake, library, reload, requests, strays, whereabouts
from sttd.inbox import FolderIdentity, Found, Gone, Held, Own, Strange
from sttd.job import Identity, Job, State
from sttd.ledger import facts, moved
from tests.harness import wait_for
from tests.properties.stations import CHUNKS, Stations

FILE = Identity(5, 10**9)


class Inboxes:
    """As much of them as the daemon asks for."""

    def __init__(self, names):
        self.why, self.adopted, self.expected = dict.fromkeys(names), [], []

    def reasons(self):
        return self.why

    def restless(self):
        return [name for name, why in self.why.items() if why]

    def expect(self, sources):
        self.expected = list(sources)

    def adopt(self, name, mark):
        self.adopted.append((name, mark))

    def forget(self, source):
        """It is on its way out."""

    def configure(self, config):
        """They see nothing."""

    def kick(self):
        """Nothing is to be looked for."""


class Bench(Stations):
    """A daemon that can be started again with other [[watch]] tables, each a name and its folder."""

    def begin(self, **tables):
        self.context.ledger.close()
        watched = tuple(Watched(name, self.config.paths.root / path) for name, path in tables.items())
        self.config = dataclasses.replace(self.config, watched=watched)
        for path in self.config.inboxes().values():
            path.mkdir(parents=True, exist_ok=True)
            (path / ".sttd.lock").touch()
        self.start()
        known = whereabouts.begin(self.context)
        self.context.inbox = Inboxes(self.config.inboxes())
        return known

    def hold(self, name, mark="1" * 32):
        path = self.config.inboxes()[name]
        whereabouts.held(self.context, Held(FolderIdentity(str(path), mark, 1, 2), name))

    def root_of(self, name):
        return self.config.paths.root / name

    def find(self, *sources):
        intake.found(self.context, Found(tuple((source, FILE) for source in sources)))

    def places(self):
        return {job.source: (job.state, job.location) for job in self.context.ledger.jobs(newest=False)}

    def started(self):
        dispatch.dispatch(self.context)
        return sorted(running.job.source for running in self.context.running.values())


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path, "keep")
    bench.begin(movies="media")
    bench.hold("", "0" * 32)
    bench.hold("movies")
    yield bench
    bench.context.ledger.close()


def test_only_what_waits_in_the_inbox_that_is_away_waits(bench, log):
    """However many there are before the others; they go on once it is back."""
    bench.find(*(f"movies//{number}.mkv" for number in range(40)), "movies.mp3")
    bench.context.inbox.why["movies"] = "/media is missing"
    whereabouts.look_after(bench.context)
    assert bench.started() == ["movies.mp3"]
    assert bench.context.ledger.get(1).error == "its inbox movies is away"
    assert [line.strip() for line in log if "is away" in line] == [
        "ERROR the inbox movies is away: /media is missing; what waits goes on waiting"
    ]
    bench.context.inbox.why["movies"] = None
    whereabouts.look_after(bench.context)
    bench.now += bench.config.pool.machine_wait + 1
    bench.context.ledger.update(bench.context.ledger.latest("movies.mp3"), state=State.QUEUED)
    bench.context.running.clear()
    bench.pool.attempts.clear()
    log.clear()
    assert bench.started() == []
    assert bench.started() == ["movies//0.mkv"]
    assert [line.strip() for line in log] == ["INFO job 1: movies//0.mkv starts, attempt 1"]
    assert bench.context.ledger.get(1).error is None


def test_a_drain_waits_for_an_inbox_that_is_away_no_longer_than_for_the_machine(bench):
    """And for all that comes to an end in the others."""
    bench.find("movies//a.mkv")
    bench.context.inbox.why["movies"] = "/media is missing"
    whereabouts.look_after(bench.context)
    assert bench.started() == []
    assert not draining.is_drained(bench.context)
    bench.now += bench.config.pool.machine_wait
    bench.find("b.mp3")
    assert not draining.is_drained(bench.context)
    bench.context.ledger.update(bench.context.ledger.latest("b.mp3"), state=State.CANCELLED)
    assert draining.is_drained(bench.context)
    assert not draining.is_whole(bench.context)
    assert "1 job waits" in draining.outcome(bench.context)


def test_a_reload_takes_over_what_a_table_says_but_not_where_its_inbox_is_and_which_files_it_takes(bench, log):
    bench.context.pool.configure = lambda config: None
    (movies,) = bench.config.watched
    values = {"transcribe": {"language": "th"}, "watch": {"settle": 9.0, "suffixes": ("xyz",)}}
    changed = dataclasses.replace(movies, inbox=bench.root_of("elsewhere"), values=values)
    new = dataclasses.replace(bench.config, watched=(changed, Watched("new", bench.root_of("new"))))
    reload.reload(bench.context, lambda: new)
    config = bench.context.config
    assert list(config.inboxes()) == ["", "movies"]
    assert config.of("movies//a").transcribe.language == "th"
    assert config.of("movies//a").paths.inbox == movies.inbox
    assert config.of("movies//a").watch == dataclasses.replace(config.watch, settle=9.0)
    assert sum("[[watch]] tables have changed" in line for line in log) == 1
    log.clear()
    reload.reload(bench.context, lambda: config)
    assert config.of("movies//a").watch == bench.context.config.of("movies//a").watch
    assert not [line for line in log if "[[watch]]" in line]


def test_what_any_inbox_leaves_alone_is_named_by_its_source(bench):
    movies = bench.config.inboxes()["movies"]
    (movies / "Show").mkdir()
    (movies / "Show" / "poster.jpg").touch()
    bench.context.inbox = inboxes = inbox.Inboxes(bench.config, lambda event: None, {})
    inboxes.start()
    try:
        wait_for(lambda: not inboxes.restless(), "they are looked through")
        assert inboxes.examples == {"suffix not in watch.suffixes: .jpg": "movies//Show/poster.jpg"}
    finally:
        inboxes.stop()


def test_a_reload_tells_the_inboxes_where_results_appear_now(bench):
    """Else results beside recordings would be named as ignored, with the advice to have them transcribed."""
    bench.context.pool.configure = lambda config: None
    for name, path in bench.config.inboxes().items():
        for result in ("a.en.srt", "a.en.lrc"):
            (path / f"{name}{result}").touch()
    bench.context.inbox = inboxes = inbox.Inboxes(bench.config, lambda event: None, {})
    inboxes.start()
    try:
        wait_for(lambda: not inboxes.restless(), "they are looked through")
        assert inboxes.ignored == {"suffix not in watch.suffixes: .srt": 2, "suffix not in watch.suffixes: .lrc": 2}
        (movies,) = bench.config.watched
        moved_in = dataclasses.replace(movies, values={"output": {"place": "beside"}})
        reload.reload(bench.context, lambda: dataclasses.replace(bench.config, watched=(moved_in,)))
        inboxes.kick()
        wait_for(lambda: not inboxes.restless(), "they are looked through again")
        assert inboxes.ignored == {"suffix not in watch.suffixes: .srt": 1, "suffix not in watch.suffixes: .lrc": 1}
    finally:
        inboxes.stop()


def test_what_is_stranded_in_one_inbox_is_remembered_when_another_tells_of_its_own(bench):
    """Else the log would name it again with each walk."""
    bench.context.recordings.whereabouts.stranded = {
        "movies//.sttd-7.filing.a",
        "movies//.sttd-8.filing.a",
        ".sttd-9.filing.b",
    }
    strays.put_back(bench.context, Own(("movies//.sttd-7.filing.a",)))
    assert bench.context.recordings.whereabouts.stranded == {"movies//.sttd-7.filing.a", ".sttd-9.filing.b"}


def test_a_strange_folder_is_adopted_as_the_inbox_that_it_is_of(bench):
    bench.find("movies//a.mkv", "a.mkv")
    whereabouts.strange(bench.context, Strange("2" * 32, ("movies//a.mkv",), used=True, inbox="movies"))
    assert bench.context.inbox.adopted == []
    intake.gone(bench.context, Gone(("movies//a.mkv",)))
    assert bench.places() == {"movies//a.mkv": (State.VANISHED, None), "a.mkv": (State.QUEUED, None)}
    whereabouts.strange(bench.context, Strange("2" * 32, ("movies//a.mkv",), used=True, inbox="movies"))
    assert bench.context.inbox.adopted == [("movies", "2" * 32)]


def ended(bench, source):
    bench.find(source)
    job = bench.context.ledger.latest(source)
    bench.context.ledger.update(job, state=State.CANCELLED)


def test_a_table_of_another_name_keeps_its_jobs(bench):
    """Also those that ended with their file left there: it is not transcribed once more."""
    ended(bench, "movies//old.mkv")
    bench.find("movies//Show/new.mkv", "movies.mp3")
    known = bench.begin(films="media")
    assert known["films"].mark == "1" * 32, "it is held as the folder that it was"
    bench.find("films//old.mkv", "films//Show/new.mkv")
    assert bench.places() == {
        "films//old.mkv": (State.CANCELLED, None),
        "films//Show/new.mkv": (State.QUEUED, None),
        "movies.mp3": (State.QUEUED, None),
    }


def test_jobs_of_a_table_that_was_taken_out_wait_and_go_on_when_it_is_back(bench):
    bench.find("movies//a.mkv", "movies//b.mkv")
    bench.begin()
    path = bench.root_of("media")
    assert bench.places()["movies//a.mkv"] == (State.QUEUED, f"{path}/a.mkv")
    assert bench.started() == []
    job = bench.context.ledger.get(1)
    assert f"its file is in {path}, which was an inbox: write a [[watch]] table with {path}, or move" in job.error
    requests.cancel(bench.context, job)
    bench.begin(other="elsewhere")
    assert bench.started() == []
    bench.begin(movies="media")
    assert bench.places() == {"movies//a.mkv": (State.CANCELLED, None), "movies//b.mkv": (State.QUEUED, None)}
    assert bench.started() == ["movies//b.mkv"]


def test_a_source_of_a_table_that_nobody_knows_waits_and_says_so(bench):
    """As after the loss of a ledger. It vanishes from nowhere, and nothing of another inbox is taken for it."""
    bench.find("gone//a.mkv", "a.mkv")
    assert bench.started() == ["a.mkv"]
    assert "no [[watch]] table is called gone" in bench.context.ledger.latest("gone//a.mkv").error


def test_folders_that_change_their_names_with_each_other_keep_their_jobs(bench, log):
    """The first inbox too, with what ended there."""
    ended(bench, "talk.mp3")
    bench.find("movies//a.mkv")
    paths = dataclasses.replace(bench.config.paths, inbox=bench.root_of("media"))
    inbox, bench.config = bench.config.paths.inbox, dataclasses.replace(bench.config, paths=paths)
    log.clear()
    bench.begin(talks=inbox)
    bench.hold("", "1" * 32)
    bench.hold("talks", "0" * 32)
    assert bench.places() == {"talks//talk.mp3": (State.CANCELLED, None), "a.mkv": (State.QUEUED, None)}
    assert {line.partition("/media ")[2].strip() for line in log if "/media was" in line} == {
        "was the inbox movies and is the first inbox: its jobs go on under the new name"
    }


@pytest.mark.parametrize("name", ["old", ""])
def test_what_waits_in_what_was_the_first_inbox_goes_on_when_that_is_any_inbox_again(bench, name):
    """A table names it now; or `paths.inbox` does, and a table has the folder that was the first inbox meanwhile."""
    bench.find("a.mkv")
    old, new = bench.config.paths.inbox, bench.root_of("new")
    bench.config = dataclasses.replace(bench.config, paths=dataclasses.replace(bench.config.paths, inbox=new))
    bench.begin()
    bench.hold("", "2" * 32)
    assert bench.started() == []
    if name:
        bench.begin(old=old)
    else:
        bench.config = dataclasses.replace(bench.config, paths=dataclasses.replace(bench.config.paths, inbox=old))
        bench.begin(new=new)
    bench.hold(name, "0" * 32)
    source = f"{name}//a.mkv" if name else "a.mkv"
    bench.find(source)
    (job,) = bench.context.ledger.jobs()
    assert (job.source, job.location) == (source, None)
    assert bench.started() == [source]


@pytest.fixture
def committing(bench):
    """The source of job 1, whose results are staged."""
    source = bench.root_of("media") / "a.mkv"
    source.parent.mkdir(exist_ok=True)
    source.write_text("a")
    seen = source.stat()
    intake.found(bench.context, Found((("movies//a.mkv", Identity(seen.st_size, seen.st_mtime_ns)),)))
    dispatch.dispatch(bench.context)
    (attempt,) = bench.pool.attempts.values()
    for _ in range(CHUNKS + 2):
        bench.step(attempt)
    bench.settle()
    assert bench.context.ledger.get(1).state is State.COMMITTING
    bench.errands.posted.clear()
    bench.context.filing.tries.end(1)
    return source


def test_the_files_of_an_inbox_that_is_away_are_not_touched(bench, committing):
    """There are few threads for file work, and a share that hangs would hold each one that asks for it."""
    bench.context.inbox.why["movies"] = "/media does not answer"
    filing.resume(bench.context)
    assert not bench.errands.posted
    bench.context.inbox.why["movies"] = None
    bench.now += bench.config.pool.machine_wait
    filing.resume(bench.context)
    assert bench.errands.posted


def test_a_job_whose_files_are_being_moved_when_its_table_is_taken_out_ends_and_its_source_stays(bench, committing):
    bench.begin()
    filing.resume(bench.context)
    while bench.errands.posted:
        bench.settle()
    job = bench.context.ledger.get(1)
    assert (job.state, job.location, committing.read_text()) == (State.DONE, str(committing), "a")
    assert all(path.startswith(f"{bench.config.paths.transcripts}/movies/a.") for path in job.outputs)


def test_a_root_that_was_copied_has_the_archived_sources_of_a_table_too(bench):
    """The empty part of a source's name is no folder of the archive."""
    job = Job(1, "movies//Show/a.mkv", 1, 1, location="/old/archive/movies/Show/a.mkv")
    there = bench.config.paths.archive / "movies" / "Show" / "a.mkv"
    there.parent.mkdir(parents=True)
    there.write_text("a")
    assert moved.location(job, bench.config.paths) == str(there)


@pytest.mark.parametrize("why", [None, "/media is missing"])
def test_a_copy_of_a_recording_is_not_taken_for_that_recording_renamed_while_its_inbox_is_away(bench, why):
    """That nothing is there under its old name says nothing then."""
    bench.config = dataclasses.replace(bench.config, output=dataclasses.replace(bench.config.output, place="beside"))
    bench.begin(movies="media")
    bench.find("movies//a.mkv")
    for state in (State.RUNNING, State.COMMITTING, State.DONE):
        bench.context.ledger.update(bench.context.ledger.get(1), state=state, sha256="0" * 64)
    bench.context.inbox.why["movies"] = why
    bench.find("a.mkv")
    assert library.waits(bench.context, bench.context.ledger.latest("a.mkv")) == (why is None)
    assert bool(bench.context.recordings.looked.under_way) == (why is None)


def test_by_what_the_inboxes_are_known_again_is_in_the_manifest(bench):
    assert facts.WATCHED.name in facts.LASTING
    assert bench.begin(movies="media")["movies"].mark == "1" * 32


def test_a_job_whose_files_are_being_moved_when_its_table_gets_another_name_is_not_done_once_more(bench, committing):
    """Its file stays in what is an inbox again at once."""
    bench.begin(films="media")
    bench.hold("films")
    filing.resume(bench.context)
    while bench.errands.posted:
        bench.settle()
    seen = committing.stat()
    intake.found(bench.context, Found((("films//a.mkv", Identity(seen.st_size, seen.st_mtime_ns)),)))
    assert [(job.source, job.state) for job in bench.context.ledger.jobs()] == [("films//a.mkv", State.DONE)]

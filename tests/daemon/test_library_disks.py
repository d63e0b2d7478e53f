"""A library on several disks: one that is full or failing holds up only what goes to it. The disks here are a table of mounts
and an error that one of them gives; tests/faults/test_full_disk.py has real ones."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil

import pytest

from sttd import outbox
from sttd.config import Watched
from sttd.daemon import dispatch, draining, filing, library_disks, requests
from sttd.fs import mounts, moves
from sttd.job import Identity, State
from sttd.outbox import DiskFolder
from tests.properties import stations
from tests.properties.stations import Stations


class Recordings(stations.Folder):
    def files(self):
        return {rel: identity for rel, identity in super().files().items() if rel.endswith(".mp3")}

    def restless(self):
        return []


class Library(Stations):
    """Two inboxes with results beside the recordings, each on a disk of its own, and the first one, whose results do not lie there."""

    dropped = 0
    refuses: int | None = None  # the error that the disk of `one` gives

    def start(self):
        beside = {"output": {"place": "beside", "formats": ("srt",)}}
        watched = tuple(Watched(name, self.config.paths.root / name, beside) for name in ("one", "two"))
        self.config = dataclasses.replace(self.config, watched=watched)
        self.asked = []  # names of files that were to be put on the disk of `one`
        for name in ("one", "two"):
            (self.config.paths.root / name).mkdir(exist_ok=True)
            (self.config.paths.root / name / ".sttd.lock").touch()
        super().start()

    def drop(self, *sources):
        for source in sources:
            path = self.inbox.path_of(source)
            path.parent.mkdir(exist_ok=True)
            self.dropped += 1
            path.write_text("x" * self.dropped)  # each of another size: none is compared with another one
        self.look()

    def transcribe(self):
        """All that starts comes to a transcript."""
        dispatch.dispatch(self.context)
        while self.pool.attempts:
            for attempt in list(self.pool.attempts.values()):
                while self.pool.attempts.get(attempt.spec.part_id) is attempt:
                    self.step(attempt)
            dispatch.dispatch(self.context)

    def file(self):
        """File work, until nothing is left to be done now."""
        filing.resume(self.context)
        while self.errands.posted:
            self.settle()

    def work(self):
        self.transcribe()
        self.file()

    def states(self):
        return {job.source: job.state for job in self.context.ledger.jobs(newest=False)}

    def latest(self, source):
        return self.context.ledger.latest(source)

    @property
    def texts(self):
        return self.context.troubles.texts()

    def later(self):
        self.now += self.config.pool.machine_wait + 1


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.setattr(stations, "Folder", Recordings)
    disks = {"/": "0:1", f"{tmp_path}/one": "0:2", f"{tmp_path}/two": "0:3", f"{tmp_path}/two/apart": "0:4"}
    table = tuple(mounts.Mount(point, device, "ext4") for point, device in disks.items())
    monkeypatch.setattr(mounts, "read", lambda: table)
    library = Library(tmp_path, "archive", ("one", "two"))
    real = moves.move_new

    def move_new(source, name, target, new):
        if target.path.startswith(f"{tmp_path}/one"):
            library.asked.append(new)
            if library.refuses:
                raise OSError(library.refuses, os.strerror(library.refuses), target.path_of(new))
        real(source, name, target, new)

    monkeypatch.setattr(moves, "move_new", move_new)
    yield library
    library.context.ledger.close()


def lines(log):
    return [line for line in log if "disk of" in line]


def test_a_full_disk_holds_up_only_what_goes_to_it(library, log):
    """However many wait for it before the others; it is logged when it begins and when it is over."""
    library.refuses = errno.ENOSPC
    library.drop("one//a.mp3")
    library.work()
    library.drop(*(f"one//{number}.mp3" for number in range(40)), "two//a.mp3", "a.mp3")
    library.work()
    states = library.states()
    assert (states.pop("two//a.mp3"), states.pop("a.mp3")) == (State.DONE, State.DONE)
    assert (states.pop("one//a.mp3"), set(states.values())) == (State.COMMITTING, {State.QUEUED})
    assert library.latest("one//7.mp3").error.startswith("its results go to a disk that takes none: the disk of ")
    assert [
        text.startswith(f"results cannot be put in place: the disk of {library.config.paths.root}/one: [Errno 28]")
        for text in library.texts
    ] == [True]
    assert not library.context.troubles.hold()
    for _ in range(3):
        library.later()
        library.work()
    assert len(lines(log)) == 1
    assert len(library.asked) == 4, "it is tried once in a while"
    library.refuses = None
    for _ in range(4):
        library.later()
        library.work()
    assert set(library.states().values()) == {State.DONE}
    assert not list(library.context.troubles)
    assert [line.split()[0] for line in lines(log)] == ["ERROR", "INFO"]
    assert not any(job.attempts or job.error for job in library.context.ledger.jobs())


def all_staged(library, number=40):
    """So many jobs whose results are about to be put in place."""
    library.drop(*(f"one//{each}.mp3" for each in range(number)))
    library.transcribe()


def test_however_many_wait_for_a_full_disk_the_files_of_others_are_moved(library):
    """And of those that wait only one at a time is tried, each in its turn, and only it has a place among those under way."""
    library.refuses = errno.ENOSPC
    all_staged(library)
    library.file()
    assert len(library.asked) == 1, "what was posted before is not tried when its disk is known to be full"
    assert filing.room(library.context) == filing.MOST
    library.drop("two//a.mp3")
    library.work()
    assert library.states()["two//a.mp3"] is State.DONE
    for _ in range(5):
        library.later()
        filing.resume(library.context)
        assert len(library.errands.posted) == 1
        library.file()
    assert len(set(library.asked)) == 5
    library.refuses = None
    library.later()
    for _ in range(4):
        library.file()
    assert set(library.states().values()) == {State.DONE}


def test_a_disk_that_is_slow_to_answer_is_tried_by_one_job_however_long_that_takes(library, monkeypatch):
    monkeypatch.setattr("sttd.outbox.disks._takes_a_file", lambda _path: False)
    library.refuses = errno.EIO
    all_staged(library, 3)
    library.file()
    library.later()
    filing.resume(library.context)
    library.later()
    filing.resume(library.context)
    assert len(library.errands.posted) == 1


def test_a_kill_while_a_disk_is_full_loses_nothing_and_it_is_found_out_anew(library):
    library.refuses = errno.ENOSPC
    all_staged(library, 3)
    library.file()
    library.drop("one//later.mp3")
    library.work()
    library.crash(halfway=False)
    library.drop("a.mp3")
    library.file()
    library.work()
    assert library.states()["a.mp3"] is State.DONE
    assert library.latest("one//later.mp3").state is State.QUEUED
    assert len(library.texts) == 1
    library.refuses = None
    for _ in range(3):
        library.later()
        library.work()
    assert set(library.states().values()) == {State.DONE}
    assert not list(library.context.troubles)


def test_a_drain_ends_when_all_is_done_that_can_be(library):
    library.refuses = errno.ENOSPC
    all_staged(library)
    library.file()
    library.drop("one//later.mp3", "a.mp3")
    assert not draining.is_drained(library.context)
    library.work()
    assert draining.is_drained(library.context)
    assert not draining.is_whole(library.context)
    assert draining.outcome(library.context).startswith(
        "41 jobs wait for what is wrong with this machine: results cannot"
    )
    library.later()
    assert not draining.is_drained(library.context), "it is tried once more"


def test_what_waits_for_a_full_disk_can_be_cancelled_and_when_nobody_waits_it_is_found_out_anew(library):
    library.refuses = errno.ENOSPC
    all_staged(library, 2)
    library.file()
    library.drop("one//later.mp3")
    library.work()
    for number in (1, 2):
        requests.cancel(library.context, library.context.ledger.get(number))
        library.file()
        assert library.context.ledger.get(number).state is State.CANCELLED
    assert not list(library.context.troubles)
    library.later()
    library.work()
    library.work()
    assert library.latest("one//later.mp3").state is State.COMMITTING
    assert len(library.texts) == 1


def test_a_person_who_asks_for_a_retry_lets_the_disk_be_tried_at_once(library):
    library.refuses = errno.ENOSPC
    all_staged(library, 1)
    library.file()
    library.refuses = None
    library.ask("retry", 1)
    requests.take(library.context)
    library.file()
    assert library.context.ledger.get(1).state is State.DONE


def test_a_copy_does_not_wait_for_an_original_whose_disk_is_full(library):
    """Its own disk has room: it is transcribed."""
    library.refuses = errno.ENOSPC
    all_staged(library, 1)
    library.file()
    library.inbox.path_of("two//a.mp3").write_text("x")
    library.look()
    for _ in range(3):
        library.work()
    assert library.latest("two//a.mp3").state is State.DONE


def test_a_copy_that_waited_for_its_original_before_the_disk_of_that_was_full_waits_no_longer(library):
    library.refuses = errno.ENOSPC
    library.drop("one//0.mp3")
    dispatch.dispatch(library.context)
    library.inbox.path_of("two//a.mp3").write_text("x")
    library.look()
    for _ in range(3):  # their content is compared meanwhile
        dispatch.dispatch(library.context)
        library.file()
    assert library.latest("two//a.mp3").copy_of == 1
    for _ in range(3):
        library.work()
        library.tick(1.0)
    library.work()
    assert library.latest("two//a.mp3").state is State.DONE


def test_a_job_that_is_to_be_transcribed_again_does_not_hold_its_own_disk(library):
    """Somebody took its staged results away while it waited: it goes on from its checkpoint, also where nobody else waits."""
    library.refuses = errno.ENOSPC
    all_staged(library, 1)
    library.file()
    shutil.rmtree(library.config.paths.transcripts / ".sttd-staging")
    library.refuses = None
    for _ in range(3):
        library.later()
        library.file()
        library.work()
    assert library.context.ledger.get(1).state is State.DONE
    assert not list(library.context.troubles)


def test_a_file_that_cannot_be_put_on_a_disk_that_takes_files_shows_that_the_disk_is_well(library, monkeypatch):
    library.refuses = errno.ENOSPC
    all_staged(library, 2)
    library.file()
    library.refuses = errno.EIO
    monkeypatch.setattr("sttd.outbox.disks._takes_a_file", lambda _path: True)
    library.later()
    library.file()
    library.drop("one//a.mp3")
    library.refuses = None
    library.work()
    assert library.latest("one//a.mp3").state is State.DONE


def test_results_that_follow_their_recording_end_the_trouble_too(library):
    library.drop("one//a.mp3")
    library.work()
    library.inbox.path_of("one//a.mp3").rename(library.inbox.path_of("one//b.mp3"))
    library.refuses = errno.ENOSPC
    library.look()
    for _ in range(2):
        library.work()
    assert library.latest("one//b.mp3").plan == {"step": "follow"}
    library.context.filing.disks.may_try(99, ("one", "x.mp3"), library.now, 1.0)  # another one waits, too
    assert len(library.texts) == 1
    library.refuses = None
    library.later()
    library.file()
    assert (library.latest("one//b.mp3").state, library.texts) == (State.DONE, [])


@pytest.mark.parametrize("room", [True, False])
def test_a_folder_that_cannot_be_written_on_a_disk_that_can_holds_up_its_own_job_alone(library, room, monkeypatch):
    """The disk is asked: a damaged folder is no failing disk, which holds up all that goes to it."""
    monkeypatch.setattr("sttd.outbox.disks._takes_a_file", lambda _path: room)
    library.refuses = errno.EIO
    library.drop("one//a.mp3")
    library.work()
    library.refuses = None
    library.drop("one//b.mp3")
    library.work()
    assert library.latest("one//b.mp3").state is (State.DONE if room else State.QUEUED)
    assert library.latest("one//a.mp3").state is State.COMMITTING
    assert len(library.texts) == 1
    library.later()
    library.work()
    assert library.latest("one//a.mp3").state is State.DONE


def test_a_full_disk_of_the_transcripts_holds_up_everybody_as_ever(library, monkeypatch):
    """Also where the results are to lie beside the recording: it cannot be staged."""
    real = moves.write_together
    monkeypatch.setattr(moves, "write_together", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    library.drop("one//a.mp3")
    library.work()
    assert library.context.troubles.hold()
    monkeypatch.setattr(moves, "write_together", real)
    library.later()
    library.file()
    assert library.latest("one//a.mp3").state is State.DONE


def test_disks_that_are_mounted_below_an_inbox_are_disks_of_their_own(library):
    paths = library.config.paths
    places = outbox.Places(paths, inboxes=library.config.inboxes())
    root = str(paths.root)
    whole = outbox.disks.disk_of("two//Show/a.mp3", None, places)
    assert whole == DiskFolder("0:3", f"{root}/two", "two", "", ("apart",))
    apart = outbox.disks.disk_of("two//apart/Show/a.mp3", None, places)
    assert apart == DiskFolder("0:4", f"{root}/two/apart", "two", "apart")
    assert outbox.disks.disk_of("old.mp3", f"{root}/two/apart/a.mp3", places) == apart
    assert outbox.disks.disk_of("old.mp3", f"{root}/archive/a.mp3", places) is None
    for path in ("a.mp3", "Show/a.mp3", "apart.mp3", "aparthotel/a.mp3", "apart/a.mp3", "apart/Show/a.mp3"):
        assert whole.holds("two", path) is not path.startswith("apart/")
        assert apart.holds("two", path) is path.startswith("apart/")
        assert not whole.holds("one", path)
        assert not apart.holds("", path)


@pytest.mark.parametrize(
    "where", [("two", "", ("apart",)), ("two", "apart", ()), ("", "apart", ()), ("", "", ("apart",))]
)
def test_the_ledger_lets_those_wait_that_the_disk_holds(library, where):
    """In a folder of one name in each inbox."""
    disk = DiskFolder("0:9", "/somewhere", *where)
    below = ("a.mp3", "apart/a.mp3", "apart/deep/a.mp3", "aparthotel/a.mp3", "apart.mp3", "apar/a.mp3")
    for inbox in ("", "two", "apart"):
        for path in below:
            library.context.ledger.add(f"{inbox}//{path}" if inbox else path, Identity(1, 1), library.now)
    library.context.filing.disks.begin(99, disk, "it is full", library.now + 10)
    for job in library.context.ledger.jobs(newest=False):
        if not library_disks.ready(library.context, job.evolve(plan={"place": "beside"})):
            break
    waiting = {job.source for job in library.context.ledger.jobs() if job.not_before}
    assert waiting == {
        f"{inbox}//{path}" if inbox else path
        for inbox in ("", "two", "apart")
        for path in below
        if disk.holds(inbox, path)
    }
    assert waiting

"""What is noticed of a ledger that goes on, whatever happened between two looks."""

from __future__ import annotations

import fcntl
import json
import os
import re
import sqlite3
import time

import pytest

from sttd.config import Config, Paths, Receiver
from sttd.job import State
from sttd.ledger import Ledger
from sttd.ledger.names import PULSE
from sttd.notify import told
from sttd.notify.record import Record
from tests.notify.conftest import NOW, World


def words(notices) -> list[str]:
    """Of each notice, without its times."""
    return [re.sub(r"-\d{12,}", "", notice.word) for notice in notices]


def test_nothing_is_told_that_was_there_before_the_first_look(world: World):
    """Not even later, when it changes no more."""
    world.done(world.add("old.mp3"))
    world.fail(world.add("broken.mp3"))
    running = world.run(world.add("b.mp3"), fallback_reason="it did not load", model="base", requested_model="small")
    look = world.begin()
    assert look(world.now) == []
    world.add("new.mp3")
    assert look(world.now) == []
    world.ledger.update(running, state=State.COMMITTING)
    assert look(world.now) == [], "the fallback is old too"


def test_before_there_is_a_ledger_all_that_will_come_is_new(tmp_path):
    (tmp_path / "state-notify").mkdir()
    world = World.__new__(World)
    world.config = Config(paths=Paths(root=tmp_path, state=tmp_path / "state"))
    world.record, world.now, world.status = Record(tmp_path / "state-notify"), NOW, {}
    look = world.begin()
    assert look(NOW) == []
    (tmp_path / "state").mkdir()
    world.ledger = Ledger.open(tmp_path / "state" / "ledger.db")
    world.done(world.add())
    assert words(look(world.now)) == ["job-1-done"]
    world.close()


def test_each_end_is_noticed_once_however_many_happen_between_two_looks(world: World):
    look = world.begin()
    first, second = world.add("a.mp3"), world.add("b.mp3")
    look(world.now)
    world.done(first)
    world.done(world.add("c.mp3"))
    failed = world.fail(second)
    assert words(look(world.now)) == ["job-1-done", "job-3-done", "job-2-failed-1"]
    assert look(world.now) == []
    again = world.fail(world.retry(failed))
    assert words(look(world.now)) == ["job-2-failed-2"], "it failed, was retried and failed again between two looks"
    world.done(world.retry(again))
    assert words(look(world.now)) == ["job-2-done"]
    assert words(world.begin()(world.now)) == [], "nor after a start"


def test_what_ended_while_nobody_looked_is_noticed_at_the_next_start_and_whatever_the_clock_says(world: World):
    """The clock was set back by years meanwhile."""
    world.begin()(world.now)
    job = world.add()
    world.begin()(world.now)
    world.now = NOW / 2
    world.done(job)
    assert words(world.begin()(world.now)) == ["job-1-done"]


def test_a_fallback_is_noticed_while_it_runs_and_a_warning_at_the_end(world: World):
    look = world.begin()
    look(world.now)
    job = world.run(world.add(), fallback_reason="took too long", model="base", requested_model="small")
    (notice,) = look(world.now)
    assert (notice.event, notice.text) == ("fallback", "a.mp3: model base is used instead of small: took too long")
    job = world.ledger.update(job, state=State.COMMITTING)
    world.ledger.update(job, state=State.DONE, finished_at=world.now, warnings=("no speech was found",))
    done, warning = look(world.now)
    assert (done.event, warning.event, warning.text) == ("done", "warning", "a.mp3: no speech was found")
    assert done.data["fallback_reason"] == "took too long"


@pytest.mark.parametrize("state", [State.CANCELLED, State.VANISHED])
def test_what_a_person_did_is_no_news_and_what_comes_after_is(world: World, state):
    look = world.begin()
    job = world.add()
    look(world.now)
    job = world.ledger.update(job, state=state, finished_at=world.now)
    assert look(world.now) == []
    world.done(world.retry(job))
    assert words(look(world.now)) == ["job-1-done"]


def test_a_recording_that_has_subtitles_already_is_no_news(world: World):
    look = world.begin()
    look(world.now)
    world.done(world.add(), cause="existing", warnings=("it has subtitles already",))
    assert look(world.now) == []


def test_a_ledger_that_was_made_anew_loses_no_notice_and_repeats_none(world: World):
    """It has fewer jobs than there were; what came after the last look is new, under whatever number."""
    look = world.begin()
    look(world.now)
    for _ in range(5):
        world.done(world.add("old.mp3"))
    assert len(look(world.now)) == 5
    world.ledger.close()
    for path in world.state.glob("ledger.db*"):
        path.unlink()
    world.ledger = Ledger.open(world.state / "ledger.db")
    last, world.now = world.now, NOW
    for _ in range(2):
        world.done(world.add("old.mp3"))
    world.now = last
    world.done(world.add("new.mp3"))
    assert [notice.source for notice in look(world.now)] == ["new.mp3"]
    assert look(world.now) == []


def test_a_ledger_that_was_made_anew_and_has_more_jobs_by_now_loses_no_notice(world: World):
    """Nobody looked meanwhile: its numbers have gone past the last one that was seen."""
    look = world.begin()
    for _ in range(2):
        world.done(world.add("old.mp3"))
    look(world.now)
    world.ledger.close()
    for path in world.state.glob("ledger.db*"):
        path.unlink()
    world.ledger = Ledger.open(world.state / "ledger.db")
    for name in ("a", "b", "c"):
        world.done(world.add(name))
    assert [notice.source for notice in world.begin()(world.now)] == ["a", "b", "c"]


def test_what_was_told_of_a_job_is_not_told_of_another_one_that_has_its_number(world: World):
    """After a ledger that was lost without its log."""
    look = world.begin()
    look(world.now)
    job = world.done(world.add())
    look(world.now)
    assert [each["event"] for each in told.of_job(world.state, job)] == ["done"]
    assert told.of_job(world.state, job.evolve(created_at=job.created_at + 1)) == []


def test_a_job_that_is_forgotten_is_no_news(world: World):
    look = world.begin()
    world.add()
    look(world.now)
    with sqlite3.connect(world.state / "ledger.db") as db:
        db.execute("DELETE FROM jobs")
    assert look(world.now) == []
    assert world.record.standing() == {}


def test_names_of_any_bytes_are_sound_json_and_one_line(world: World):
    look = world.begin()
    look(world.now)
    world.done(world.add(os.fsdecode(b"sub/evil\n\xff\x1b[31m.mp3")), language="th", audio_seconds=61.4)
    (notice,) = look(world.now)
    assert notice.text == r"sub/evil\x0a\xff\x1b[31m.mp3: transcribed (th, 1min 1s)"
    body = json.loads(notice.body("x").decode("ascii"))
    assert body["data"]["source"] == "sub/evil\n\\xff\x1b[31m.mp3"
    assert body["timestamp"].endswith("Z")
    body["data"]["source"].encode("utf-8")
    delivery = world.record.next("all", world.now)
    assert delivery is not None
    assert delivery.notice.body("x") == notice.body("x"), "it comes back as it was stored"


@pytest.mark.parametrize(
    ("rules", "source", "language", "is_told"),
    [
        ({}, "a.mp3", None, True),
        ({"events": ("failed",)}, "a.mp3", "th", False),
        ({"folders": ("meetings",)}, "meetings/2026/a.mp3", "th", True),
        ({"folders": ("meetings/*6",)}, "meetings/2026/a.mp3", "th", True),
        ({"folders": ("meetings",)}, "meetings2/a.mp3", "th", False),
        ({"folders": (".",)}, "a.mp3", "th", True),
        ({"folders": (".",)}, "b/a.mp3", "th", False),
        ({"folders": ("movies/Show",)}, "movies//Show/a.mkv", "th", True),
        ({"names": ("*.wav", "a.*")}, "b/a.mp3", "th", True),
        ({"names": ("b*",)}, "b/a.mp3", "th", False),
        ({"languages": ("th",)}, "a.mp3", "en", False),
        ({"languages": ("th",)}, "a.mp3", None, True),
    ],
)
def test_rules_choose_by_event_folder_name_and_language(world: World, rules, source, language, is_told):
    look = world.begin(Receiver("r", command=("/bin/true",), **rules))
    look(world.now)
    world.done(world.add(source), language=language)
    assert len(look(world.now)) == 1
    assert (world.record.next("r", world.now) is not None) is is_told


TROUBLE = {"trouble": ["the disk is full"]}


def test_trouble_is_told_when_it_lasts_and_its_end_when_that_lasts(world: World):
    """Also when the notifier was started again meanwhile. A pause is no trouble."""
    rule = Receiver("r", command=("/bin/true",), folders=("nowhere",))
    look = world.begin(rule)
    world.status = {"paused": True}
    assert look(NOW) == look(NOW + 100) == []
    world.status = TROUBLE
    assert look(NOW + 100) == look(NOW + 159) == []
    (held,) = look(NOW + 160)
    assert (held.event, held.text, held.at) == ("held-up", "work is held up: the disk is full", NOW + 100)
    look = world.begin(rule)
    assert look(NOW + 200) == []
    world.status = {}
    assert look(NOW + 210) == []
    world.status = TROUBLE
    assert look(NOW + 220) == []
    world.status = {}
    assert look(NOW + 230) == look(NOW + 289) == []
    (back,) = look(NOW + 290)
    assert (back.event, back.text) == ("back", "sttd works again, after 2min 10s")
    assert world.record.counts()["waiting"] == 2, "rules about recordings hold back nothing of the machine"
    assert held.word.removeprefix("held-up") == back.word.removeprefix("back")


def test_a_daemon_that_ends_is_trouble_and_one_that_is_restarted_is_none(world: World):
    look = world.begin()
    gone = {"daemon": {"running": False}}
    world.status = gone
    assert look(NOW) == look(NOW + 30) == []
    world.status = {}
    assert look(NOW + 40) == look(NOW + 200) == []
    world.status = gone
    assert look(NOW + 300) == []
    assert [notice.text for notice in look(NOW + 360)] == ["work is held up: the daemon does not run"]


def test_a_daemon_that_hangs_is_trouble_though_its_figures_say_nothing(world: World):
    """As `sttd status` has it: a process that is stopped, or stands still, is there and leaves its last figures."""
    world.status = {"daemon": {"running": True, "pid": os.getpid()}}
    with (world.state / PULSE).open("w") as pulse:

        def last_beat(ago: int) -> None:
            fcntl.lockf(pulse, fcntl.LOCK_UN)
            fcntl.lockf(pulse, fcntl.LOCK_EX, 1, int(time.monotonic()) - ago)

        look = world.begin()
        last_beat(10)
        assert look(NOW) == look(NOW + 100) == []
        last_beat(100)
        assert look(NOW + 100) == []
        said = "the daemon has given no sign of life for 1min 30s: it hangs, or somebody has stopped it: restart it"
        assert [notice.text for notice in look(NOW + 160)] == [f"work is held up: {said}"]
        last_beat(0)
        assert look(NOW + 170) == []
        assert [notice.text for notice in look(NOW + 230)] == ["sttd works again, after 1min 10s"]


def test_a_restart_in_a_trouble_that_nobody_was_told_of_yet_is_not_told_for_it(world: World):
    """ "The daemon does not run", it said, of one that had run again for days, and nothing of what held the work up."""
    look = world.begin()
    world.status = TROUBLE
    assert look(NOW) == []
    world.status = {"daemon": {"running": False}}
    assert look(NOW + 58) == look(NOW + 61) == []
    world.status = TROUBLE
    (notice,) = look(NOW + 63)
    assert (notice.text, notice.at) == ("work is held up: the disk is full", NOW)
    world.status = {"daemon": {"running": False}}
    assert look(NOW + 70) == []
    assert len(look(NOW + 130)) == 1


def test_a_daemon_that_ends_or_hangs_in_another_trouble_is_told_once_more(world: World):
    """The first trouble may be that of one recording, and last for days, in which all others were done."""
    look = world.begin()
    gone = {"daemon": {"running": False}}
    world.status = TROUBLE
    assert look(NOW) == []
    assert len(look(NOW + 60)) == 1
    world.status = gone
    assert look(NOW + 100) == look(NOW + 159) == []
    (notice,) = world.begin()(NOW + 160)
    assert (notice.event, notice.text, notice.at) == ("held-up", "work is held up: the daemon does not run", NOW + 100)
    look = world.begin()
    assert look(NOW + 300) == []
    world.status = TROUBLE
    assert look(NOW + 310) == look(NOW + 400) == []
    world.status = gone
    assert look(NOW + 500) == []
    assert [notice.at for notice in look(NOW + 560)] == [NOW + 500]
    world.status = {}
    assert look(NOW + 600) == []
    assert [notice.text for notice in look(NOW + 660)] == ["sttd works again, after 10min"]


def test_critical_memory_is_told_at_once_and_once(world: World):
    look = world.begin()
    world.status = {"memory": {"level": "critical", "percent": 96.2}}
    (notice,) = look(NOW)
    assert notice.text.startswith("memory is critical: 96.2 % are used")
    assert look(NOW + 1) == world.begin()(NOW + 2) == []
    world.status = {}
    assert look(NOW + 3) == []
    world.status = {"memory": {"level": "critical", "percent": 97.0}}
    assert len(look(NOW + 4)) == 1


def test_a_clock_that_is_set_back_does_not_put_trouble_off(world: World):
    look = world.begin()
    world.status = TROUBLE
    assert look(NOW) == look(NOW / 2) == []
    assert len(look(NOW / 2 + 60)) == 1

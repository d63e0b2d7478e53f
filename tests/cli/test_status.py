"""`sttd status`: what holds work up, when it is done, and which files wait, have failed or were left alone."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
import subprocess
import sys
import time

import pytest

from sttd.cli import running
from sttd.cli.filters import moment, until
from sttd.job import Identity, Job, Shared, State
from sttd.ledger import facts
from sttd.view import estimates, plain
from tests.cli.conftest import SOUND, THAI, failed, finished, lives
from tests.cli.test_look import LIVE

CALM = LIVE | {"workers": [], "trouble": [], "inbox": {"ignored": {}, "settling": 0, "away": None}}


def test_what_holds_work_up_comes_first_with_the_remedy(sttd, ledger, daemon, root):
    """The pause names the command that ends it, for the same ledger."""
    lives(ledger, LIVE)
    ledger.set_fact(facts.PAUSED, value=True)
    lines = sttd("status").out.splitlines()
    assert lines[1] == "trouble  model small is not here"
    assert lines[2] == f"paused   no job starts until `sttd --root {root} resume`"


def test_a_daemon_that_does_not_run_is_said_with_the_command_that_starts_it(sttd, ledger, root):
    done = sttd("status")
    assert done.code == 3
    assert done.out.splitlines()[1] == f"stopped  no recording is transcribed until `sttd --root {root} run`"
    assert plain.start("sttd") == "systemctl start sttd"


def test_a_model_that_is_missing_is_said_before_any_recording_needs_it(sttd, ledger, daemon):
    """Not where another trouble says it already."""
    lives(ledger, CALM)
    settings = ("--set", "model.name=large-v3", "--set", "model.fallback=")
    (line,) = [line for line in sttd("status", *settings).out.splitlines() if line.startswith("model")]
    assert "'large-v3' is not in" in line
    assert "sttd model pull large-v3" in line
    assert json.loads(sttd("status", "--json", *settings).out)["model"]["missing"].keys() == {"model"}
    assert "model" not in sttd("status", "--set", "model.name=demo", "--set", "model.fallback=").out
    lives(ledger, LIVE)
    assert "large-v3" not in sttd("status", *settings).out


def test_settings_of_the_daemons_own_command_line_count(root):
    """`sttd run --set model.name=demo` needs no other model."""
    command = [
        sys.executable,
        "-c",
        "print(flush=True); input()",
        "run",
        "--set",
        "model.name=demo",
        "--set=pool.workers=3",
        "--model",
        "x",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # before, its command line is still ours
        words = running.Path(f"/proc/{process.pid}/cmdline").read_bytes().decode().split("\0")
        process.communicate(b"\n")
    assert running.values(words, "--set") == ["model.name=demo", "pool.workers=3"]
    assert running.values(words, "--model") == ["x"]


def test_what_is_ignored_settles_waits_or_has_failed_is_named(sttd, ledger, daemon, root):
    inbox = root / "inbox"
    (inbox / "meetings").mkdir(parents=True)
    for name in ("notes.docx", "talk.mp3.part", ".hidden", THAI, "meetings/known.mp3"):
        (inbox / name).write_bytes(b"x")
    ledger.add("meetings/known.mp3", Identity.of((inbox / "meetings" / "known.mp3").stat()), 1.0)
    waits = ledger.add("held.mp3", SOUND, 1.0)
    ledger.update(waits, error="/srv/held.mp3 may not be read: chmod g+r it", not_before=time.time() + 3600)
    failed(ledger, "bad.mp3", "the file holds no audio")
    ignored = {"suffix not in watch.suffixes: .docx": 1, "unfinished copy or download": 1, "hidden": 1}
    lives(ledger, CALM | {"inbox": {"ignored": ignored, "settling": 1, "away": None}})
    words = ("status", "--set", "model.name=demo", "--set", "model.fallback=")
    lines = sttd(*words).out.splitlines()
    (held,) = [line for line in lines if "held.mp3" in line]
    assert held.startswith(f"waiting  {waits.id} held.mp3\t/srv/held.mp3 may not be read: chmod g+r it; next try at ")
    assert "failed   3 bad.mp3\tthe file holds no audio" in lines
    assert [line for line in lines if line.startswith("settles")] == [f"settles  {THAI}"]
    assert "ignored  notes.docx\tsuffix not in watch.suffixes" in lines
    assert "ignored  talk.mp3.part\tunfinished copy or download" in lines
    assert "known.mp3" not in "".join(line for line in lines if not line.startswith("waiting"))
    found = json.loads(sttd(*words, "--json").out)
    assert [each["id"] for each in found["waiting"]] == [waits.id, 1]
    assert [each["error"] for each in found["failures"]] == ["the file holds no audio"]


def test_what_is_ignored_is_named_after_the_daemons_end_too(sttd, ledger, root):
    """After a drain nothing else says which files have no transcript. A walk that is not answered leaves one of each kind."""
    (root / "inbox").mkdir()
    for name in ("notes.docx", "more.docx"):
        (root / "inbox" / name).write_bytes(b"x")
    suffix, content = "suffix not in watch.suffixes", "no recording, by its first bytes"
    ledger.set_fact(facts.IGNORED, {f"{suffix}: .docx": 1, f"{suffix}: .pdf": 1, content: 1})
    ledger.set_fact(
        facts.EXAMPLES, {f"{suffix}: .docx": "notes.docx", f"{suffix}: .pdf": "gone.pdf", content: "main.ts"}
    )
    lines = sttd("status").out.splitlines()
    assert {line for line in lines if line.startswith("ignored")} == {
        f"ignored  notes.docx\t{suffix}", f"ignored  more.docx\t{suffix}", f"ignored  main.ts\t{content}",
    }  # fmt: skip
    (root / "inbox").rename(root / "away")
    with pytest.MonkeyPatch.context() as hanging:
        hanging.setattr("sttd.view.lying.answers", lambda *_: {})
        lines = sttd("status").out.splitlines()
    assert [line.partition("\t")[0] for line in lines if line.startswith("ignored")] == [
        "ignored  notes.docx", "ignored  gone.pdf", "ignored  main.ts",
    ]  # fmt: skip


def test_without_anything_unusual_the_inbox_is_not_walked(sttd, ledger, daemon, monkeypatch):
    """It may be on a share, whose disks may sleep."""
    from sttd.view import lying

    monkeypatch.setattr(lying, "answers", lambda *_: pytest.fail("the inbox was looked into"))
    lives(ledger, CALM | {"inbox": {"ignored": {"hidden": 3}, "settling": 0, "away": None}})
    assert sttd("status").code == 0


def test_a_recording_ends_when_earlier_ones_say(sttd, ledger, daemon):
    """By size and suffix; nothing is promised while work is held up."""
    begun = time.time() - 100
    finished(ledger, "old.mp3", service=50.0)  # for SOUND's bytes
    ledger.update(ledger.add("now.mp3", SOUND, 1.0), state=State.RUNNING, attempt=1, started_at=begun)
    ledger.add("next.mp3", SOUND, 1.0)
    worker = LIVE["workers"][0] | {"job": 2, "progress": 0.5, "done": 300.0, "total": 600.0}
    lives(ledger, CALM | {"workers": [worker]})
    words = ("status", "--json", "--set", "pool.workers=1")
    found = json.loads(sttd(*words).out)
    assert found["workers"][0]["left"] == pytest.approx(100.0, abs=10.0)
    (waiting,) = found["waiting"]
    assert waiting["ends_at"] == pytest.approx(begun + 250.0, abs=30.0)
    assert found["ends_at"] == pytest.approx(begun + 250.0, abs=30.0)
    lives(ledger, CALM | {"workers": [worker], "trouble": ["the disk is full"]})
    found = json.loads(sttd(*words).out)
    assert (found["ends_at"], found["waiting"][0]["ends_at"]) == (None, None)


def test_a_machine_that_is_away_is_said_with_when_it_is_tried_again():
    """Once its wait is over that is when there is work: nobody asks it for nothing."""
    gpu1 = {"name": "gpu1", "workers": 0, "slots": 2, "away": "ssh ended", "retry_at": 130.0}
    assert plain.remote(gpu1, 100.0) == "gpu1 is away: ssh ended; it is tried again in 30s"
    assert plain.remote(gpu1, 131.0) == "gpu1 is away: ssh ended; it is tried again when there is work for it"
    assert plain.remote(gpu1 | {"workers": 1, "away": None}, 100.0) == "gpu1: 1 of 2 workers"


def test_workers_share_what_waits():
    """The next recording goes to whoever is free first."""
    assert list(estimates.ends([10.0], 2, [5.0, 5.0, 5.0])) == [5.0, 10.0, 15.0]
    assert list(estimates.ends([], 1, [5.0, 5.0])) == [5.0, 10.0]


def test_a_length_is_guessed_by_the_suffix_first():
    done = [Job(1, "a.wav", 1000, 0, service=1.0), Job(2, "b.mp3", 100, 0, service=1.0)]
    rates = estimates.Rates(done)
    assert rates.seconds(Job(3, "c.WAV", 500, 0)) == 0.5
    assert rates.seconds(Job(4, "d.mp3", 500, 0)) == 5.0
    assert rates.seconds(Job(5, "e.ogg", 1100, 0)) == 2.0
    assert estimates.Rates([]).seconds(done[0]) is None
    half = Job(6, "f.wav", 1000, 0, progress=30.0, audio_seconds=60.0)
    assert rates.left(half) == 0.5


def test_jobs_are_filtered_and_paged(sttd, ledger):
    finished(ledger, "meetings/a.m4a")
    failed(ledger, "meetings/2026/b.mp3")
    ledger.add("notes/c.m4a", SOUND, 5e8)
    ledger.add("meetings2/" + os.fsdecode(b"\xff.m4a"), SOUND, 5e8)

    def found(*words: str) -> list[int]:
        return [job["id"] for job in json.loads(sttd("jobs", "--json", *words).out)]

    assert found("--state", "failed,queued") == [2, 3, 4]
    assert found("--state", "done", "--state", "failed") == [1, 2]
    ledger.add("meetings.mp3", SOUND, 1.0)  # no folder
    assert found("--folder", "meetings/") == [1, 2]
    assert found("*.m4a") == [1, 3, 4]
    assert found("meetings/*") == [1, 2]
    assert found("--since", "1980-01-01") == [3, 4]
    assert found("--before", "3", "--limit", "1") == [2]
    assert found("*.m4a", "--state", "queued", "--folder", "notes") == [3]
    assert sttd("jobs", "--state", "failed,runing").code == 2
    assert "2h, 7d, today" in sttd("jobs", "--since", "some day").err


def test_a_time_that_is_past_is_written_as_people_say_it():
    now = 1_700_000_000.0
    assert moment("2h", now) == now - 7200
    assert moment("7d ago", now) == now - 7 * 86400
    assert now - 86400 <= moment("today", now) <= now
    assert moment("today", now) - moment("yesterday", now) == pytest.approx(86400, abs=3601)
    assert moment("2023-11-14 22:13:20+00:00", now) == now
    with pytest.raises(ValueError):
        moment("soon", now)


@pytest.fixture
def berlin(monkeypatch):
    """Clocks are changed in the night to 29 March and to 25 October 2026."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-27", 24)])
def test_a_day_ends_at_midnight_also_where_clocks_are_changed_in_it(berlin, day, hours):
    """What came in its last hour was not found, or what came in the first one of the next day was."""
    begins = dt.datetime.fromisoformat(day).timestamp()
    assert until(None, None, day) == begins + hours * 3600
    assert moment("yesterday", begins + hours * 3600 + 43200) == begins
    assert moment("today", begins + 43200) == begins


def test_the_last_day_of_the_calendar_has_no_end():
    """`sttd search --until 9999-12-31` ended with a traceback."""
    assert until(None, None, "9999-12-31") is None


@pytest.mark.parametrize("utc", [math.nan, math.inf, -math.inf, 1e300])
def test_a_time_that_is_none_is_no_crash(utc):
    assert plain.nearby(utc, 1e9) == "-"


@pytest.fixture
def in_parts(ledger, daemon):
    """A recording in four parts, of which two workers have one each; returns when it was begun."""
    begun = time.time() - 100
    job = ledger.update(ledger.add("now.mp3", SOUND, 1.0), state=State.RUNNING, attempt=2, started_at=begun)
    job = ledger.update(job, shared=Shared(4, 1200.0, 600.0), audio_seconds=2400.0)
    first, second, *_ = ledger.parts(job)
    ledger.begin_attempt(job, begun, part=1)
    ledger.update_part(first, progress=300.0, chunks=3)
    ledger.update_part(second, state=State.RUNNING, attempt=3, progress=100.0, begins=610.0)
    ledger.update(job, progress=400.0)
    about = {"job": 1, "source": "now.mp3", "resumed_at": None, "parts": 4, "since": begun, "total": 600.0}
    common = LIVE["workers"][0] | about
    workers = [
        common | {"part": 0, "done": 300.0, "progress": 0.5, "begins": 0.0, "ends": 600.0, "attempt": 2},
        common | {"part": 1, "done": 100.0, "progress": 0.1667, "begins": 610.0, "ends": 1200.0, "attempt": 3},
    ]
    lives(ledger, CALM | {"workers": workers})


@pytest.mark.usefixtures("in_parts")
def test_a_recording_in_parts_is_told_by_part_and_as_a_whole(sttd, ledger):
    """Each worker by its part; when all of it is done by all of its workers together."""
    lines = sttd("status").out.splitlines()
    assert [line for line in lines if "job 1 part 2 of 4 (10:10 to 20:00) 17% now.mp3" in line]
    shown = sttd("show", "1").out
    assert "running: attempt 2, since" in shown
    assert re.search(r"^parts +0 of 4 done$", shown, re.MULTILINE)
    assert re.search(r"^part +part 2 of 4 \(10:10 to 20:00\): attempt 3, 17% done$", shown, re.MULTILINE)
    assert re.search(r"^done +about .*, in [789]min$", shown, re.MULTILINE), shown
    assert plain.remark(ledger.get(1)) == "in 4 parts"


@pytest.mark.usefixtures("in_parts")
def test_a_recording_in_parts_is_told_to_programs_too(sttd):
    found = json.loads(sttd("status", "--json", "--set", "pool.workers=2").out)
    assert [worker["left"] for worker in found["workers"]] == pytest.approx([100.0, 500.0], rel=0.2)
    assert [worker["job_left"] for worker in found["workers"]] == pytest.approx([500.0, 500.0], rel=0.2)
    assert [(part["number"], part["state"], part["begins"], part["ends"]) for part in found["parts"]] == [
        (1, "running", 0.0, 600.0),
        (2, "running", 610.0, 1200.0),
        (3, "queued", 1200.0, 1800.0),
        (4, "queued", 1800.0, 2400.0),
    ]
    assert [worker["part"] for worker in found["workers"]] == [1, 2]
    shown = json.loads(sttd("show", "1", "--json").out)
    assert [each["part"] for each in shown["history"]] == [2]
    assert [part["progress"] for part in shown["parts"]] == [300.0, 100.0, 0.0, 0.0]

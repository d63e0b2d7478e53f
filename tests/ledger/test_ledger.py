"""The ledger: steps, turns, requests, and readers without rights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from sttd.errors import LedgerError
from sttd.job import ENDED, TRANSITIONS, Identity, State
from sttd.ledger import Ledger
from sttd.ledger.fair import Lanes
from sttd.lock import Lock, is_held

SOUND = Identity(1000, 5)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def test_a_job_comes_back_as_it_was_stored(ledger):
    """Names of any bytes, plans and outputs with lone surrogates included."""
    name = os.fsdecode(b"sub/\xff\xfe\n.mp3")
    job = ledger.add(name, SOUND, 10.0)
    assert ledger.get(job.id) == job
    job = ledger.update(job, state=State.RUNNING, outputs=(name,), plan={"to": name}, location=name, error=name)
    assert ledger.get(job.id).outputs == (name,)
    assert ledger.get(job.id).plan == {"to": name}
    assert ledger.get(job.id).location == name
    assert ledger.latest(name).id == job.id


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", list(State))
def test_a_step_that_is_not_in_the_table_is_refused(ledger, before, after):
    job = ledger.add("a.mp3", SOUND, 1.0, state=before)
    if after == before or after in TRANSITIONS[before]:
        assert ledger.get(ledger.update(job, state=after).id).state is after
    else:
        with pytest.raises(ValueError, match="cannot go from"):
            ledger.update(job, state=after)
        assert ledger.get(job.id).state is before


def test_nothing_leaves_done():
    assert not TRANSITIONS[State.DONE]
    assert State.DONE in ENDED


def test_counts_follow_every_step(ledger):
    jobs = [ledger.add(f"{number}.mp3", SOUND, 1.0) for number in range(5)]
    ledger.update(jobs[0], state=State.RUNNING)
    ledger.update(jobs[1], state=State.CANCELLED)
    counts = ledger.counts()
    assert (counts[State.QUEUED], counts[State.RUNNING], counts[State.CANCELLED]) == (3, 1, 1)


def test_a_transaction_is_whole_or_nothing(ledger):
    """An error in the middle of a transaction leaves no trace of its first half."""
    with pytest.raises(KeyError), ledger.transaction():
        ledger.add("a.mp3", SOUND, 1.0)
        raise KeyError
    assert ledger.jobs() == []


def test_each_lane_has_its_order(ledger):
    """New ones by age, the others by the service they had; none before its time, none that waits for a twin."""
    late = ledger.add("late.mp3", SOUND, 20.0)
    early = ledger.add("early.mp3", SOUND, 10.0)
    ledger.add("twin.mp3", SOUND, 1.0, copy_of=early.id)
    ledger.add("not-yet.mp3", SOUND, 1.0, not_before=99.0)
    much = ledger.add("much.mp3", SOUND, 1.0, service=50.0)
    little = ledger.add("little.mp3", SOUND, 2.0, service=5.0)
    assert ledger.next_job("fresh", 30.0).id == early.id
    assert ledger.next_job("fresh", 30.0, {early.id}).id == late.id
    assert ledger.next_job("served", 30.0).id == little.id
    assert ledger.next_job("served", 30.0, {little.id}).id == much.id
    assert ledger.next_job("fresh", 30.0, {early.id, late.id}) is None


def test_neither_clips_nor_a_long_recording_starve():
    """A slice of half an hour is followed by half an hour of clips, and clips without end by a slice."""
    lanes, served = Lanes(), []
    for _ in range(2000):
        lane = lanes.order()[0]
        served.append(lane)
        lanes = lanes.charge(lane, 3.0 if lane == "fresh" else 1800.0)
    assert 2 <= served.count("served") <= 5
    assert served.index("served") < 5


def test_requests_are_taken_in_order_and_once(ledger, tmp_path):
    other = Ledger.open(tmp_path / "ledger.db", create=False)
    before = ledger.changed_elsewhere()
    other.ask("redo", 7, 1.0, model="base", language=None)
    other.ask("pause", None, 2.0)
    assert ledger.changed_elsewhere() != before
    requests = ledger.take_requests()
    assert [request.kind for _, request in requests] == ["redo", "pause"]
    assert requests[0][1].arguments == {"model": "base", "language": None}
    for number, _ in requests:
        ledger.drop_request(number)
    assert ledger.take_requests() == []
    other.close()


def test_a_ledger_of_a_newer_version_is_refused(ledger, tmp_path):
    ledger._db.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="install the newer sttd"):
        Ledger.open(tmp_path / "ledger.db")


def test_a_command_does_not_create_a_ledger(tmp_path):
    for opened in (
        lambda: Ledger.open(tmp_path / "x.db", create=False),
        lambda: Ledger.open_readonly(tmp_path / "x.db"),
    ):
        with pytest.raises(LedgerError, match="has sttd run"):
            opened()
    assert not list(tmp_path.iterdir())


READER = """
import os, sys
os.setgid(65534); os.setgroups([]); os.setuid(65534)
from pathlib import Path
from sttd.ledger import Ledger
print(len(Ledger.open_readonly(Path(sys.argv[1])).jobs()))
"""
WRITER = """
import sys, time
from pathlib import Path
from sttd.job import Identity
from sttd.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]))
ledger.add("a.mp3", Identity(1, 1), 1.0)
print("written", flush=True)
sys.stdin.readline()
ledger.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root's rights")
@pytest.mark.parametrize("end", ["runs", "killed", "closed"])
def test_a_reader_needs_no_right_to_write(tmp_path, end):
    """While the writer runs, after it was killed, and after it ended well."""
    import shutil
    import tempfile

    if sys.prefix.startswith("/root") or sys.base_prefix.startswith("/root"):
        pytest.skip("this Python lies where no other user can read it")
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    path = os.path.join(folder, "ledger.db")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert writer.stdout.readline() == b"written\n"
        if end == "killed":
            writer.send_signal(signal.SIGKILL)
            writer.wait(10)
        elif end == "closed":
            writer.communicate(b"\n", 10)
        done = subprocess.run([sys.executable, "-c", READER, path], capture_output=True, text=True, check=False)
        assert done.stdout == "1\n", done.stderr
    finally:
        writer.kill()
        writer.wait(10)
        writer.stdin.close()
        writer.stdout.close()
        shutil.rmtree(folder)


def test_a_lock_is_held_until_its_holder_ends(tmp_path):
    path = tmp_path / "lock"
    assert not is_held(path)
    lock = Lock(path, "the state folder")
    assert is_held(path)
    lock.release()
    assert not is_held(path)

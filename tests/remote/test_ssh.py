"""A worker behind a real OpenSSH server: the way there, a cable that is cut, and every end that can be killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import psutil
import pytest

from sttd.part import Cause, Done, Failed, Started
from sttd.pool.wire import Exit, Gone
from tests import speech
from tests.harness import wait_for
from tests.remote.conftest import SCRIPTED, gone
from tests.remote.net import another_machine, lacking
from tests.remote.ssh import Ssh, server
from tests.remote.test_far import SILENCE, from_, script, sent

pytestmark = pytest.mark.skipif(bool(lacking("/usr/sbin/sshd", "ssh")), reason=str(lacking("/usr/sbin/sshd", "ssh")))


@pytest.fixture(scope="module")
def ssh(tmp_path_factory) -> Iterator[Ssh]:
    with another_machine() as net, server(net, tmp_path_factory.mktemp("ssh")) as found:
        yield found


def quick(ssh: Ssh) -> list[str]:
    """A worker there that does what its part's source says."""
    return ssh.command(sys.executable, "-c", f'"{SCRIPTED}"')


def test_every_byte_of_a_recording_that_the_other_machine_does_not_see_comes_there(ssh, head, tmp_path):
    recording = tmp_path / "inbox" / "talk.wav"
    recording.parent.mkdir()
    recording.write_bytes(bytes(range(256)) * 4096)
    ssh.net.hide(recording.parent)
    far = head(quick(ssh))
    far.ready()
    far.answer = from_(recording)
    assert isinstance(far.run(sent(recording, "started done")), Done)
    assert len(far.asked) == 4
    far.send(Exit())
    assert far.process.wait() == 0


@pytest.mark.ci
def test_when_the_cable_is_cut_nobody_works_on_alone(ssh, head):
    """The head hears nothing, and nothing tells the far side either: TCP itself would take a quarter of an hour."""
    far = head(quick(ssh), silence=SILENCE)
    facts = far.ready()
    part = script("started chunks")
    far.do(part)
    worker = far.worker().pid
    with ssh.net.cut():
        wait_for(lambda: gone([worker, facts["pid"]]), "the far side has ended by itself")
        assert far.process.poll() is None, "the command here knows nothing of it: it is the head that has to notice"
    wait_for(lambda: far.process.poll() is not None, "the command ends when it hears of the other end")


@pytest.mark.parametrize("victim", ["the ssh here", "the sshd there", "sttd worker"])
def test_whatever_is_killed_at_either_end_nothing_is_left_over_there(ssh, head, victim):
    far = head(quick(ssh))
    facts = far.ready()
    far.do(script("started chunks"))
    pids = [far.worker().pid, facts["pid"]]
    session = psutil.Process(facts["pid"]).parent()
    while "sshd" not in session.name():  # a shell may be between
        session = session.parent()
    number = {"the ssh here": far.process.pid, "the sshd there": session.pid, "sttd worker": facts["pid"]}[victim]
    os.kill(number, signal.SIGKILL)
    far.process.wait()
    wait_for(lambda: gone(pids), "the far side is gone")


def test_a_worker_that_dies_there_costs_its_attempt_and_not_the_connection(ssh, head):
    far = head(quick(ssh))
    far.ready()
    far.do(script("started hang"))
    far.worker().kill()
    assert far.wait(Gone)[0].exitcode == -signal.SIGKILL
    assert isinstance(far.run(script("started done", attempt=2)), Done)


def test_a_full_disk_over_there_is_the_machines_fault(ssh, head, tmp_path):
    ssh.net.hide(tmp_path, "1m")
    far = head(ssh.worker("--spool", str(tmp_path)))
    far.ready()
    far.answer = from_(speech.SAMPLES / "english.flac")
    end = far.run(sent(speech.SAMPLES / "english.flac", "/nowhere/english.flac"))
    assert (type(end), end.cause, end.retriable) == (Failed, Cause.MACHINE, True)
    assert f"in {tmp_path}, where 1 MiB are free" in end.error
    assert far.asked == []


def test_two_slots_on_one_machine_work_side_by_side(ssh, head):
    one, other = head(quick(ssh)), head(quick(ssh))
    for far, name in ((one, "1.0"), (other, "2.0")):
        far.ready()
        far.do(script("started hang", name))
    assert one.wait(Started)[0].pid != other.wait(Started)[0].pid


def test_a_spool_folder_that_is_not_there_is_named(ssh, head):
    far = head(ssh.worker("--spool", "/nowhere"))
    assert far.process.wait() == 2
    wait_for(lambda: any("/nowhere" in line for line in far.errors), "the reason in the command's own log")

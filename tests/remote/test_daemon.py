"""A daemon whose workers are on another machine: behind a real ssh and a real srun, whatever happens to them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sttd.job import State
from tests import seven, speech
from tests.harness import Daemon, wait_for
from tests.remote.conftest import gone, tree
from tests.remote.net import another_machine, lacking
from tests.remote.slurm import PROGRAMS, cluster
from tests.remote.ssh import server
from tests.remote.tables import ELSEWHERE, table

SECONDS = 60  # of speech
SETTINGS = {"transcribe.language": "en", "transcribe.batch_size": "1", "pool.machine_wait": "1s"}
WAITS = f'{ELSEWHERE}remote_timeout = "18s"\n'


def needs(*programs: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(bool(lacking(*programs)), reason=str(lacking(*programs)))


@pytest.fixture
def elsewhere(make_daemon, tmp_path) -> Iterator[Callable[..., Daemon]]:
    """Daemons that have no worker here, over a folder with one recording; when they are closed, nothing works over there."""

    def make(command: list[str], slots: int, **settings: str) -> Daemon:
        file = tmp_path / "sttd.toml"
        file.write_text(WAITS + table("gpu1", *command, slots=slots))
        daemon = make_daemon(SETTINGS | settings, "--config", str(file), root=tmp_path / "root")
        del daemon.settings["pool.workers"]
        sound = speech.compose(seconds=SECONDS, language="en", seed=5).audio
        speech.encode(daemon.inbox / "long.flac", sound)
        return daemon

    yield make
    wait_for(lambda: not far_sides(tmp_path), "no far side is left")


def far_sides(folder: Path) -> list[psutil.Process]:
    """Those whose spool is in this folder, and that have a worker."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            if words[1:4] == ["-m", "sttd", "worker"] and str(folder / "spool") in words and process.children():
                found.append(process)
    return found


def working(daemon: Daemon, count: int) -> list[psutil.Process]:
    """Far sides with a worker, once there are so many."""

    def found() -> list[psutil.Process]:
        assert daemon.process.poll() is None, daemon.log
        here = far_sides(daemon.root.parent)
        return here if len(here) == count else []

    return wait_for(found, f"{count} far sides")


def stop(far: psutil.Process) -> list[int]:
    """Stop its worker, so that it has not ended when something happens to it; returns all of its processes."""
    for child in far.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                child.suspend()
    return tree(far.pid)


def done(daemon: Daemon) -> None:
    """Transcribed, in the right words, and no attempt was spent on another machine's fault."""
    job = daemon.wait_state(State.DONE)
    assert (job.attempts, daemon.stop()) == (0, 0)
    expected = speech.compose(seconds=SECONDS, language="en", seed=5).said("en")
    assert speech.error_rate(expected, daemon.text("long.flac", "en"), "en") < 0.3


@pytest.mark.ci
@needs("/usr/sbin/sshd", "ssh")
def test_two_workers_over_ssh_share_a_long_recording_and_one_is_killed_and_the_cable_is_cut(
    elsewhere, tmp_path, tmp_path_factory
):
    """What the other machine cannot see is sent. When the head gives a part to another, its worker has ended: never two on one."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "root").mkdir()
    with another_machine() as net, server(net, tmp_path_factory.mktemp("ssh")) as ssh:
        net.hide(tmp_path / "root")
        command = ssh.worker("--spool", str(tmp_path / "spool"))
        daemon = elsewhere(command, 2, **{"pool.split_after": "20s", "pool.part_length": "20s"})
        daemon.start()
        daemon.wait_log("part 2 of 3")
        one, other = working(daemon, 2)
        pids = [stop(one), stop(other)]
        one.kill()
        daemon.wait_log("is lost")
        wait_for(lambda: gone(pids[0]), "the first one is gone")
        with net.cut():
            daemon.wait_log("nothing was heard of it for 18 s")
            assert gone(pids[1]), "it has ended before it was given up"
        done(daemon)
        assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.slow
@needs("/usr/sbin/sshd", "ssh")
def test_seven_parts_over_two_ssh_workers_with_one_killed_are_the_transcript_of_an_undisturbed_run(
    elsewhere, tmp_path, tmp_path_factory
):
    expected = seven.undisturbed(tmp_path_factory.mktemp("undisturbed"))
    (tmp_path / "spool").mkdir()
    with another_machine() as net, server(net, tmp_path_factory.mktemp("ssh")) as ssh:
        daemon = elsewhere(ssh.worker("--spool", str(tmp_path / "spool")), 2, **seven.SETTINGS)
        seven.put(daemon)
        daemon.start()
        seven.wait_for_the_middle(daemon)
        one, _ = working(daemon, 2)
        stop(one)
        one.kill()
        daemon.wait_log("is lost")
        seven.check(daemon, expected)
        assert daemon.stop() == 0


@pytest.mark.ci
@needs(*PROGRAMS)
def test_over_srun_a_full_disk_there_is_waited_for_and_scancel_costs_nothing(elsewhere, tmp_path, tmp_path_factory):
    (tmp_path / "spool").mkdir()
    (tmp_path / "root").mkdir()
    with another_machine() as net, cluster(net, tmp_path_factory.mktemp("slurm")) as slurm:
        net.hide(tmp_path / "root")
        net.hide(tmp_path / "spool", "1m")
        command = slurm.command(sys.executable, "-m", "sttd", "worker", "--spool", str(tmp_path / "spool"))
        daemon = elsewhere(command, 1)
        daemon.start()
        wait_for(
            lambda: "no room for the recording" in (((daemon.jobs() or [None])[0] and daemon.job().error) or ""),
            "words",
        )
        assert (daemon.job().state, daemon.job().attempts) == (State.QUEUED, 0)
        net.run("mount", "-o", "remount,size=200m", str(tmp_path / "spool"))
        wait_for(daemon.checkpoint, "it has come somewhere")
        (far,) = far_sides(tmp_path)
        pids = stop(far)
        slurm.say("scancel", *slurm.jobs())
        wait_for(lambda: gone(pids), "nothing is left on the node")
        done(daemon)
        assert daemon.job().resumes >= 1


@needs("/usr/sbin/sshd", "ssh")
def test_a_daemon_that_is_killed_leaves_no_worker_over_there(elsewhere, tmp_path, tmp_path_factory):
    (tmp_path / "spool").mkdir()
    with another_machine() as net, server(net, tmp_path_factory.mktemp("ssh")) as ssh:
        daemon = elsewhere(ssh.worker("--spool", str(tmp_path / "spool")), 1)
        daemon.start()
        (far,) = working(daemon, 1)
        pids = stop(far)
        os.kill(daemon.process.pid, signal.SIGKILL)
        wait_for(lambda: gone(pids), "nothing works over there")

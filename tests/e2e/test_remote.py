"""A daemon whose workers are behind a command, as `ssh gpu1 sttd worker` would be."""

from __future__ import annotations

import os
import shlex
import signal

import psutil
import pytest

from sttd.job import State
from tests import speech
from tests.harness import wait_for
from tests.remote.tables import ELSEWHERE, WORKER, table


@pytest.mark.ci
def test_a_recording_is_transcribed_behind_a_command_whatever_is_killed(make_daemon, tmp_path):
    """The line twice: the command, then the worker behind it. No attempt is spent on the line."""
    file = tmp_path / "sttd.toml"
    file.write_text(ELSEWHERE + table("gpu1", "sh", "-c", "echo Welcome; exec " + shlex.join(WORKER)))
    daemon = make_daemon({"transcribe.batch_size": "1"}, "--config", str(file))
    daemon.settings.pop("pool.workers")
    speech.encode(daemon.inbox / "long.flac", speech.compose(seconds=400, language="en", seed=5).audio)
    daemon.start()
    daemon.wait_state(State.RUNNING)
    wait_for(lambda: daemon.json("status")["workers"][0]["progress"], "it has come somewhere")
    (worker,) = daemon.json("status")["workers"]
    assert (worker["name"], worker["pid"]) == ("gpu1/1", None)
    assert "worker   gpu1/1 running" in daemon.sttd("status").stdout
    (line,) = [each for each in psutil.Process(daemon.process.pid).children() if "worker" in each.cmdline()]
    line.kill()
    wait_for(lambda: any("worker gpu1/1: the worker on gpu1/1 is lost: " in each for each in daemon.log), "it is said")
    daemon.wait_state(State.DONE)
    assert daemon.job().attempts == 0
    assert daemon.job().resumes >= 1
    assert daemon.text("long.flac", "en")
    assert any("gpu1 is away: " in each for each in daemon.log)
    assert daemon.stop() == 0
    assert not line.is_running()


def test_while_no_machine_answers_the_status_says_why_and_this_one_stands_in(make_daemon, tmp_path):
    """`wait` first; then the configuration is changed, and the recording is done here."""
    file = tmp_path / "sttd.toml"
    file.write_text(ELSEWHERE + table("gpu1", "sh", "-c", "echo No route to host >&2; exit 255"))
    daemon = make_daemon({}, "--config", str(file))
    daemon.settings.pop("pool.workers")
    speech.encode(daemon.inbox / "a.flac", speech.sample("clip01"))
    daemon.start()
    said = wait_for(lambda: daemon.json("status")["trouble"], "it is known that nobody answers")
    assert said == [
        "no worker can be reached: gpu1: sh ended (exit code 255) before a worker answered: No route to host"
    ]
    assert daemon.sttd("status").returncode == 1
    assert "gpu1 is away: sh ended (exit code 255)" in daemon.sttd("status").stdout
    assert daemon.job().state is State.QUEUED
    file.write_text(file.read_text().replace('"wait"', '"local"'))
    os.kill(daemon.process.pid, signal.SIGHUP)
    daemon.wait_state(State.DONE)
    assert speech.says(daemon.text("a.flac", "en"), "clip01")
    assert daemon.stop() == 0


def test_a_drain_ends_where_no_machine_answers(make_daemon, tmp_path):
    """It waited for ever."""
    file = tmp_path / "sttd.toml"
    file.write_text(ELSEWHERE + table("gpu1", "sh", "-c", "echo No route to host >&2; exit 255"))
    daemon = make_daemon({}, "--config", str(file))
    daemon.settings.pop("pool.workers")
    speech.encode(daemon.inbox / "a.flac", speech.sample("clip01"))
    assert daemon.drain() == 1
    assert any(
        "1 job waits for what is wrong with this machine: no worker can be reached: gpu1: " in line
        for line in daemon.log
    )


@pytest.mark.ci
def test_a_drain_waits_for_a_command_that_answers_at_the_second_try(make_daemon, tmp_path):
    file = tmp_path / "sttd.toml"
    file.write_text(
        ELSEWHERE
        + table(
            "gpu1", "sh", "-c", f"[ -e {tmp_path}/x ] || {{ touch {tmp_path}/x; exit 1; }}; exec {shlex.join(WORKER)}"
        )
    )
    daemon = make_daemon({}, "--config", str(file))
    daemon.settings.pop("pool.workers")
    speech.encode(daemon.inbox / "a.flac", speech.sample("clip01"))
    assert daemon.drain() == 0
    assert daemon.job().state is State.DONE


@pytest.mark.ci
def test_with_workers_here_others_are_reached_when_there_is_more_to_do(make_daemon, tmp_path):
    (tmp_path / "sttd.toml").write_text(table("gpu1", *WORKER))
    daemon = make_daemon({"pool.workers": "1", "transcribe.batch_size": "1"}, "--config", str(tmp_path / "sttd.toml"))
    for number in range(2):
        speech.encode(
            daemon.inbox / f"{number}.flac", speech.compose(seconds=100, language="en", seed=5 + number).audio
        )
    daemon.start()
    wait_for(
        lambda: {each["name"] for each in daemon.json("status")["workers"] if each["job"]} == {"local/1", "gpu1/1"},
        "both work",
    )
    for number in (1, 2):
        daemon.wait_state(State.DONE, number)
    assert daemon.stop() == 0

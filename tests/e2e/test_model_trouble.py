"""Models that hang, are damaged or missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
import pytest

from sttd.job import State
from tests import speech
from tests.harness import wait_for

DEMO = Path(speech.SAMPLES).parent / "model"


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    """A model folder whose load truly hangs: its weights are a FIFO that nobody writes to."""
    folder = tmp_path / "hanging"
    shutil.copytree(DEMO, folder)
    (folder / "model.bin").unlink()
    os.mkfifo(folder / "model.bin")
    return folder


def drop(daemon) -> None:
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))


def assert_fallback(daemon, reason: str) -> None:
    """The job is done on the fallback, and nowhere is that hidden."""
    job = daemon.job()
    assert job.state is State.DONE
    assert job.model == "demo"
    assert reason in (job.fallback_reason or "")
    result = daemon.result("english.flac", "en")
    assert result["model"] == "demo"
    assert result["requested_model"] == daemon.settings["model.name"]
    assert reason in result["fallback_reason"]
    assert any(reason in line for line in daemon.log)
    assert reason in daemon.sttd("show", "1").stdout


@pytest.mark.ci
def test_a_load_that_hangs_times_out_and_the_fallback_does_the_job(make_daemon, hanging):
    daemon = make_daemon({"model.name": str(hanging), "model.fallback": "demo", "model.load_timeout": "10s"})
    drop(daemon)
    assert daemon.drain() == 0
    assert any("[STT][TIMEOUT] Model loading timed out after 10 seconds!" in line for line in daemon.log)
    assert_fallback(daemon, "timed out")


def test_a_missing_folder_falls_back_at_once(make_daemon, tmp_path):
    daemon = make_daemon({"model.name": str(tmp_path / "nowhere"), "model.fallback": "demo"})
    drop(daemon)
    assert daemon.drain() == 0
    assert_fallback(daemon, "nowhere")
    assert not any("TIMEOUT" in line for line in daemon.log)


@pytest.mark.ci
def test_a_damaged_folder_falls_back_at_once(make_daemon, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(DEMO, folder)
    whole = (folder / "model.bin").read_bytes()
    (folder / "model.bin").write_bytes(whole[: len(whole) // 2])
    daemon = make_daemon({"model.name": str(folder), "model.fallback": "demo"})
    drop(daemon)
    assert daemon.drain() == 0
    assert_fallback(daemon, "")


@pytest.mark.ci
def test_without_any_usable_model_the_job_waits_and_a_model_that_appears_is_used(make_daemon, tmp_path):
    """None is spent, hardly one is made, the daemon lives, says so once however long it lasts, and needs no restart."""
    folder = tmp_path / "later"
    daemon = make_daemon({"model.name": str(folder), "pool.machine_wait": "1s"})
    drop(daemon)
    daemon.start()
    daemon.wait_log("later")
    assert daemon.wait_state(State.QUEUED).attempts == 0
    wait_for(lambda: any("later" in text for text in daemon.json("status")["trouble"]), "the status says so")
    with pytest.raises(AssertionError):  # the first may come before it was looked for the model
        wait_for(lambda: daemon.job().attempt > 1, "it is tried again though nothing can come of it", 3.0)
    for said in ("cannot be loaded", "recordings wait"):
        assert len([line for line in daemon.log if said in line]) <= 1
    shutil.copytree(DEMO, tmp_path / "copy")
    (tmp_path / "copy").rename(folder)
    job = daemon.wait_state(State.DONE)
    assert job.attempts == 0
    assert job.fallback_reason is None
    assert daemon.stop() == 0


def test_a_drain_that_waits_for_a_model_ends_with_1(make_daemon, tmp_path):
    daemon = make_daemon({"model.name": str(tmp_path / "nowhere")})
    drop(daemon)
    assert daemon.drain() == 1
    assert daemon.job().state is State.QUEUED


@pytest.mark.ci
def test_the_primary_is_tried_again_by_a_later_worker(make_daemon, tmp_path):
    """After `model.retry_after` the model that was missing is used, in the same daemon."""
    folder = tmp_path / "later"
    daemon = make_daemon({"model.name": str(folder), "model.fallback": "demo", "model.retry_after": "500ms"})
    drop(daemon)
    daemon.start()
    assert daemon.wait_state(State.DONE).fallback_reason
    shutil.copytree(DEMO, tmp_path / "copy")
    (tmp_path / "copy").rename(folder)

    number = 1
    while True:
        number += 1
        speech.encode(daemon.inbox / f"clip{number}.flac", speech.sample(f"clip{number:02}"))
        if daemon.wait_state(State.DONE, number).model == str(folder):
            break
        assert number < 20, "the primary is never tried again"
    assert daemon.stop() == 0


def test_a_worker_that_dies_of_a_load_makes_way_for_the_fallback(make_daemon, hanging):
    """Killed by the kernel for want of memory, say: the same load again would end the same way."""
    daemon = make_daemon({"model.name": str(hanging), "model.fallback": "demo", "pool.machine_wait": "1h"})
    drop(daemon)
    daemon.start()
    loading = lambda: [each["pid"] for each in daemon.json("status")["workers"] if each["state"] == "loading"]  # noqa: E731
    (worker,) = wait_for(loading, "a worker loads the model")
    psutil.Process(worker).kill()
    daemon.wait_state(State.DONE)
    assert_fallback(daemon, "died while it loaded the model")
    assert daemon.job().attempts == 0
    assert daemon.stop() == 0

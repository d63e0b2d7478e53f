"""The life of the service under a real systemd: each sentence that an operator is promised."""

from __future__ import annotations

import re

import pytest

from tests import speech
from tests.harness import wait_for
from tests.systemd.service import Service

# every window a checkpoint, and nothing left to chance
SLOW = {"transcribe": 'batch_size = 1\ntemperatures = [0]\nlanguage = "en"'}


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A recording of some windows."""
    path = tmp_path_factory.mktemp("long") / "long.flac"
    speech.encode(path, speech.compose(seconds=90, language="en", seed=11).audio)
    return path


@pytest.fixture(scope="module")
def texts() -> set[str]:
    """What all tests have heard in it: however it was disturbed, it is the same."""
    return set()


def begin(service: Service, long, name: str = "long.flac") -> int:
    """The service in the middle of a job, however slow the test is: its worker is stopped behind a first chunk.

    Returns the worker's process id.
    """
    service.start()
    service.drop(long, name)
    worker = service.stop_worker()
    assert service.jobs()[0].state == "running"
    return worker


def one_result(service: Service, texts: set[str]) -> None:
    """The job went on from its checkpoint to one transcript, without a word lost or doubled."""
    service.wait_job("done", resumes=1)
    assert [job.id for job in service.jobs()] == [1]
    files = service.box.do("ls", "/srv/sttd/transcripts").split()
    assert sorted(files) == [f"long.en.{suffix}" for suffix in ("json", "srt", "tsv", "txt", "vtt")]
    texts.add(service.text("long.en.txt"))
    assert len(texts) == 1


def test_it_is_ready_before_any_model_is_loaded(service):
    """`systemctl start` returns though no model can be had; the status line says what is missing, and it goes on."""
    service.configure({"model": ""})
    text = service.box.path(service.config).read_text()
    service.box.write(service.config, text.replace('name = "demo"', 'name = "no/such-model"'))
    service.drop(speech.SAMPLES / "english.flac", "talk.flac")
    service.start()
    assert service.show("ActiveState") == "active"
    service.wait_status(r"held up \(model\)")
    assert "no/such-model" in service.sttd("status")["trouble"][0]
    assert service.wait_job("queued").attempts == 0


def test_the_status_line_has_figures_and_no_names(service, long):
    """Every local user may read it; `sttd status` has the names, for the group."""
    service.configure(SLOW)
    begin(service, long, "การประชุม.flac")
    assert service.wait_status("1 running").startswith("1 running, 0 queued")
    shown = service.box.as_user("bob", "systemctl", "status", "sttd")
    assert "1 running" in shown.stdout
    assert "การประชุม" not in shown.stdout
    assert service.sttd("status")["workers"][0]["source"] == "การประชุม.flac"


def test_a_reload_takes_over_what_it_can_and_names_the_rest(service):
    service.start()
    service.configure(
        {"output": 'formats = ["txt"]', "watch": 'rescan_interval = "7s"\npolling = true', "log": 'level = "DEBUG"'}
    )
    pid = service.pid
    service.box.do("systemctl", "reload", "sttd")
    service.wait_log("configuration loaded again")
    assert "[watch] polling has changed: it takes effect after a restart" in service.log()
    service.drop(speech.SAMPLES / "english.flac", "talk.flac")
    service.wait_job("done")
    assert service.box.do("ls", "/srv/sttd/transcripts").split() == ["talk.en.txt"]
    assert (service.pid, service.show("ActiveState")) == (pid, "active")


def test_a_bad_configuration_is_refused_by_the_reload_and_the_old_one_stays(service):
    service.start()
    good = service.box.path(service.config).read_text()
    service.box.write(service.config, good.replace("[pool]", "[pool]\njob_timeuot = 3\n"))
    done = service.box.run("systemctl", "reload", "sttd")
    assert done.returncode != 0
    assert "did you mean job_timeout?" in service.log()
    assert "configuration loaded again" not in service.log()
    assert service.show("ActiveState") == "active"
    service.drop(speech.SAMPLES / "english.flac", "talk.flac")
    service.wait_job("running")
    service.stop()
    service.box.run("systemctl", "start", "sttd")
    assert (service.show("ActiveState"), service.show("ExecMainStatus"), service.show("NRestarts")) == (
        "failed",
        "2",
        "0",
    )


def test_a_missing_folder_ends_it_with_the_reason_and_no_restart(service):
    """What is wrong with the folders is not mended by trying again."""
    service.box.do("mv", "/srv/sttd", "/srv/elsewhere")
    try:
        service.box.run("systemctl", "start", "sttd")
        state = (service.show("ActiveState"), service.show("ExecMainStatus"), service.show("NRestarts"))
    finally:
        service.box.do("mv", "/srv/elsewhere", "/srv/sttd")
    assert state == ("failed", "6", "0")
    assert "cannot be created" in service.log()


@pytest.mark.ci
def test_a_stop_in_the_middle_of_a_job_keeps_what_is_done(service, long, texts):
    """The job is queued again behind its checkpoint, the stop is a clean one, and the next start goes on."""
    service.configure(SLOW)
    worker = begin(service, long)
    service.box.do("systemctl", "stop", "--no-block", "sttd")
    service.wait_status("stopping")
    service.box.do("kill", "-CONT", str(worker))
    service.stop()  # waits for its end
    assert service.show("Result") == "success"
    assert service.jobs()[0].state == "queued"
    done = service.checkpointed()
    assert done >= 1
    service.start()
    one_result(service, texts)


@pytest.mark.ci
def test_a_stop_that_takes_longer_asks_for_more_time(service, long):
    """A worker that does not answer is waited for as long as `pool.stop_grace`, over the unit's TimeoutStopSec=."""
    service.configure({**SLOW, "pool": 'stop_grace = "6s"'})
    service.drop_in("[Service]\nTimeoutStopSec=3\n")
    begin(service, long)
    service.stop()
    assert service.show("Result") == "success"
    assert service.jobs()[0].state == "queued"


def test_a_killed_daemon_is_started_again_and_loses_nothing(service, long, texts):
    service.configure(SLOW)
    begin(service, long)
    service.box.do("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "sttd")
    one_result(service, texts)
    assert service.show("NRestarts") == "1"
    assert service.wait_log("was running when the daemon ended")


def test_a_daemon_that_hangs_is_restarted_by_the_watchdog(service, long):
    service.configure(SLOW)
    service.drop_in("[Service]\nWatchdogSec=5\n")
    begin(service, long)
    service.box.do("kill", "-STOP", str(service.pid))
    service.wait_job("running", resumes=1)
    assert service.show("NRestarts") == "1"
    assert "Watchdog timeout" in service.log()


@pytest.mark.ci
def test_a_worker_that_hangs_is_not_the_daemons_death(service, long):
    """The watchdog is fed on while it hangs, for longer than its limit."""
    service.configure(SLOW)
    service.drop_in("[Service]\nWatchdogSec=5\n")
    worker, pid = begin(service, long), service.pid
    hung = int(service.show("WatchdogTimestampMonotonic"))
    wait_for(lambda: int(service.show("WatchdogTimestampMonotonic")) > hung + 6_000_000, "it is fed for 6 s")
    assert (service.pid, service.show("NRestarts")) == (pid, "0")
    assert service.workers() == [worker]


HOG = """
import os, sys
cgroup, worker = sys.argv[1:]
open(cgroup + "/cgroup.procs", "w").write(str(os.getpid()))
held = []
while os.path.exists(f"/proc/{worker}/exe"):
    held.append(bytearray(2**22))
"""


@pytest.mark.ci
def test_a_worker_that_the_kernel_kills_for_memory_costs_no_more_than_a_smaller_batch(service, tmp_path):
    """Under MemoryMax=; the service stays up."""
    service.configure({"transcribe": 'batch_size = 2\ntemperatures = [0]\nlanguage = "en"'})
    service.drop_in("[Service]\nMemoryMax=800M\nMemorySwapMax=0\n")
    speech.encode(tmp_path / "longer.flac", speech.compose(seconds=240, language="en", seed=11).audio)
    worker, pid, box = begin(service, tmp_path / "longer.flac"), service.pid, service.box
    box.write(f"/proc/{worker}/oom_score_adj", "1000")
    mount = "/sys/fs/cgroup/memory" if box.path("/sys/fs/cgroup/memory").is_dir() else "/sys/fs/cgroup"
    box.run("/usr/bin/python3", "-c", HOG, f"{mount}/system.slice/sttd.service", str(worker))
    assert service.wait_job("running", resumes=1).batch_size == 1
    assert "killed by the kernel's OOM killer" in service.log()
    assert (service.pid, service.show("ActiveState")) == (pid, "active")


NEWER = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version = 99')"


@pytest.mark.ci
def test_it_waits_longer_from_failure_to_failure_and_never_gives_up(service):
    """A ledger of a newer sttd: 1 s, then 2 s more, ...; once it is mended, a person's start does not wait."""
    box, ledger = service.box, f"{service.state}/ledger.db"
    box.do("/usr/bin/python3", "-c", NEWER, ledger)
    box.do("chown", "sttd:sttd", ledger)
    box.run("systemctl", "start", "--no-block", "sttd")
    service.wait_log("started 2 times in a row and ended soon: waits 2 s")
    service.wait_status(r"waits \d+ s")
    box.run("systemctl", "stop", "sttd")
    box.do("rm", ledger)
    waits = re.findall(r"waits (\d+) s before", service.log())
    service.start()
    assert re.findall(r"waits (\d+) s before", service.log()) == waits
    assert waits[0] == "2"


MOUNT = """
[Unit]
Requires=disk.service
After=disk.service
[Mount]
What=tmpfs
Where=/srv/sttd/inbox
Type=tmpfs
Options=mode=2770,uid=sttd,gid=sttd
"""
DISK = """
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'read ready </run/disk'
"""


@pytest.mark.ci
def test_a_boot_waits_for_an_inbox_on_a_mount_that_comes_late(service):
    """With the drop-in `inbox-mount` (RequiresMountsFor=): what lies on the disk is found, nothing under it is touched."""
    box = service.box
    box.do("sttd", "install", "--drop-in", "inbox-mount")
    box.write("/etc/systemd/system/srv-sttd-inbox.mount", MOUNT)
    box.write("/etc/systemd/system/disk.service", DISK)
    box.do("mkfifo", "/run/disk")
    box.do("systemctl", "daemon-reload")
    try:
        box.do("systemctl", "start", "--no-block", "sttd")
        wait_for(lambda: box.show("disk.service", "ActiveState") == "activating", "the disk is waited for")
        assert service.show("ActiveState") == "inactive"
        assert not box.path("/srv/sttd/inbox/.sttd.lock").exists()
        box.do("sh", "-c", "echo >/run/disk")
        wait_for(lambda: service.show("ActiveState") == "active", "it starts then")
        service.drop(speech.SAMPLES / "english.flac", "talk.flac")
        service.wait_job("done")
        # another file system: the source was copied to the archive, and is gone from the inbox
        assert box.path("/srv/sttd/archive/talk.flac").exists()
        assert not box.path("/srv/sttd/inbox/talk.flac").exists()
        service.stop()
    finally:
        box.run("systemctl", "stop", "sttd", "srv-sttd-inbox.mount")
        box.run("rm", "-f", "/run/disk", "/etc/systemd/system/srv-sttd-inbox.mount", "/etc/systemd/system/disk.service")
    assert box.do("ls", "-A", "/srv/sttd/inbox") == ""


@pytest.mark.ci
def test_two_instances_run_side_by_side(service):
    """Each with its configuration, folders and ledger."""
    box = service.box
    box.do("sttd", "install", "--instance", "meeting")
    other = Service(box, "meeting")
    try:
        for one in (service, other):
            one.configure()
            one.start()
        other.drop(speech.SAMPLES / "english.flac", "talk.flac")
        other.wait_job("done")
        assert speech.says(other.text("talk.en.txt"), "english")
        assert (service.jobs(), service.show("ActiveState")) == ([], "active")
        assert service.sttd("status")["daemon"]["pid"] != other.sttd("status")["daemon"]["pid"]
    finally:
        other.stop()

"""What an operator finds in the real journal: the life of a job, figures to reckon with, and words that explain."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from sttd.host.events import Kind
from tests import speech
from tests.harness import wait_for
from tests.systemd.service import Service

SLOW = {"transcribe": 'batch_size = 1\ntemperatures = [0]\nlanguage = "en"'}
FORGED = "a\nPRIORITY=0\nSTTD_JOB=99\n.flac"


def records(service: Service, *matches: str) -> list[dict[str, Any]]:
    """Records of the service since the test began, as `journalctl -t sttd -o json` prints them."""
    command = ("journalctl", "-t", "sttd", f"--since=@{service.since}", "-o", "json", "--no-pager", "--all", *matches)
    return [json.loads(line) for line in service.box.do(*command).splitlines()]


def events(found: list[dict[str, Any]]) -> list[str]:
    return [record["STTD_EVENT"] for record in found if "STTD_EVENT" in record]


def wait_event(service: Service, kind: Kind) -> dict[str, Any]:
    return wait_for(lambda: records(service, f"MESSAGE_ID={kind.message_id}"), f"the journal has {kind.word}")[-1]


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "long.flac"
    speech.encode(path, speech.compose(seconds=60, language="en", seed=11).audio)
    return path


def test_a_query_for_a_job_tells_its_life_and_nothing_else(service):
    service.start()
    service.drop(speech.SAMPLES / "english.flac", "talk.flac")
    wait_event(service, Kind.JOB_DONE)
    life = records(service, "STTD_JOB=1")
    assert events(life) == ["job-queued", "job-started", "model-loaded", "job-done"]
    assert {record["STTD_SOURCE"] for record in life} == {"talk.flac"}
    assert {record["_SYSTEMD_UNIT"] for record in life} == {service.unit}
    shown = service.box.do("/opt/sttd/bin/sttd", "logs", "1", f"--since=@{service.since}", "-o", "json", "--no-pager")
    cursors = [json.loads(line)["__CURSOR"] for line in shown.splitlines()]
    assert cursors == [record["__CURSOR"] for record in life], "`sttd logs 1` shows the same"
    done = life[-1]
    assert done["PRIORITY"] == "5"
    assert float(done["STTD_AUDIO_SECONDS"]) > 0
    assert float(done["STTD_SECONDS"]) > 0
    assert (done["STTD_MODEL"], done["STTD_LANGUAGE"]) == ("demo", "en")


def test_a_name_forges_neither_a_line_nor_a_field(service):
    service.start()
    service.box.path(f"{service.root}/inbox/{FORGED}").write_text("this is no recording")
    service.box.do("chown", "sttd", f"{service.root}/inbox/{FORGED}")
    failed = wait_event(service, Kind.JOB_FAILED)
    assert failed["STTD_SOURCE"] == FORGED
    assert (failed["STTD_JOB"], failed["PRIORITY"]) == ("1", "3")
    assert "\n" not in failed["MESSAGE"]
    assert records(service, "STTD_JOB=99") == []


@pytest.mark.ci
def test_a_timeout_is_explained_and_what_followed_is_found(service, long):
    """`journalctl -x` says what to do; the stacks of the killed worker are found by its process id."""
    service.configure(SLOW | {"pool": 'job_timeout = "15s"\nsweep_interval = "1s"\nkill_grace = "2s"'})
    service.start()
    service.drop(long, "long.flac")
    worker = service.stop_worker()
    timeout = wait_event(service, Kind.JOB_TIMEOUT)
    assert timeout["MESSAGE"].endswith("⏰ Job timed out after 15 seconds")
    assert (timeout["PRIORITY"], timeout["STTD_SECONDS"], timeout["STTD_WORKER"]) == ("3", "15", str(worker))
    wait_event(service, Kind.JOB_RETRY)
    told = events(records(service, "STTD_JOB=1"))
    assert told[told.index("job-timeout") :][:3] == ["job-timeout", "worker-killed", "job-retry"]
    explained = service.box.do("journalctl", "-x", "--no-pager", f"MESSAGE_ID={Kind.JOB_TIMEOUT.message_id}")
    assert "Subject: Job 1 was over its time, and its worker is killed" in explained
    assert "What to do:" in explained
    assert "most recent call first" in service.box.do("journalctl", f"_PID={worker}", "--no-pager")


def test_a_crossing_of_a_memory_level_is_one_record(service):
    service.configure({"memory": 'moderate = "0.01%"\nhigh = "99%"\ncritical = "99.5%"\ncheck_cooldown = "1s"'})
    service.start()
    rises = wait_event(service, Kind.MEMORY_RISES)
    assert (rises["PRIORITY"], rises["STTD_MEMORY_LEVEL"], rises["STTD_MEMORY_BEFORE"]) == ("4", "moderate", "normal")
    service.drop(speech.SAMPLES / "english.flac", "talk.flac")
    wait_event(service, Kind.JOB_DONE)
    found = Counter(events(records(service)))
    assert found["memory-rises"] == 1
    assert found["memory"] == 1  # at the start, and then each memory.log_interval


@pytest.mark.ci
def test_a_journald_that_is_away_holds_nothing_up(service):
    """Stopped, restarted, and without its sockets: jobs end meanwhile, and each line is in the journal or is counted as lost.

    systemd 252 closes the streams of a journald that it stops, so that lines are lost. From 254 on systemd keeps the streams
    open, and the next journald reads what was written meanwhile.
    """
    journald, sample = "systemd-journald.service", speech.SAMPLES / "english.flac"
    service.start()
    number = service.box.show(journald, "MainPID")
    service.box.do("kill", "-STOP", number)
    try:
        service.drop(sample, "one.flac")
        service.wait_status("1 done")
    finally:
        service.box.do("kill", "-CONT", number)
    service.box.do("systemctl", "restart", journald)
    service.drop(speech.SAMPLES / "thai.flac", "two.flac")
    wait_for(lambda: events(records(service, "STTD_JOB=2"))[-1:] == ["job-done"], "records come after a restart")
    service.box.run("systemctl", "stop", "systemd-journald.socket", "systemd-journald-dev-log.socket", journald)
    service.box.do("rm", "-f", "/run/systemd/journal/socket", "/run/systemd/journal/stdout")
    try:
        service.drop(speech.SAMPLES / "clip01.flac", "three.flac")
        service.wait_status("3 done")
    finally:
        service.box.do("systemctl", "start", "systemd-journald.socket", "systemd-journald-dev-log.socket", journald)
    service.box.do("systemctl", "kill", "-s", "HUP", "--kill-whom=main", "sttd")
    counted = re.search(
        r"\((\d+) earlier log lines could not be written", wait_event(service, Kind.CONFIG_LOADED)["MESSAGE"]
    )
    lost, wanted = int(counted[1]) if counted else 0, ("is queued", "starts", "is done")
    there = lambda: [word for word in wanted if f"job 3: three.flac {word}" in service.log()]  # noqa: E731
    wait_for(
        lambda: len(there()) + lost >= len(wanted), f"each line about job 3 is in the journal or among the {lost} lost"
    )
    assert service.show("NRestarts") == "0"


def test_a_service_that_cannot_start_says_why_as_an_error(service):
    service.box.write(service.config, "[pool]\nwrokers = 1\n")
    assert service.box.run("systemctl", "start", service.unit).returncode != 0
    found = service.box.do(
        "journalctl", f"--unit={service.unit}", f"--since=@{service.since}", "-p", "err", "-o", "cat"
    )
    assert "did you mean" in found

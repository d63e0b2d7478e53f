"""`/metrics` and `/healthz`: what monitors ask."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from sttd.fs.lock import Lock
from sttd.job import Identity, State
from sttd.ledger import LOCK, Ledger, facts, live
from tests.cli.conftest import failed, finished
from tests.web import NO_WEB

pytest.importorskip("starlette", reason=NO_WEB)

import yaml
from prometheus_client.parser import text_string_to_metric_families

NAME = "Gespräch mit <script>.mp3"
ALERTS = Path(__file__).parents[2] / "etc" / "sttd-alerts.yml"


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "state").mkdir()
    opened = Ledger.open(tmp_path / "state" / "ledger.db")
    yield opened
    opened.close()


@pytest.fixture
def daemon(tmp_path, ledger):
    """To everyone a daemon runs here; writes its live figures."""
    lock = Lock(tmp_path / "state" / LOCK, "the state folder")
    path = live.path_of(tmp_path / "state", {})
    ledger.set_fact(facts.DAEMON, {"pid": os.getpid(), "since": 1_000_000.0, "version": "0.1.0", "live": str(path)})
    usual = {"memory": {"percent": 42.0, "level": "normal"}, "workers": [], "trouble": [], "operations": []}

    def write(**figures):
        live.write(path, usual | figures)

    write()
    yield write
    lock.release()


def scraped(served) -> dict[tuple[str, ...], float]:
    """Values by name and label values; the answer is read by the library of those who invented the format."""
    answer = served.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        assert family.type in ("gauge", "counter", "info")
        for sample in family.samples:
            found[sample.name, *sample.labels.values()] = sample.value
    return found


def test_metrics_say_what_the_ledger_says_and_name_no_file(serve, ledger, daemon):
    served = serve()
    first = scraped(served)
    assert first["sttd_jobs", "done"] == first["sttd_jobs_ended_total", "done"] == 0
    finished(ledger, NAME, fallback_reason="timeout", warnings=("the file ends early",))
    failed(ledger, NAME)
    ledger.add(NAME, Identity(1, 1), time.time() - 100)
    daemon(
        workers=[{"pid": 1, "state": "busy", "job": 3, "source": NAME}, {"pid": 2, "state": "idle", "job": None}],
        memory={"percent": 91.0, "level": "high"}, trouble=[f"{NAME} cannot be read"],
        inbox={"ignored": {"tmp": 2, "txt": 1}, "settling": 4, "away": None},
    )  # fmt: skip
    found = scraped(served)
    assert {state: found["sttd_jobs", state] for state in State} == dict.fromkeys(State, 0) | {
        State.DONE: 1, State.FAILED: 1, State.QUEUED: 1,
    }  # fmt: skip
    expected = {
        ("sttd_jobs_ended_total", "done"): 1,
        ("sttd_jobs_ended_total", "failed"): 1,
        ("sttd_audio_seconds_total",): 754.2,
        ("sttd_jobs_done_wait_seconds_total",): 62,
        ("sttd_fallbacks_total",): 1,
        ("sttd_jobs_warned_total",): 1,
        ("sttd_workers", "busy"): 1,
        ("sttd_workers", "idle"): 1,
        ("sttd_memory_used_ratio",): 0.91,
        ("sttd_memory_level",): 2,
        ("sttd_daemon_running",): 1,
        ("sttd_daemon_start_time_seconds",): 1_000_000,
        ("sttd_info", "0.1.0"): 1,
        ("sttd_healthy",): 0,
        ("sttd_troubles",): 1,
        ("sttd_inbox_ignored_files",): 3,
        ("sttd_inbox_settling_files",): 4,
        ("sttd_ledger_readable",): 1,
    }
    assert {name: found[name] for name in expected} == expected
    assert 100 <= found["sttd_queue_longest_wait_seconds",] < 100_000
    assert not [name for name in found if "script" in str(name)]
    assert scraped(served)["sttd_jobs_ended_total", "done"] == 1


def test_names_are_as_monitors_want_them_and_the_alert_rules_use_them(serve, ledger, daemon):
    """The rules of `promtool check metrics`: `_total` for counters and for nothing else, base units, no type in the name."""
    served = serve()
    text = served.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert {name for name, kind in kinds.items() if name.endswith("_total")} == {
        name for name, kind in kinds.items() if kind == "counter"
    }
    for name in kinds:
        assert re.fullmatch(r"(sttd|process)_[a-z_]+", name)
        assert not re.search(r"_(milliseconds|ms|minutes|hours|percent|kilobytes|gauge|counter)(_|$)", name)
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"]
    named = {name for rule in group["rules"] for name in re.findall(r"\bsttd_[a-z_]+", rule["expr"])}
    assert len(named) > 8
    assert named <= {name for name, *_ in scraped(served)}
    other = served.get("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"})
    assert other.headers["content-type"].startswith("application/openmetrics-text")
    assert other.text.endswith("# EOF\n")


def test_a_job_is_counted_at_each_of_its_ends_and_its_attempts_once(serve, ledger, daemon):
    """Also where it was added and ended between two looks, and where a retry opens it again."""
    served = serve()
    old = failed(ledger, "old.mp3")  # before anybody looked
    scraped(served)

    def attempt(job, number, cause):
        job = ledger.update(job, state=State.RUNNING, attempt=number)
        ledger.begin_attempt(job, 1.0)
        ledger.end_attempt(job, 2.0, cause, None, 1)
        return ledger.update(job, state=State.QUEUED) if cause == "timeout" else job

    job = attempt(attempt(ledger.add(NAME, Identity(1, 1), 1.0), 1, "timeout"), 2, "crash")
    job = ledger.update(job, state=State.FAILED, attempts=2, service=10.0, finished_at=3.0)
    found = scraped(served)
    assert found["sttd_jobs_ended_total", "failed"] == 1
    assert found["sttd_attempts_failed_total", "timeout"] == found["sttd_attempts_failed_total", "crash"] == 1
    assert found["sttd_worker_seconds_total",] == 10
    job = ledger.update(job, state=State.QUEUED)
    scraped(served)
    job = attempt(job, 3, "gpu memory")
    ledger.update(job, state=State.FAILED, attempts=3, service=15.0, finished_at=4.0)
    ledger.update(ledger.update(old, state=State.QUEUED), state=State.CANCELLED, finished_at=4.0)
    found = scraped(served)
    assert found["sttd_jobs_ended_total", "failed"] == 2
    assert found["sttd_attempts_failed_total", "timeout"] == found["sttd_attempts_failed_total", "gpu_memory"] == 1
    assert found["sttd_worker_seconds_total",] == 15


def test_without_a_ledger_and_without_a_daemon_there_are_metrics(serve):
    found = scraped(serve())
    assert (found["sttd_ledger_readable",], found["sttd_daemon_running",]) == (0, 0)
    assert found["process_start_time_seconds",] > 0


def test_health_is_that_of_status_and_names_nothing(serve, ledger, daemon):
    served = serve()

    def health():
        answer = served.ask("GET", "/healthz")
        assert NAME not in answer.text
        return answer.status, answer.json()["status"]

    assert health() == (200, "ok")
    daemon(trouble=[f"{NAME} cannot be read"])
    assert health() == (503, "held up")
    daemon(operations=[{"name": f"copies {NAME}", "job": 1, "since": time.time() - 10}])
    assert health() == (200, "ok")
    daemon(operations=[{"name": f"copies {NAME}", "job": 1, "since": time.time() - 1000}])
    assert health() == (503, "held up")


def test_health_without_a_daemon_and_with_a_ledger_that_is_none(serve, tmp_path):
    served = serve()
    assert served.ask("GET", "/healthz").json()["status"] == "not running"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.db").write_bytes(b"x" * 10_000)
    answer = served.ask("GET", "/healthz")
    assert (answer.status, answer.json()["status"]) == (503, "ledger not readable")
    found = scraped(served)
    assert (found["sttd_ledger_readable",], found.get(("sttd_daemon_running",))) == (0, None)

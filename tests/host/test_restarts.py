"""The wait before a start that follows on one that failed."""

from __future__ import annotations

import os

import pytest

from sttd.host.restarts import FILE, LONGEST, SOUND, Starts, following, reset, wait_turn
from sttd.host.sd_notify import Notifier


def test_the_wait_doubles_from_failure_to_failure_up_to_its_limit():
    starts, now, waits = None, 100.0, []
    for _ in range(12):
        starts, wait = following(starts, now)
        waits.append(wait)
        now += wait + 1
    assert waits == [0, 0, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST, LONGEST]


def test_a_daemon_that_ran_for_long_starts_the_count_anew():
    """The wait itself does not count as time that it ran."""
    assert following(Starts(7, 1000.0), 1000.0 + SOUND) == (Starts(1, 1000.0 + SOUND), 0.0)
    assert following(Starts(7, 1000.0), 999.0 + SOUND)[1] > 0


@pytest.fixture
def service(tmp_path):
    """What systemd gives a service."""
    return {"RUNTIME_DIRECTORY": str(tmp_path), "NOTIFY_SOCKET": "@nobody-listens"}


@pytest.mark.parametrize("torn", ["", "[1", "[1, 2, 3]", '{"a": 1}', "\x00"])
def test_a_file_that_is_torn_is_no_reason_not_to_start(service, tmp_path, torn):
    (tmp_path / FILE).write_text(torn)
    wait_turn(Notifier({}), service, sleep=pytest.fail)
    assert (tmp_path / FILE).read_text().startswith("[0, ")


def test_a_start_waits_its_turn_and_a_stop_takes_the_count_back(service, tmp_path):
    waited: list[float] = []
    for _ in range(4):
        wait_turn(Notifier({}), service, sleep=waited.append)
    assert waited == [2.0, 4.0]
    reset(service)
    wait_turn(Notifier({}), service, sleep=pytest.fail)


def test_without_systemd_nothing_is_counted(tmp_path):
    wait_turn(Notifier({}), {"RUNTIME_DIRECTORY": str(tmp_path)}, sleep=pytest.fail)
    assert os.listdir(tmp_path) == []

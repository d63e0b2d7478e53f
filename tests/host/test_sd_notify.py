"""What arrives at systemd's socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from sttd.host.sd_notify import Notifier, watchdog_interval
from tests.harness import PATIENCE


@pytest.fixture
def manager(tmp_path):
    """A socket as systemd has one, and the environment that names it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "notify"))
        server.settimeout(PATIENCE)
        yield server, {"NOTIFY_SOCKET": str(tmp_path / "notify")}


@pytest.fixture
def told(manager, monkeypatch):
    server, environ = manager
    monkeypatch.setenv("NOTIFY_SOCKET", environ["NOTIFY_SOCKET"])
    return lambda: server.recv(8192)


def test_each_sign_of_life_is_what_sd_notify_names_it(told):
    notifier = Notifier()
    notifier.ready()
    assert told() == b"READY=1"
    notifier.stopping()
    assert told() == b"STOPPING=1"
    notifier.extend_timeout(30)
    assert told() == b"EXTEND_TIMEOUT_USEC=30000000"
    notifier.reloading()
    first, second = told().split(b"\n")
    assert first == b"RELOADING=1"
    assert second.startswith(b"MONOTONIC_USEC=")
    assert int(second.partition(b"=")[2]) > 0


def test_a_status_with_thai_text_arrives_in_utf_8(told):
    Notifier().status("1 running (สวัสดี 🎙.m4a)")
    assert told() == "STATUS=1 running (สวัสดี 🎙.m4a)".encode()


def test_a_status_cannot_forge_another_field(told):
    Notifier().status("file\nREADY=1\x85WATCHDOG=trigger")
    assert b"\n" not in told()


def test_undecodable_bytes_in_a_status_are_escaped(told):
    Notifier().status("bad \udcff name")
    assert told() == rb"STATUS=bad \udcff name"


def test_a_long_status_is_cut_between_characters_and_below_what_systemd_takes(told):
    Notifier().status("ก" * 5000)
    line = told()
    assert 3000 < len(line) < 4096
    assert set(line.decode()[7:]) == {"ก"}


def test_outside_systemd_nothing_happens_and_no_socket_is_opened(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    before = set(os.listdir("/proc/self/fd"))
    notifier = Notifier()
    for tell in (notifier.ready, notifier.stopping, notifier.reloading, notifier.watchdog):
        tell()
    notifier.status("x")
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_manager_that_is_gone_stops_nothing(manager, monkeypatch):
    server, environ = manager
    monkeypatch.setenv("NOTIFY_SOCKET", environ["NOTIFY_SOCKET"])
    notifier = Notifier()
    server.close()
    notifier.ready()
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/notify")
    Notifier().ready()


def test_the_watchdog_is_fed_often_enough_and_no_oftener(told, manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    now = [1000.0]
    notifier = Notifier(clock=lambda: now[0])
    assert notifier.watchdog_interval == 60.0
    for _ in range(60):
        notifier.watchdog()
        now[0] += 1.0
    manager[0].setblocking(False)
    fed = 0
    while True:
        try:
            assert told() == b"WATCHDOG=1"
        except BlockingIOError:
            break
        fed += 1
    assert fed == 4


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "2000000"}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_for_the_process_that_systemd_means(environ, interval):
    assert watchdog_interval(environ, 7) == interval


def test_the_environment_that_is_passed_in_is_the_one_that_counts(manager):
    """A child whose NOTIFY_SOCKET points at the socket speaks to it; one without is silent."""
    server, environ = manager
    code = "from sttd.host.sd_notify import Notifier; Notifier().ready()"
    subprocess.run([sys.executable, "-c", code], env=os.environ | environ, check=True)
    assert server.recv(100) == b"READY=1"

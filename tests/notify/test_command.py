"""Commands, as real processes."""

from __future__ import annotations

import json
import os
import time

import psutil
import pytest

from sttd.config import Receiver
from sttd.notify import command
from sttd.notify.errors import CutOff, NotTold
from tests.harness import PATIENCE, wait_for

BODY = b'{"type": "test"}'


@pytest.fixture
def halt():
    handle = os.eventfd(0)
    yield handle
    os.close(handle)


def told(halt: int, script: str, *words: str, timeout: float = PATIENCE, body: bytes = BODY) -> str:
    receiver = Receiver("r", command=("/bin/sh", "-c", script, "x", *words), timeout=timeout)
    return command.run(receiver, "sttd-1-test", "test", body, halt)


def test_it_reads_the_notice_and_no_shell_reads_its_arguments(halt, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    script = 'cat; echo; echo "$1 $STTD_EVENT $STTD_EVENT_ID $NOTIFY_SOCKET|"; pwd'
    lines = told(halt, script, "$(id); 'a b'").splitlines()
    assert json.loads(lines[0]) == {"type": "test"}
    assert lines[1:] == ["$(id); 'a b' test sttd-1-test |", "/"]


def test_a_large_notice_that_it_does_not_read_holds_nobody_up(halt):
    assert told(halt, "true", body=b"x" * 2**20) == ""


def test_its_output_is_bounded_and_an_end_with_an_error_is_told(halt):
    with pytest.raises(NotTold) as error:
        told(halt, "head -c 300000 /dev/zero | tr '\\0' 'z'; exit 3")
    assert (str(error.value), error.value.said) == ("exit code 3", "z" * command.MOST)
    with pytest.raises(NotTold, match="it was ended by SIGKILL"):
        told(halt, "kill -9 $$")
    with pytest.raises(NotTold, match="it was ended by signal 40"):  # a real-time signal, which has no name
        told(halt, "kill -40 $$")
    with pytest.raises(NotTold, match="it cannot be started: No such file"):
        command.run(Receiver("r", command=("/nowhere/x",)), "i", "test", BODY, halt)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_one_that_takes_too_long_is_ended_with_all_that_it_started(halt, tmp_path):
    """It ignores SIGTERM, and so does its child, which holds its output open."""
    with pytest.raises(NotTold) as error:
        told(halt, f"trap '' TERM; sleep 1000 & echo $! > {tmp_path}/pid; echo so far; wait; wait", timeout=1.0)
    assert (str(error.value), error.value.said) == ("it took more than 1 s and was ended", "so far")
    wait_for(lambda: gone(int((tmp_path / "pid").read_text())), "the child has ended")


def test_what_it_leaves_behind_is_ended_and_not_waited_for(halt, tmp_path):
    assert told(halt, f"sleep 1000 & echo $! > {tmp_path}/pid; echo done") == "done"
    wait_for(lambda: gone(int((tmp_path / "pid").read_text())), "the child has ended")


def test_the_end_of_the_notifier_ends_it(halt, tmp_path):
    import threading

    def end() -> None:
        wait_for((tmp_path / "begun").exists, "it has begun")
        os.eventfd_write(halt, 1)

    thread = threading.Thread(target=end)
    thread.start()
    begun = time.monotonic()
    with pytest.raises(CutOff):
        told(halt, f"touch {tmp_path}/begun; sleep 1000")
    thread.join()
    assert time.monotonic() - begun < PATIENCE

"""`/healthz` with a daemon that hangs: a real one, which is stopped, or whose loop stands still."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import pytest

from tests.harness import Daemon, wait_for
from tests.web import NO_WEB

pytest.importorskip("starlette", reason=NO_WEB)

MODULE = "tests.web.impatient"


class Stoppable(Daemon):
    def command(self, *words: str) -> list[str]:
        return [MODULE if word == "sttd" else word for word in super().command(*words)]


@contextlib.contextmanager
def stopped(daemon):
    """As by SIGSTOP, a debugger, or a cgroup that is frozen."""
    daemon.process.send_signal(signal.SIGSTOP)
    yield
    daemon.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def stuck(daemon):
    """The process lives, and its other threads do."""
    (daemon.root / "stuck").touch()
    yield
    (daemon.root / "stuck").unlink()


@pytest.fixture
def daemon(tmp_path):
    made = Stoppable(tmp_path).start()
    yield made
    (tmp_path / "stuck").unlink(missing_ok=True)
    made.process.send_signal(signal.SIGCONT)
    made.stop()


@pytest.mark.parametrize("hang", [stuck, pytest.param(stopped, marks=pytest.mark.ci)])
def test_health_fails_while_the_daemon_hangs_and_is_good_again_after(serve, daemon, hang):
    """In a sentence; `sttd status` and the metrics say the same, and a watcher sees no change each second."""
    served = serve(module=MODULE)

    def health() -> tuple[int, str]:
        answer = served.ask("GET", "/healthz")
        return answer.status, answer.json()["status"]

    wait_for(lambda: health() == (200, "ok"), "it is healthy")
    with hang(daemon):
        wait_for(lambda: health() == (503, "hangs"), "it is seen to hang")
        said = served.ask("GET", "/healthz").json()["detail"]
        assert said.startswith("the daemon has given no sign of life for ")
        assert said.endswith("it hangs, or somebody has stopped it: restart it")
        status = daemon.sttd("status", "--json")
        assert (status.returncode, said[:30] in status.stdout) == (1, True)
        assert "sttd_healthy 0.0" in served.get("/metrics").text
    wait_for(lambda: health() == (200, "ok"), "it is healthy again")


def test_a_daemon_that_hangs_in_its_first_round_is_seen_to_hang(serve, tmp_path, request):
    """The ledger says that it runs: with no sign of life before that round, it would count as healthy for ever."""
    (tmp_path / "stuck").touch()
    request.getfixturevalue("daemon")
    served = serve(module=MODULE)
    wait_for(lambda: served.ask("GET", "/healthz").json()["status"] == "hangs", "it is seen to hang")


def test_the_sign_of_life_writes_nothing(daemon):
    """The file stays empty and unchanged, so that a disk can sleep."""
    pulse = daemon.state / "pulse"
    daemon.wait_log("watches")
    before = pulse.stat()
    beats: set[str] = set()  # seconds of the kernel's clock, as the daemon locked them

    def beat() -> bool:
        lines = Path("/proc/locks").read_text().splitlines()
        beats.update(line.split()[7] for line in lines if f":{before.st_ino} " in line)
        return len(beats) >= 3

    wait_for(beat, "it has given three signs of life")
    after = pulse.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == (0, before.st_mtime_ns, before.st_ctime_ns)

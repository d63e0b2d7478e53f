"""What all tests share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from loguru import logger

from tests.harness import Daemon

pytest_plugins = ["tests.skips"]
# before numpy is imported, here and in what is started here. In a worker it is so by itself (sttd/worker/__init__.py)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# a shell's `pytest &` is started with SIGINT ignored, and so would be all that is started here, to be interrupted
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# scripts in processes of their own find this checkout, and the tests' own modules
os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)

# the same examples each time, and no clock: what fails, fails for everybody. HYPOTHESIS_PROFILE=ci tries twice as many, and
# =thorough looks for more
_CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
_SAME = settings(derandomize=True, deadline=None, database=None, suppress_health_check=_CALM)
settings.register_profile("quick", _SAME, max_examples=50)
settings.register_profile("ci", _SAME, max_examples=100)
settings.register_profile(
    "thorough", max_examples=3000, stateful_step_count=80, deadline=None, print_blob=True, suppress_health_check=_CALM
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The 190,000 objects of the collected tests are no garbage: they are searched neither now nor again during the tests.

    A full collection took 0.1 s, and a child that was forked copied the pages of all of them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Daemons over `tmp_path`, ended with the test."""
    made: list[Daemon] = []

    def make(settings: dict[str, str] | None = None, *flags: str, root: Path = tmp_path) -> Daemon:
        daemon = Daemon(root, settings, *flags)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The lines that the log gets: level and message."""
    lines: list[str] = []
    number = logger.add(lambda message: lines.append(str(message)), format="{level} {message}")
    yield lines
    logger.remove(number)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a fifth of a process's time goes by in waiting for daemons, kills and deadlines."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a long test has measured, also where it ran in another process."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "figures" and report.when == "call":
                    terminalreporter.write_line(value)

"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.harness import Daemon

# scripts in processes of their own find this checkout, and the tests' own modules
os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)

# the same examples each time, and no clock: what fails, fails for everybody. HYPOTHESIS_PROFILE=thorough looks for more
_CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("ci", derandomize=True, deadline=None, database=None, suppress_health_check=_CALM)
settings.register_profile(
    "thorough", max_examples=3000, stateful_step_count=80, deadline=None, print_blob=True, suppress_health_check=_CALM
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


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

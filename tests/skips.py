"""`--no-skips`: a run in which a test was skipped has failed. A plugin of pytest, which tests/conftest.py brings."""

from __future__ import annotations

import pytest

from tests.real import NO_EXTRA, NO_SPEECH

# beginnings of reasons for a skip; the last three are of packages that may not be had for this Python or this system (Debian 12)
GIVEN = ("this kernel has no", "/dev/fuse: ", "the file system of the tests ", NO_EXTRA, NO_SPEECH, "no Podman 5 here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips", action="store_true", help="fail where a test is skipped: nothing that one needs is missing"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With --no-skips a run in which a test was skipped has failed. The summary names the test and the reason."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and exitstatus == pytest.ExitCode.OK and _skipped(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why --no-skips fails."""
    if terminalreporter.config.getoption("--no-skips") and _skipped(terminalreporter):
        terminalreporter.write_line("--no-skips: the skipped tests count as failed", red=True)


def _skipped(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    """The skipped tests that a package or a right would have let run; a kernel or a file system cannot be installed."""
    return [
        report for report in reporter.stats.get("skipped", ()) if not any(why in str(report.longrepr) for why in GIVEN)
    ]

"""Run the contract over each kind of worker, and print the table: `python -m tests.pool.contract [pytest's options]`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.pool.contract.kinds import KINDS

NAMES = [kind.name for kind in KINDS]


class Table:
    """A plugin that keeps the outcome of each case with each kind."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name, _, rest = report.nodeid.rpartition("::")[2].partition("[")
        words = rest.rstrip("]").split("-")
        kind = next((word for word in words if word in NAMES), None)
        if kind is None or (report.when != "call" and report.outcome == "passed"):
            return
        case = name.removeprefix("test_").replace("_", " ")
        row = self.outcomes.setdefault(case, {})
        if row.get(kind) != "failed":  # of several with different words
            row[kind] = report.outcome

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        width = max(map(len, self.outcomes), default=0)
        terminalreporter.section("contract")
        terminalreporter.write_line(f"{'case':{width}}  " + "  ".join(f"{name:8}" for name in NAMES))
        for case, row in sorted(self.outcomes.items()):
            terminalreporter.write_line(f"{case:{width}}  " + "  ".join(f"{row.get(name, '-'):8}" for name in NAMES))


if __name__ == "__main__":
    sys.exit(pytest.main([str(Path(__file__).parent), "-q", "-m", "", *sys.argv[1:]], [Table()]))

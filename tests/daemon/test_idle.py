"""A disk that would like to sleep: an idle daemon leaves it alone."""

from __future__ import annotations

import contextlib
import dataclasses

from sttd.config import Retention
from sttd.daemon.loop import TICK, Loop
from sttd.host.sd_notify import Notifier
from sttd.ledger import Ledger
from tests.harness import PATIENCE


class Inbox:
    """One in which nothing happens."""

    away = None
    ignored: dict[str, int] = {}  # noqa: RUF012 - of a stand-in
    examples: dict[str, str] = {}  # noqa: RUF012 - as above
    settling = 0

    def reasons(self):
        return {"": None}

    def expect(self, rels):
        """Nothing is waited for."""


def test_an_idle_daemon_writes_nothing_to_its_ledger_for_hours(stations, tmp_path):
    """With all that is due now and then: sweeps, looks at the memory, retention, the manifest."""
    context, inputs = stations
    now = 1000.0
    context.clock, context.inbox = lambda: now, Inbox()
    context.config = dataclasses.replace(
        context.config, retention=Retention(archive_age=86_400.0, failed_size=1.0, ledger_age=86_400.0)
    )
    for folder in ("archive", "failed", "transcripts"):
        (tmp_path / folder).mkdir()
    loop = Loop(context, inputs, Notifier({}))

    def live(hours: float) -> None:
        nonlocal now
        end = now + hours * 3600
        while now < end:
            loop._tick()
            while context.work.upkeep.under_way:
                inputs.get(timeout=PATIENCE).settle()
            now += 60 * TICK

    live(0.1)
    with contextlib.closing(Ledger.open_readonly(context.ledger.path)) as other:
        before = version(other)
        live(3)
        assert version(other) == before


def version(reader: Ledger) -> int:
    """A number that changes whenever another connection has written."""
    return reader._db.execute("PRAGMA data_version").fetchone()[0]

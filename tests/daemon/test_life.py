"""What the daemon tells of itself (sttd/daemon/life.py)."""

from __future__ import annotations

import dataclasses
import threading
from types import SimpleNamespace

import pytest

from sttd.daemon import whereabouts
from sttd.daemon.draining import is_drained, is_whole, outcome
from sttd.daemon.hung import Hung
from sttd.daemon.life import Life
from sttd.host.sd_notify import Notifier
from sttd.job import Identity
from sttd.view import figures
from tests.harness import wait_for

SECRET = "Kündigung Frau Meier.m4a"


@pytest.fixture
def life(stations):
    context, _ = stations
    return Life(context, Notifier({}), Hung(context))


def test_the_status_line_has_figures_and_no_name_of_a_recording(life, stations):
    """systemd shows it to every local user: no name, no path, no error that may quote one."""
    context, _ = stations
    context.ledger.add(SECRET, Identity(1, 1), 1.0)
    assert life.status() == "0 running, 1 queued, 0 done, 0 failed"
    context.troubles.begin("model", f"model 'x' cannot be loaded for {SECRET}", 60.0)
    context.troubles.begin_for(1, f"/srv/sttd/inbox/{SECRET}", f"job 1: {SECRET}: chmod g+w it")
    assert life.status().endswith("failed; held up (model, files): `sttd status` has the reason")
    assert SECRET in life.figures()["trouble"][1]
    context.config = dataclasses.replace(context.config, program="sttd --config /etc/sttd/phones.toml")
    assert "`sttd --config /etc/sttd/phones.toml status` has the reason" in life.status()


def test_file_work_that_takes_long_has_a_name_and_an_age(life, stations):
    """A hung archive, say. What is over within seconds is not worth a word."""
    context, _ = stations
    stuck = threading.Event()
    context.work.errands.post("moves a.mp3 to the archive", stuck.wait, lambda _: None, lambda _: None, 7)
    wait_for(context.work.operations, "a thread has it")
    assert life.figures()["operations"] == []
    began, context.clock, context.utc = context.clock(), lambda: began + 15.0, lambda: 1_000_015.0
    (operation,) = life.figures()["operations"]
    stuck.set()
    assert (operation["name"], operation["job"]) == ("moves a.mp3 to the archive", 7)
    assert abs(operation["since"] - 1_000_000) <= 2


def test_a_drain_that_leaves_jobs_does_not_say_that_all_is_done(stations):
    context, _ = stations
    assert outcome(context) == "every file has come to its end"
    context.ledger.add(SECRET, Identity(1, 1), 1.0)
    assert outcome(context) == "1 job waits for what is wrong with this machine"
    context.ledger.add("b.mp3", Identity(1, 1), 1.0)
    context.troubles.begin("model", "no model: 'small' is not here")
    assert outcome(context) == "2 jobs wait for what is wrong with this machine: no model: 'small' is not here"


class AwayInbox:
    """One on a share that is not mounted."""

    away: str | None = "/srv/inbox does not answer"

    def reasons(self) -> dict[str, str | None]:
        return {"": self.away}

    def restless(self) -> list[str]:
        return [""] if self.away else []


def test_a_drain_ends_with_1_where_the_inbox_stays_away(stations):
    """It waited for ever, with the state folder locked, for a share that nobody mounts."""
    context, _ = stations
    now = [0.0]
    context.clock, context.inbox = (lambda: now[0]), AwayInbox()
    whereabouts.look_after(context)
    now[0] += context.config.pool.machine_wait - 1
    assert not is_drained(context), "a share that is slow at the start"
    now[0] += 1
    assert is_drained(context)
    assert outcome(context) == "inbox away: /srv/inbox does not answer"
    assert not is_whole(context)
    context.inbox.away = None
    whereabouts.look_after(context)
    assert is_drained(context)
    assert is_whole(context)


def test_what_the_inbox_leaves_alone_is_told_after_the_daemons_end_too(life, stations):
    """After a drain nothing else says that there are files without a transcript, and why."""
    context, _ = stations
    left = {"suffix not in watch.suffixes: .xyz": 2}
    names = {"suffix not in watch.suffixes: .xyz": "movies//\udcff.xyz"}
    context.inbox = SimpleNamespace(ignored=left, examples=names, settling=0, away=None)
    life.tell()
    assert outcome(context) == (
        "every file has come to its end; left alone in the inbox: 2 (suffix not in watch.suffixes: .xyz)"
    )
    assert figures.status(context.ledger, running=False)["inbox"]["ignored"] == left
    assert figures.status(context.ledger, running=False)["inbox"]["examples"] == names
    context.inbox.ignored = context.inbox.examples = {}
    life.tell()
    assert figures.status(context.ledger, running=False)["inbox"]["ignored"] == {}

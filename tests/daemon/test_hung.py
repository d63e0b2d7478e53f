"""File work that does not come back is in the log, once, and so is its end."""

from __future__ import annotations

import hashlib
import threading
import time

from sttd import outbox
from sttd.daemon import folders
from sttd.daemon.draining import is_drained
from sttd.daemon.hung import TOLD, Hung
from sttd.daemon.life import Life
from sttd.host.sd_notify import Notifier
from sttd.view import figures
from tests.harness import PATIENCE, wait_for


def nothing(_: object) -> None: ...


def test_file_work_that_hangs_is_logged_once_and_once_when_it_is_over(stations, log):
    context, inputs = stations
    back = threading.Event()
    context.work.errands.post("puts the results of a.mp3 in place", back.wait, nothing, nothing)
    wait_for(context.work.operations, "it is under way")
    hung = Hung(context)
    hung.tell()
    assert log == [], "it has only just begun"
    context.clock = lambda: time.monotonic() + TOLD
    for _ in range(3):
        hung.tell()
    (line,) = log
    assert line.startswith("WARNING puts the results of a.mp3 in place: it has not moved on for 30s")
    back.set()
    inputs.get(timeout=PATIENCE).settle()
    for _ in range(3):
        hung.tell()
    assert [line.partition(" after ")[0] for line in log[1:]] == ["INFO over"]
    assert log[1].endswith(": puts the results of a.mp3 in place\n")


def test_a_large_file_whose_hashing_goes_on_for_minutes_is_no_line_in_the_log(stations, log):
    """A disk may be slow and a film large: that is no trouble, and would be two lines for each of them."""
    context, inputs = stations
    back, now = threading.Event(), time.monotonic()

    def reads() -> None:
        while not back.wait(0.001):
            hashlib.sha256(bytes(2**16))

    context.work.errands.post("reads film.mkv to compare its content", reads, nothing, nothing)
    (operation,) = wait_for(context.work.operations, "it is under way")
    hung = Hung(context)
    life = Life(context, Notifier({}), hung)
    for _ in range(30):
        context.clock = context.utc = lambda at=now: at
        hung.tell()
        status = figures.status(None, running=True) | {"operations": life.figures()["operations"]}
        assert figures.health(status, now) == 0
        spent = operation.spent()
        wait_for(lambda before=spent: operation.spent() > before, "it moves on")
        now += TOLD
    back.set()
    inputs.get(timeout=PATIENCE).settle()
    hung.tell()
    assert log == []


def test_a_folder_that_did_not_answer_at_the_start_is_looked_at_off_the_loop(stations, monkeypatch, log):
    """The status names what hangs, and the log has when it is over: the share is back."""
    context, inputs = stations
    back = threading.Event()
    monkeypatch.setattr(outbox, "make_folder", lambda folder: back.wait(PATIENCE))
    archive = str(context.config.paths.archive)
    context.work.silent = folders.wait_for([archive], inputs.put)
    (found,) = wait_for(context.work.operations, "it is under way")
    assert found.name == f"looks at {archive}, which did not answer at the start"
    context.clock = lambda: time.monotonic() + TOLD
    hung = Hung(context)
    hung.tell()
    back.set()
    inputs.get(timeout=PATIENCE).settle()
    hung.tell()
    assert [line.partition(" after ")[0] for line in log[1:]] == ["INFO over"]


def test_a_folder_that_never_answers_holds_up_neither_a_drain_nor_the_upkeep_nor_the_look_at_another(
    stations, monkeypatch
):
    context, inputs = stations
    back, done = threading.Event(), []
    monkeypatch.setattr(outbox, "make_folder", lambda folder: back.wait(PATIENCE))
    context.work.silent = folders.wait_for(
        [str(context.config.paths.archive), str(context.config.paths.failed)], inputs.put
    )
    wait_for(lambda: len(context.work.operations()) == 2, "both are named")
    assert is_drained(context)
    context.work.upkeep.post("looks for what is old", lambda: None, done.append, done.append)
    inputs.get(timeout=PATIENCE).settle()
    assert done == [None]
    back.set()

"""Who is told what again, when, and when no more."""

from __future__ import annotations

import os
import time

import pytest

from sttd.config import Receiver
from sttd.notify import place, schema, waits
from sttd.notify.notice import Notice
from sttd.notify.record import KEPT, Record
from sttd.notify.sender import Sender
from tests.harness import wait_for
from tests.notify.conftest import NOW


@pytest.fixture
def record(tmp_path):
    record = Record(tmp_path)
    yield record
    record.close()


@pytest.fixture
def senders(record):
    """Start threads for receivers; they end with the test."""
    halt, begun = os.eventfd(0), []

    def start(*receivers: Receiver) -> None:
        for receiver in receivers:
            begun.append(Sender(receiver, record, halt))
            begun[-1].start()

    yield start
    os.eventfd_write(halt, 1)
    for sender in begun:
        sender.end()
        sender.join()
    os.close(halt)


@pytest.fixture
def at_once(monkeypatch):
    """No wait between two tries."""
    monkeypatch.setattr(waits, "WAITS", (0.01,))


def notice(word: str, **fields) -> Notice:
    return Notice(word, "done", NOW, word, {"source": "secret name.mp3"}, **fields)


def states(record: Record, query: str = "SELECT receiver, state, tries FROM deliveries ORDER BY notice, receiver"):
    return record._db.execute(query).fetchall()


def settled(record: Record) -> None:
    wait_for(lambda: not record.counts()["waiting"], "nothing waits")


def test_waits_grow_and_a_notice_is_given_up_by_age_and_tries():
    assert [waits.wait(failures) for failures in range(1, 8)] == [5, 30, 120, 600, 1800, 1800, 1800]
    assert not waits.is_over(age=1e9, tries=2, give_up=1), "a clock that jumps drops nothing that was not tried"
    assert not waits.is_over(age=86399, tries=100, give_up=86400)
    assert waits.is_over(age=86400, tries=3, give_up=86400)


def test_a_receiver_that_hangs_holds_up_no_other(record, senders, hook, secret, tmp_path):
    hangs = Receiver("hangs", command=("/bin/sh", "-c", f"touch {tmp_path}/begun; sleep 1000"), timeout=1000.0)
    answers = Receiver("answers", webhook=hook.url, secret_file=str(secret))
    senders(hangs)
    record.store([notice("a"), notice("b")], [hangs, answers], NOW)
    senders(answers)
    wait_for(lambda: record.counts() == {"waiting": 2, "delivered": 2, "dropped": 0}, "the other was told")
    assert [body["text"] for body in hook.bodies()] == ["a", "b"]


def test_what_is_refused_is_told_again_with_the_same_id(record, senders, hook, secret, at_once):
    identities = []

    def refuse(handler) -> None:
        identities.append(handler.headers["webhook-id"])
        hook.answer = 204 if len(identities) == 3 else refuse
        handler.send_response(500)
        handler.end_headers()

    hook.answer = refuse
    receiver = Receiver("r", webhook=hook.url, secret_file=str(secret))
    record.store([notice("a")], [receiver], NOW)
    senders(receiver)
    settled(record)
    assert {*identities, *hook.ids()} == {f"sttd-{record._origin}-a"}
    assert states(record) == [("r", "delivered", 4)]


def test_one_notice_that_is_refused_for_ever_holds_up_no_other_and_is_dropped_with_a_line(
    record, senders, hook, secret, at_once, log
):
    def picky(handler) -> None:
        handler.send_response(400 if handler.headers["webhook-id"].endswith("-a") else 204)
        handler.end_headers()

    hook.answer = picky
    receiver = Receiver("r", webhook=hook.url, secret_file=str(secret), give_up=1e-6)
    record.store([notice("a", job=7, source="secret name.mp3"), notice("b")], [receiver], time.time())
    senders(receiver)
    settled(record)
    assert states(record) == [("r", "dropped", waits.FEWEST), ("r", "delivered", 1)]
    line = wait_for(lambda: next((line for line in log if "dropped" in line), None), "it is logged")
    assert line.startswith("ERROR r: job 7 done: dropped after 3 tries in")
    assert line.endswith("HTTP 400 Bad Request; 1 dropped in all\n")


def test_a_try_that_was_cut_off_is_made_again_and_that_is_said(record, senders, tmp_path, log):
    """As after kill -9: nobody knows whether the command did its work."""
    receiver = Receiver("r", command=("/bin/sh", "-c", f"echo $STTD_EVENT_ID >> {tmp_path}/told"))
    record.store([notice("a")], [receiver], NOW)
    delivery = record.next("r", NOW)
    record.begin(delivery, "r")
    senders(receiver)
    settled(record)
    assert (tmp_path / "told").read_text() == f"{delivery.identity}\n"
    assert any("a try was cut off, and whether it came is not known" in line for line in log), "before it is made"


def test_names_do_not_stay_when_nobody_is_to_be_told_any_more(record, senders, tmp_path):
    receivers = [Receiver(name, command=("/bin/true",)) for name in "ab"]
    record.store([notice("a", source="secret name.mp3", job=1)], receivers, NOW)
    path = tmp_path / place.NAME
    assert b"secret name" in path.read_bytes()
    senders(*receivers)
    settled(record)
    assert b"secret name" not in path.read_bytes()
    record.prune(NOW + KEPT - 1)
    assert len(states(record)) == 2
    record.prune(NOW + KEPT + 1)
    assert states(record) == states(record, "SELECT * FROM notices") == []


def test_what_a_receiver_was_to_be_told_that_is_gone_is_dropped(record):
    kept, gone = (Receiver(name, command=("/bin/true",)) for name in ("kept", "gone"))
    record.store([notice("a")], [kept, gone], NOW)
    assert record.drop_strangers([kept], NOW) == {"gone": 1}
    assert states(record) == [("gone", "dropped", 0), ("kept", "waiting", 0)]
    assert record.drop_strangers([kept], NOW) == {}


def test_a_clock_that_was_set_back_makes_nothing_wait_for_years(record):
    receiver = Receiver("r", command=("/bin/true",))
    record.store([notice("a")], [receiver], NOW)
    record.wait(record.next("r", NOW), "r", NOW, NOW + 5, "HTTP 500")
    assert record.next("r", NOW + 4) is None
    assert record.next("r", NOW / 2) is not None


def test_a_damaged_file_is_set_aside_and_the_notifier_begins_anew(tmp_path, log):
    (tmp_path / place.NAME).write_bytes(b"nonsense" * 1000)
    record = Record(tmp_path)
    assert record.place() is None
    record.close()
    assert len(list(tmp_path.glob("notify.db.damaged-*"))) == 1
    assert any("what was not told yet is told to nobody" in line for line in log)


def test_a_file_that_cannot_be_written_is_told_in_words(tmp_path):
    with pytest.raises(schema.NoRecord, match="Is the disk full, or the folder not writable"):
        Record(tmp_path / "nowhere")

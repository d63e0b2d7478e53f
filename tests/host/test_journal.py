"""What journald gets, read by a stand-in for it, and what happens while there is none."""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
import struct
import uuid
from pathlib import Path

import pytest
from loguru import logger

from sttd.host import log
from sttd.host.events import Kind, say
from sttd.job import Job
from tests.harness import PATIENCE


class Journald:
    """A datagram socket that takes records apart as systemd's "Native Journal Protocol" says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(str(path))

    def read(self) -> dict[str, bytes]:
        """The next record. A large one comes as a sealed file."""
        assert select.select([self.socket], [], [], PATIENCE)[0], "no record came"
        data, ancillary, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        for level, kind, what in ancillary:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            with open(array.array("i", what)[0], "rb") as file:
                file.seek(0)
                data = file.read()
        return take_apart(data)

    def fill(self) -> None:
        """It stands still, and its queue is full."""
        with contextlib.ExitStack() as senders:
            sent = 1
            while sent:  # one sender alone is stopped by its own buffer before that
                sender = senders.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                sender.setblocking(False)
                sender.connect(str(self.path))
                sent = 0
                with contextlib.suppress(BlockingIOError):
                    while sender.send(b"MESSAGE=full"):
                        sent += 1

    def empty(self) -> None:
        """It moves again, and has read all that there was."""
        with contextlib.suppress(BlockingIOError):
            while self.socket.recv(100):
                pass

    def close(self) -> None:
        self.socket.close()
        self.path.unlink()


def take_apart(data: bytes) -> dict[str, bytes]:
    fields: dict[str, bytes] = {}
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", data[:8])
            value, end, data = data[8 : 8 + length], data[8 + length : 9 + length], data[9 + length :]
            assert end == b"\n"
        assert name.decode() not in fields
        fields[name.decode()] = value
    return fields


class Stream:
    """Standard error as systemd opens it."""

    def __init__(self) -> None:
        self.socket, self.writer = socket.socketpair()
        self.socket.setblocking(False)
        seen = os.fstat(self.writer.fileno())
        self.environ = {"JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino}"}

    def lines(self) -> list[str]:
        return self.take().decode().splitlines()

    def take(self) -> bytes:
        """All that was written."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            while more := self.socket.recv(1 << 20):
                data += more
        return data

    def close(self) -> None:
        self.socket.close()
        self.writer.close()


@pytest.fixture
def journald(tmp_path):
    server = Journald(tmp_path / "socket")
    yield server
    server.socket.close()


@pytest.fixture
def stream(tmp_path):
    """The log goes to the stand-in, or to this stream where that cannot be."""
    opened = Stream()
    log.setup("DEBUG", opened.writer.fileno(), opened.environ, tmp_path / "socket")
    yield opened
    logger.remove()
    opened.close()


def test_a_record_has_its_fields_and_is_nowhere_else(journald, stream):
    job = Job(7, "talks/a.wav", 100, 5)
    say(
        Kind.JOB_TIMEOUT,
        "⏰ Job timed out after 3 seconds",
        job,
        worker=4711,
        seconds=3.0,
        percent=80.00049,
        cause=None,
    )
    record = journald.read()
    assert record.pop("CODE_FILE").decode() == __file__
    assert record.pop("CODE_FUNC") == b"test_a_record_has_its_fields_and_is_nowhere_else"
    assert int(record.pop("CODE_LINE")) > 0
    assert record == {
        "MESSAGE": "⏰ Job timed out after 3 seconds".encode(),
        "MESSAGE_ID": b"5fa952528168430da565b3f11363a708",
        "PRIORITY": b"3",
        "SYSLOG_IDENTIFIER": b"sttd",
        "STTD_EVENT": b"job-timeout",
        "STTD_JOB": b"7",
        "STTD_SOURCE": b"talks/a.wav",
        "STTD_WORKER": b"4711",
        "STTD_SECONDS": b"3",
        "STTD_PERCENT": b"80.0",
    }
    assert stream.lines() == []


@pytest.mark.parametrize(
    ("level", "number"),
    [("DEBUG", b"7"), ("INFO", b"6"), ("SUCCESS", b"5"), ("WARNING", b"4"), ("ERROR", b"3"), ("CRITICAL", b"2")],
)
def test_a_level_is_the_priority_that_systemd_has_for_it(journald, stream, level, number):
    logger.log(level, "hello")
    assert journald.read()["PRIORITY"] == number


def test_what_is_no_event_has_no_message_id(journald, stream):
    logger.warning("by the way")
    assert not {name for name in journald.read() if name.startswith(("STTD_", "MESSAGE_"))}


@pytest.mark.parametrize(
    "name", [b"a\nPRIORITY=0\nSTTD_JOB=1\n.wav", b"\xff\xfe\x80.wav", "สวัสดี 🎙 \\u202e.wav".encode(), b"\x1b[2J=\r\x00"]
)
def test_a_name_forges_no_field_and_is_kept_in_its_own_bytes(journald, stream, name):
    say(Kind.JOB_QUEUED, f"{os.fsdecode(name)} is queued", Job(3, os.fsdecode(name), 1, 1), error=os.fsdecode(name))
    record = journald.read()
    assert record["STTD_SOURCE"] == name
    assert (record["PRIORITY"], record["STTD_JOB"]) == (b"6", b"3")
    assert "STTD_ERROR" in record
    message = record["MESSAGE"].decode()
    assert message.endswith(" is queued")
    assert not {"\n", "\r", "\x1b", "\x00"} & set(message)


def test_a_record_of_any_size_arrives(journald, stream):
    """Larger than a datagram may be: it is handed over as a sealed file."""
    say(Kind.REMARK, "x" * 5_000_000)
    assert journald.read()["MESSAGE"] == b"x" * 5_000_000


def test_without_journald_a_record_is_a_line_with_its_priority(stream):
    say(Kind.JOB_FAILED, "job 3: a\nb failed", Job(3, "a\nb", 1, 1))
    assert stream.lines() == [r"<3>job 3: a\nb failed"]


def test_a_journald_that_comes_back_gets_the_next_record(journald, stream, tmp_path):
    """Restarted with a new socket: the old connection is dead."""
    logger.info("before")
    assert journald.read()["MESSAGE"] == b"before"
    journald.close()
    logger.info("between")
    assert stream.lines() == ["<6>between"]
    again = Journald(tmp_path / "socket")
    logger.info("after")
    assert again.read()["MESSAGE"] == b"after"
    again.close()
    Journald(tmp_path / "socket").socket.close()  # nobody listens at what is left of it
    logger.info("gone")
    assert stream.lines() == ["<6>gone"]


def test_one_socket_replaced_by_another_loses_nothing(journald, stream, tmp_path):
    logger.info("before")
    journald.close()
    again = Journald(tmp_path / "socket")
    logger.info("after")
    assert again.read()["MESSAGE"] == b"after"
    assert stream.lines() == []
    again.close()


def test_a_new_socket_whose_queue_is_full_is_not_waited_for_either(journald, stream, tmp_path):
    logger.info("before")
    journald.close()
    again = Journald(tmp_path / "socket")
    again.fill()
    logger.info("after")
    assert stream.lines() == ["<6>after"]
    again.close()


def test_a_journald_that_stands_still_is_waited_for_once(journald, stream):
    """A thousand records with a wait each would be minutes: past this test's time, and the bite of the watchdog."""
    journald.fill()
    for number in range(1000):
        logger.info("record {}", number)
    assert stream.lines()[0] == "<6>record 0"
    journald.empty()
    logger.info("it moves again")
    assert journald.read()["MESSAGE"].startswith(b"it moves again")


def test_lines_that_nobody_takes_are_counted_and_told_of(journald, stream):
    """journald reads standard error too: while it stands still, that fills up as well, and must not be waited for."""
    journald.fill()
    for _ in range(200):
        logger.info("y" * 10_000)
    written = stream.take().count(b"\n")
    assert written < 200
    journald.empty()
    logger.info("it moves again")
    assert (
        journald.read()["MESSAGE"]
        == f"it moves again ({200 - written} earlier log lines could not be written)".encode()
    )


def test_a_line_that_was_cut_does_not_run_into_the_next(stream):
    """The stream took the beginning of a line: what follows begins a new one."""
    stream.writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    logger.info("z" * 1_000_000)
    cut = stream.take()
    assert cut.startswith(b"<6>zzz")
    assert b"\n" not in cut
    logger.info("next")
    assert stream.lines() == ["", "<6>next (1 earlier log lines could not be written)"]


def test_a_sink_that_is_replaced_leaves_no_descriptor_open(journald, stream, tmp_path):
    logger.info("connected")
    open_before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        log.setup("DEBUG", stream.writer.fileno(), stream.environ, tmp_path / "socket")
        logger.info("connected")
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_every_kind_of_event_has_a_word_and_an_identifier_of_its_own():
    kinds = list(Kind)
    assert len({kind.word for kind in kinds}) == len({kind.message_id for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert uuid.UUID(kind.message_id).version == 4
        assert uuid.UUID(kind.message_id).hex == kind.message_id


def test_what_a_newer_worker_says_is_a_remark():
    assert Kind.of("model-timeout") is Kind.MODEL_TIMEOUT
    assert Kind.of("levitation") is Kind.REMARK

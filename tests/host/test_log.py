"""What lies in the file, on the terminal and in the journal's stream after something was logged."""

from __future__ import annotations

import logging
import os
import pty
import re
import select
import socket

import pytest
from loguru import logger

from sttd.host import log


@pytest.fixture(autouse=True)
def _restore():
    handlers = logging.root.handlers[:]
    yield
    logger.remove()
    logging.root.handlers[:] = handlers


@pytest.fixture
def pipe():
    """A stream from one end to the other: a socket, as systemd's to the journal is one."""
    reader, writer = socket.socketpair()
    with reader, writer:
        yield reader.fileno(), writer.fileno()


def test_a_plain_line_has_time_level_and_text(pipe):
    log.setup("INFO", pipe[1], {})
    logger.info("job {} starts", 7)
    line = os.read(pipe[0], 1000).decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO     job 7 starts\n", line)
    assert "\x1b" not in line


def test_what_is_below_the_level_is_not_written(pipe):
    log.setup("WARNING", pipe[1], {})
    logger.info("no")
    logger.error("yes")
    assert os.read(pipe[0], 1000).decode().splitlines()[0].endswith("yes")


def test_setup_again_replaces_the_sink(pipe):
    log.setup("INFO", pipe[1], {})
    log.setup("INFO", pipe[1], {})
    logger.info("once")
    assert os.read(pipe[0], 1000).count(b"once") == 1


def test_a_redirected_stream_is_not_the_journal(pipe):
    """`JOURNAL_STREAM` is inherited by a shell whose output goes elsewhere: that gets plain lines."""
    log.setup("INFO", pipe[1], {"JOURNAL_STREAM": "8:12345"})
    logger.info("hello")
    assert os.read(pipe[0], 1000)[20:] == b"INFO     hello\n"


def test_one_event_is_one_line_whatever_is_in_it(pipe):
    log.setup("INFO", pipe[1], {})
    logger.info("name {}", "a\n<2>forged\r\x1b[31m\u2028\x85\udcff สวัสดี 🎙 \\ end")
    line = os.read(pipe[0], 1000).decode()
    assert [each[20:] for each in line.splitlines()] == [
        r"INFO     name a\n<2>forged\r\x1b[31m\u2028\x85\udcff สวัสดี 🎙 \ end"
    ]


def test_braces_and_markup_in_a_name_are_only_text(pipe):
    log.setup("INFO", pipe[1], {})
    logger.info("name {}", "{0} <red>x</red> {level}")
    assert os.read(pipe[0], 1000)[20:] == b"INFO     name {0} <red>x</red> {level}\n"


def test_a_traceback_is_in_the_same_line_without_the_values_of_variables(pipe):
    log.setup("INFO", pipe[1], {})
    secret = "hunter2"
    try:
        len(secret) / 0
    except ZeroDivisionError:
        logger.exception("boom")
    text = os.read(pipe[0], 10_000).decode()
    assert text.count("\n") == 1
    assert text[20:].startswith("ERROR    boom: Traceback")
    assert "ZeroDivisionError" in text
    assert secret not in text


def test_a_full_disk_kills_nothing_and_is_told_of_later(pipe):
    reader, writer = pipe
    with open("/dev/full", "wb", buffering=0) as file:
        log.setup("INFO", file.fileno(), {})
        logger.info("lost")
        logger.info("lost too")
        os.dup2(writer, file.fileno())
        logger.info("here again")
        logger.info("all well")
    lines = os.read(reader, 1000).decode().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("here again (2 earlier log lines could not be written)")
    assert lines[1].endswith("all well")


def test_a_reader_that_is_gone_kills_nothing():
    reader, writer = os.pipe()
    with open(writer, "wb", buffering=0):
        log.setup("INFO", writer, {})
        os.close(reader)
        logger.info("lost")


def test_a_terminal_gets_colours_unless_it_is_told_not_to():
    leader, follower = pty.openpty()
    try:
        for environ, coloured in (({"TERM": "xterm"}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            log.setup("INFO", follower, environ)
            logger.warning("look")
            assert select.select([leader], [], [], 5)[0]
            assert (b"\x1b[33m" in os.read(leader, 1000)) is coloured
    finally:
        os.close(leader)
        os.close(follower)


def test_what_libraries_say_is_our_line(pipe):
    """With its time and level, on one line; what watchdog says of itself is for those who look for faults."""
    log.setup("INFO", pipe[1], {})
    logging.getLogger("a.library").warning("odd name %s", "a\nb")
    logging.getLogger("watchdog.observers.inotify").error("called when the thread is inactive")
    (line,) = os.read(pipe[0], 1000).decode().splitlines()
    assert line[20:] == "WARNING  a.library: odd name a\\x0ab"


def test_a_librarys_own_level_and_arguments_that_do_not_fit_end_nothing(pipe):
    log.setup("INFO", pipe[1], {})
    logging.addLevelName(35, "NOTICE OF ITS OWN")
    logging.getLogger("a.library").log(35, "odd")
    logging.getLogger("a.library").warning("%d of them", "many")
    first, second = os.read(pipe[0], 1000).decode().splitlines()
    assert first.endswith("a.library: odd")
    assert second.endswith("WARNING  a.library: %d of them ('many',)")

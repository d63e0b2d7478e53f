"""Requests that arrive by half, answers that nobody takes, and the end of the server."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import struct
import subprocess
import sys

import pytest

from tests.harness import PATIENCE, wait_for
from tests.web import NO_WEB
from tests.web.served import Served

pytest.importorskip("starlette", reason=NO_WEB)

from sttd.web.connection import LEAST, MOST, STALL, is_too_slow

HASTY = "tests.web.hasty"  # its limits are tenths of a second


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    served = Served(tmp_path_factory.mktemp("root"), module=HASTY)
    yield served
    served.close()


def head(served: Served, line: str, *more: str) -> bytes:
    return "\r\n".join([line, "Host: 127.0.0.1", f"Authorization: Bearer {served.token}", *more, "", ""]).encode()


def rest(connection: socket.socket) -> bytes:
    """All that is sent until the other side ends the connection, well or not."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(2**16):
            found += part
    return found


def answered(connection: socket.socket) -> bytes:
    """The next answer with a Content-Length."""
    found = b""
    while b"\r\n\r\n" not in found:
        part = connection.recv(1)
        assert part, found
        found += part
    (length,) = (int(line[15:]) for line in found.splitlines() if line.lower().startswith(b"content-length:"))
    while length > 0:
        part = connection.recv(length)
        found, length = found + part, length - len(part)
    return found


@pytest.mark.parametrize(
    "start", [b"", b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 9000]
)
def test_a_head_that_does_not_end_ends_its_connection(hasty, start):
    with hasty.connection() as connection:
        connection.sendall(start)
        assert rest(connection) == b""


def test_a_head_that_drips_has_no_longer_than_one_that_stops(hasty):
    """Each byte more is no new beginning."""
    with hasty.connection() as connection, contextlib.suppress(ConnectionError):
        connection.settimeout(0.05)
        for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000:
            connection.sendall(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                assert connection.recv(1) == b""
                return
    # a reset while a byte was sent is an end as well


def test_the_second_request_of_a_connection_has_to_end_too(hasty):
    with hasty.connection() as connection:
        connection.sendall(head(hasty, "GET /nothing HTTP/1.1"))
        assert answered(connection).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"GET /nothing HT")
        assert rest(connection) == b""


def test_a_client_that_resets_its_connection_leaves_no_trace(hasty):
    """Nor do requests that are none: everybody could fill the log. The timers of the first connection go off before the last ends."""
    before = len(hasty.log)
    with hasty.connection() as connection:
        connection.sendall(head(hasty, "GET /nothing HTTP/1.1"))
        answered(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for request in (head(hasty, "GET /nothing HTTP/1.1"), b"\x00\r\n\r\n", b"GET"):
        with hasty.connection() as connection:
            connection.sendall(request)
            rest(connection)
    assert hasty.log[before:] == []


def test_a_body_that_stops_or_drips_ends_its_connection(hasty):
    for body in (b"", b"12345"):
        with hasty.connection() as connection:
            connection.sendall(head(hasty, "PUT /upload HTTP/1.1", "Content-Length: 100000") + body)
            assert rest(connection) == b""


def test_a_body_that_nobody_wants_is_read_for_a_moment_only(hasty):
    """So that who sends it hears of the refusal, and cannot go on for ever."""
    with hasty.connection() as connection:
        connection.sendall(b"PUT /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000000\r\n\r\n")
        assert answered(connection).startswith(b"HTTP/1.1 401 ")
        with contextlib.suppress(ConnectionError):
            while True:
                connection.sendall(bytes(2**16))


def test_nobody_is_to_blame_while_the_application_is_slow(hasty):
    """A body waits half read for a second, then for its answer: more than three times the limit."""
    with hasty.connection() as connection:
        connection.sendall(head(hasty, "PUT /late HTTP/1.1", "Content-Length: 300000") + bytes(300_000))
        assert answered(connection).endswith(b"300000")


def test_a_reader_that_takes_nothing_ends_its_connection(hasty):
    with hasty.connection() as connection:
        connection.sendall(head(hasty, "GET /endless HTTP/1.1"))
        reset = select.poll()
        reset.register(connection, 0)  # its error and its end alone
        assert reset.poll(PATIENCE * 1000)


@pytest.mark.parametrize(
    ("facts", "is_slow"),
    [
        ({}, False),
        ({"uploads": True}, True),
        ({"uploads": True, "received": LEAST}, False),
        ({"uploads": True, "received": LEAST - 1}, True),
        ({"uploads": True, "reads": False}, False),
        ({"uploads": True, "received": 10 * LEAST, "answered": True}, True),
        ({"answered": True}, False),
        ({"stalled": STALL}, False),
        ({"stalled": STALL + 1}, True),
        ({"reads": False, "stalled": STALL + 1}, True),
    ],
)
def test_who_is_too_slow(facts, is_slow):
    """A long recording may take hours over a slow line, and a player that pauses a minute."""
    usual = {"uploads": False, "reads": True, "answered": False, "received": 0, "stalled": 0.0}
    assert is_too_slow(**usual | facts) is is_slow


def test_a_hundred_halves_and_thirty_streams_leave_the_page_answering(serve):
    """The page's own streams, with the limits as they are. Then 300 halves more: those that have waited longest make room."""
    served = serve(module=HASTY, HASTE="none")
    with contextlib.ExitStack() as held:
        for _ in range(30):
            connection = held.enter_context(served.connection())
            connection.sendall(head(served, "GET /live HTTP/1.1"))
            assert connection.recv(12) == b"HTTP/1.1 200"
        halves = []
        for count in (100, 300):
            for _ in range(count):
                halves.append(held.enter_context(served.connection()))
                halves[-1].sendall(b"PUT /upload HTTP/1.1\r\nHost: 127")
            assert served.get("/search").status == 200
            assert served.ask("GET", "/healthz").status == 503  # no daemon runs
        assert rest(halves[0]) == b""
        assert connection.recv(2**16)  # a stream goes on
        halves[-1].sendall(b".0.0.1\r\n\r\n")
        assert answered(halves[-1]).startswith(b"HTTP/1.1 401 ")
        # whoever is refused may hold no place either
        refused = b"PUT /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n"
        for _ in range(MOST):
            held.enter_context(served.connection()).sendall(refused)
        assert served.get("/nothing").status == 404


def test_a_fault_is_logged_and_answered_and_stays_behind_the_gate(hasty):
    answer = hasty.get("/fault")
    assert answer.status == 500
    assert "Zero" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "error" in hasty.get("/api/fault").json()
    assert any("ZeroDivisionError" in line for line in hasty.log)
    assert hasty.get("/nothing").status == 404


def test_the_end_waits_for_uploads_and_not_for_streams(serve):
    """A stream has no end of its own: its reader connects again."""
    served = serve(module=HASTY, HASTE="none")
    with served.connection() as stream, served.connection() as upload, served.connection() as idle:
        stream.sendall(head(served, "GET /events HTTP/1.1"))
        assert stream.recv(12) == b"HTTP/1.1 200"
        upload.sendall(head(served, "PUT /upload HTTP/1.1", "Content-Length: 10", "Expect: 100-continue"))
        assert upload.recv(12) == b"HTTP/1.1 100"
        served.process.send_signal(signal.SIGTERM)
        rest(stream)
        assert rest(idle) == b""
        upload.sendall(bytes(10))
        assert rest(upload).endswith(b"10")
    assert served.process.wait(PATIENCE) == 0


def test_a_second_signal_waits_for_nobody(serve):
    served = serve(module=HASTY, HASTE="none")
    with served.connection() as upload:
        upload.sendall(head(served, "PUT /upload HTTP/1.1", "Content-Length: 10", "Expect: 100-continue"))
        assert upload.recv(12) == b"HTTP/1.1 100"
        served.process.send_signal(signal.SIGTERM)
        wait_for(lambda: is_refused(served), "it listens no more")
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(PATIENCE) == 0
        assert rest(upload).count(b"200") == 0


def is_refused(served: Served) -> bool:
    try:
        with served.connection():
            return False
    except ConnectionRefusedError:
        return True


def test_ctrl_c_ends_it_with_its_code(serve):
    assert serve().stop(signal.SIGINT) == 130


def test_systemd_hears_that_it_is_up_alive_and_stopping(serve, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(PATIENCE)
        served = serve(NOTIFY_SOCKET=str(path), WATCHDOG_USEC="2000000")
        assert [listener.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        assert served.stop() == 0
        said = b""
        while said != b"STOPPING=1":
            said = listener.recv(100)


def test_an_address_that_is_taken_or_not_ours_is_said(hasty, tmp_path):
    for address, why in ((f"127.0.0.1:{hasty.port}", "Address already in use"), ("192.0.2.1:80", "Cannot assign")):
        words = [sys.executable, "-P", "-m", "sttd", "--root", str(tmp_path), "web", "--listen", address]
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"sttd: {address} cannot be listened on: {why}")
        assert "--listen" in done.stderr


def test_without_the_extra_it_says_how_to_get_it(tmp_path):
    code = (
        "import sys\n"
        "import importlib.util; real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'uvicorn' else real(name)\n"
        "sys.argv.append('web')\nimport sttd.cli; sttd.cli.main()"
    )
    words = [sys.executable, "-c", code, "--root", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "sttd: sttd web needs packages that are not installed (uvicorn): pip install 'sttd[web]'\n"

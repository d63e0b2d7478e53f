"""Recordings told from other files of the same suffix by their first bytes."""

from __future__ import annotations

import os
import random

import pytest

from sttd.fs.regular import NotRegular
from sttd.inbox.content import FIRST, is_recording, is_transport_stream
from tests import speech

TYPESCRIPT = b"export declare function f(x: number): string; // GGGG\n" * 40
DEVICE_TREE = b'/dts-v1/;\n/ { compatible = "acme,board"; };\n' * 20


def packets(size: int, head: int, count: int, skip: int = 0) -> bytes:
    """A transport stream of random payload: `head` bytes before each sync byte, `skip` bytes of it missing."""
    draw = random.Random(7)
    stream = b"".join(draw.randbytes(head) + b"G" + draw.randbytes(size - head - 1) for _ in range(count))
    return stream[skip:]


@pytest.mark.parametrize(
    "stream",
    [
        packets(188, 0, 500),
        packets(192, 4, 500),
        packets(204, 0, 500),
        packets(188, 0, 500, skip=100),
        packets(188, 0, 2),
        b"\0" * 60 + packets(192, 4, 500),
    ],
)
def test_a_transport_stream_is_one_in_each_of_its_packet_sizes_from_wherever_it_begins(stream):
    assert is_transport_stream(stream[:FIRST])


@pytest.mark.parametrize(
    "data", [TYPESCRIPT, DEVICE_TREE, b"", b"G", b"GGG", b"\0" * FIRST, random.Random(1).randbytes(FIRST)]
)
def test_other_files_are_no_transport_stream(data):
    assert not is_transport_stream(data)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.ts", TYPESCRIPT, False),
        ("a.d.ts", b"", False),
        ("a.MTS", b'import x from "y"\n', False),
        ("tr_de.ts", b'<?xml version="1.0"?>\n<!DOCTYPE TS>\n', False),
        ("board.dts", DEVICE_TREE, False),
        ("go.mod", b"module example.org/x\n\ngo 1.22\n", False),
        ("tune.mod", b"a tune".ljust(1080, b"\0") + b"M.K." + b"\1" * 5000, False),
        ("MOV001.MOD", b"\0\0\1\xba" + b"\0" * 100, True),
        ("app.sln", b"\xef\xbb\xbf\r\nMicrosoft Visual Studio Solution File, Format Version 12.00\r\n", False),
        ("call.sln", b"\x05\0\xf8\xff" * 2000, True),
        ("film.dts", b"\x7f\xfe\x80\x01" + b"\0" * 100, True),
        ("renamed.ts", b"\0\0\0\x20ftypisom" + b"\0" * 100, True),
        ("notes.mp3", b"a text", True),  # its job will say what is the matter
    ],
)
def test_only_suffixes_that_others_have_too_are_looked_at(tmp_path, name, data, expected):
    (tmp_path / name).write_bytes(data)
    assert is_recording(str(tmp_path / name)) is expected


def test_what_our_own_encoder_writes_is_a_recording(tmp_path):
    assert is_recording(str(speech.encode(tmp_path / "real.ts", speech.sample("clip01"))))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd"), lambda path: path.mkdir()])
def test_a_trap_under_such_a_name_is_not_waited_for(tmp_path, make):
    make(tmp_path / "a.ts")
    with pytest.raises(NotRegular):
        is_recording(str(tmp_path / "a.ts"))

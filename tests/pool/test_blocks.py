"""A recording for another machine, as the head gives it away: whole blocks of the file that was queued, or the reason."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sttd.part import Cause, ModelSpec, Options, PartSpec
from sttd.pool.blocks import BLOCK, answer, ends_of
from sttd.pool.wire import Ask, Block, NoBlock
from tests.machine import needs_root
from tests.unprivileged import as_nobody


def part_of(path: Path) -> PartSpec:
    seen = path.stat()
    return PartSpec("7.0", 3, str(path), seen.st_size, seen.st_mtime_ns, ModelSpec("demo"), Options())


@pytest.fixture
def recording(tmp_path) -> Path:
    path = tmp_path / "talk.flac"
    path.write_bytes(os.urandom(2 * BLOCK + 5))
    return path


def test_the_blocks_of_a_recording_are_the_recording(recording):
    part = part_of(recording)
    came = [answer(Ask("7.0", 3, at, min(BLOCK, part.size - at)), part) for at in range(0, part.size, BLOCK)]
    assert [type(each) for each in came] == [Block] * 3
    assert [(each.part_id, each.attempt, each.offset) for each in came] == [("7.0", 3, at * BLOCK) for at in range(3)]
    assert b"".join(each.data for each in came) == recording.read_bytes()
    assert all(each.sha256 == hashlib.sha256(each.data).digest() for each in came)


def test_nobody_can_ask_for_more_than_a_block_at_once(recording):
    assert len(answer(Ask("7.0", 3, 0, 2**40), part_of(recording)).data) == BLOCK


def test_the_ends_tell_recordings_apart_that_differ_in_their_first_or_last_mib(tmp_path):
    body = bytearray(3 * 2**20)
    path = tmp_path / "a.wav"
    found = set()
    for place in (None, 5, len(body) - 5):
        changed = bytearray(body)
        if place is not None:
            changed[place] = 1
        path.write_bytes(changed)
        found.add(ends_of(str(path), len(body)))
    assert len(found) == 3
    path.write_bytes(b"short")
    assert ends_of(str(path), 5) == (hashlib.sha256(b"short").hexdigest(),) * 2


def grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def touched(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def linked(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


@pytest.mark.parametrize(
    ("harm", "cause"),
    [(grown, Cause.CHANGED), (touched, Cause.CHANGED), (Path.unlink, Cause.GONE), (linked, Cause.GONE)],
)
def test_a_recording_that_is_no_longer_what_was_queued_is_not_given_away(recording, harm, cause):
    part = part_of(recording)
    harm(recording)
    refused = answer(Ask("7.0", 3, 0, BLOCK), part)
    assert (type(refused), refused.part_id, refused.attempt, refused.cause) == (NoBlock, "7.0", 3, cause)


def test_bytes_behind_the_end_are_not_there(recording):
    part = part_of(recording)
    assert answer(Ask("7.0", 3, part.size, 1), part).cause is Cause.CHANGED


@needs_root
def test_a_recording_that_may_not_be_read_is_told_with_the_remedy(recording):
    recording.chmod(0o600)
    part = part_of(recording)
    told = as_nobody(lambda: print(answer(Ask("7.0", 3, 0, BLOCK), part)))
    assert ("'unreadable'" in told.out, "may not" in told.out) == (True, True), told

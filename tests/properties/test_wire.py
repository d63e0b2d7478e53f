"""Frames between parent and worker: whatever is cut, lost or altered, what comes out was sent, in order.

The messages are made with `random` and fixed seeds: Hypothesis took minutes of the processor for them, nearly all of it to make them.
"""

from __future__ import annotations

import contextlib
import os
from random import Random
from typing import Any

import pytest

from sttd.part import (
    Cause,
    Chunk,
    Chunks,
    Done,
    Failed,
    ModelSpec,
    Notice,
    Options,
    PartSpec,
    Progress,
    Segment,
    Started,
    Word,
)  # fmt: skip
from sttd.pool.wire import MOST, Clean, Decoder, Do, Exit, Stop, Took, WireError, encode
from sttd.sharing import MOST_PARTS, Decided, Share

SEEDS = range(int(os.environ.get("STTD_SEEDS", "400")))
_LETTERS = (
    'a Ж\0\n"\\,[]{}\ud800\udcffก้😀\u2028\x7f'  # lone surrogates too: a model's bytes need not be whole characters
)
_EDGES = (0, 1, 2**31, 2**53 + 1, 2**63 - 1)


class Maker:
    """Messages as sound workers and the head say them, see pool/sense.py."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)

    def text(self) -> str:
        return "".join(self.chance.choices(_LETTERS, k=self.chance.randrange(12)))

    def count(self) -> int:
        return self.chance.choice((*_EDGES, self.chance.randrange(2**40)))

    def time(self) -> float:
        """Seconds: any float from 0 to far behind the end of any recording."""
        return self.chance.choice((0.0, 5e-324, 0.1, self.chance.uniform(0, 1e7), 9.9e7))

    def figure(self) -> float:
        return self.chance.choice((1, -1)) * self.time()

    def maybe(self, value: Any) -> Any:
        return self.chance.choice((None, value))

    def some(self, make: Any, most: int) -> tuple[Any, ...]:
        return tuple(make() for _ in range(self.chance.randrange(most + 1)))

    def word(self) -> Word:
        return Word(self.figure(), self.figure(), self.text(), self.figure())

    def segment(self) -> Segment:
        four = (self.figure() for _ in range(4))
        return Segment(self.figure(), self.figure(), self.text(), *four, "th", self.some(self.word, 3), self.text())

    def chunk(self) -> Chunk:
        spoken, levels = self.chance.choice(("", "en")), self.some(lambda: (-60, 5, 0), 3)
        said = self.some(self.segment, 3)
        return Chunk(self.count(), 0, self.count(), said, "und", self.figure(), self.text(), spoken, 0.5, levels, 1)

    def part(self) -> PartSpec:
        name = os.fsdecode(self.chance.randbytes(9).replace(b"\0", b"_"))
        options = Options(initial_prompt=self.text(), max_audio=float("inf"), temperatures=(0.0, self.time()))
        return PartSpec(
            "1.0", self.count(), name, self.count(), self.chance.choice((1, -1)) * 2**90 + self.count(),
            ModelSpec(self.text()), options, budget=self.chance.choice((self.time(), float("inf"))), number=self.count(),
            share=self.maybe(Share(self.time(), self.time())), decided={self.count(): Decided(self.text(), self.time())},
        )  # fmt: skip

    def message(self) -> Any:
        carried: dict[str, Any] = {"part_id": f"{self.count()}.0", "attempt": self.count()}
        match self.chance.randrange(10):
            case 0 | 1:
                return Chunks(chunks=(self.chunk(), *self.some(self.chunk, 2)), done=self.count(), **carried)
            case 2:
                parts, stuck = self.chance.randint(1, MOST_PARTS), self.chance.random() < 0.5
                known = {"model": self.text(), "requested_model": self.text(), "fallback_reason": self.text()}
                length = self.maybe(self.time())
                return Started(
                    pid=5, stuck=stuck, load_seconds=self.time(), audio_seconds=length, parts=parts, **known, **carried
                )
            case 3:
                return Progress(done=self.time(), total=self.maybe(self.time()), **carried)
            case 4:
                return Notice(level="ERROR", text=self.text(), event=self.text(), **carried)
            case 5:
                return Done(audio_seconds=self.time(), warnings=self.some(self.text, 3), **carried)
            case 6:
                return Done(resume_at=self.count(), cause=Cause.SLICE, **carried)
            case 7:
                return Failed(cause=Cause.ERROR, error=self.text(), retriable=False, unread=self.count(), **carried)
            case 8:
                return Do(self.part())
            case _:
                return self.chance.choice((Clean(), Exit(), Took("1.0", 1), Stop("1.0", 1, Cause.ASKED)))

    def stream(self) -> list[Any]:
        return [self.message() for _ in range(self.chance.randint(1, 4))]


def fed(data: bytes, chance: Random) -> list[object]:
    """What a decoder makes of `data`, which comes in pieces; up to the first thing that is foreign."""
    decoder, came, at = Decoder(MOST), [], 0
    with contextlib.suppress(WireError):
        while at < len(data):
            size = chance.choice((1, chance.randint(1, 60), chance.randint(1, 600)))
            came += decoder.feed(data[at : at + size])
            at += size
    return came


def test_any_messages_come_as_they_were_sent_however_the_pipe_cuts_them():
    for seed in SEEDS:
        make = Maker(seed)
        sent = make.stream()
        assert fed(b"".join(map(encode, sent)), make.chance) == sent, seed


@pytest.mark.parametrize("kind", ["cut", "flip", "lost", "added"])
def test_whatever_becomes_of_the_bytes_only_messages_that_were_sent_come_out(kind):
    """A prefix of them, and where bytes are lost behind whole frames perhaps the ones after; never anything else."""
    for seed in SEEDS:
        make = Maker(seed)
        chance, sent = make.chance, make.stream()
        frames = [*map(encode, sent)]
        data = b"".join(frames)
        at, length, bit = chance.randrange(len(data)), chance.randint(1, 64), chance.randrange(8)
        spoilt = {
            "cut": data[:at],
            "flip": data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :],
            "lost": data[:at] + data[at + length :],
            "added": data[:at] + chance.randbytes(length) + data[at:],
        }[kind]
        came = fed(spoilt, chance)
        whole, end = 0, 0
        for frame in frames:
            end += len(frame)
            whole += end <= at
        assert came[:whole] == sent[:whole], f"what came whole before the damage is never lost: {seed}"
        assert all(message in sent for message in came), seed
        if kind in ("cut", "flip"):
            assert came == sent[: len(came)], seed

"""Frames between parent and worker: whatever is cut, lost or altered, what comes out was sent, in order."""

from __future__ import annotations

import contextlib

from hypothesis import given, strategies as st

from sttd.part import Cause, Chunks, Done, Failed, ModelSpec, Notice, Options, PartSpec, Progress, Started
from sttd.pool.wire import Clean, Decoder, Do, Exit, Stop, Took, WireError, encode
from sttd.sharing import MOST_PARTS, Decided, Share
from tests.properties import words

ids = st.builds("{}.0".format, st.integers(1, 10**6))
attempts = st.integers(0, 10**6)
carried = {"part_id": ids, "attempt": attempts}
counts = st.integers(0, 2**63 - 1)  # a frame carries no others
large = st.integers(-(2**90), 2**90)  # nanoseconds of any file system's time
times = st.floats(allow_nan=False, allow_infinity=False)
maybe = times | st.none()
messages = st.one_of(  # as a worker that is sound says them, see pool/sense.py
    st.builds(Chunks, **carried, chunks=words.chunks.filter(bool), done=counts),
    st.builds(
        Started, **carried, audio_seconds=maybe, load_seconds=times, fallback_reason=words.texts,
        parts=st.integers(1, MOST_PARTS),
    ),
    st.builds(Progress, **carried, done=times, total=maybe),
    st.builds(Notice, **carried, level=st.sampled_from(["DEBUG", "ERROR"]), text=words.texts, event=words.texts),
    st.builds(Done, **carried, resume_at=st.none() | counts, audio_seconds=times),
    st.builds(Failed, **carried, error=words.texts),
    st.builds(Took, ids, attempts),
    st.builds(Stop, ids, attempts, st.sampled_from(Cause)),
    st.builds(
        Do,
        st.builds(
            PartSpec, ids, attempts, words.names, counts, large, st.builds(ModelSpec, words.texts),
            st.builds(Options, initial_prompt=words.texts), budget=words.figures,
            number=counts, parts=counts, share=st.none() | st.builds(Share, words.figures, words.figures),
            decided=st.dictionaries(counts, st.builds(Decided, words.texts, words.figures)),
        ),
    ),
    st.just(Clean()),
    st.just(Exit()),
)  # fmt: skip
streams = st.lists(messages, min_size=1, max_size=4)
sizes = st.lists(st.integers(1, 600), min_size=1, max_size=10)


def fed(data: bytes, sizes: list[int]) -> list[object]:
    """What a decoder makes of `data`, which comes in pieces; up to the first thing that is foreign."""
    decoder, came, at, turn = Decoder(), [], 0, 0
    with contextlib.suppress(WireError):
        while at < len(data):
            size = sizes[turn % len(sizes)]
            came += decoder.feed(data[at : at + size])
            at, turn = at + size, turn + 1
    return came


@given(streams, sizes)
def test_any_messages_come_as_they_were_sent_however_the_pipe_cuts_them(sent, sizes):
    assert fed(b"".join(map(encode, sent)), sizes) == sent


@given(
    streams,
    sizes,
    st.integers(0, 10**6),
    st.integers(0, 7),
    st.sampled_from(["cut", "flip", "lost", "added"]),
    st.binary(max_size=30),
)
def test_whatever_becomes_of_the_bytes_only_messages_that_were_sent_come_out(sent, sizes, place, bit, kind, rubbish):
    """A prefix of them, and where bytes are lost behind whole frames perhaps the ones after; never anything else."""
    data = b"".join(map(encode, sent))
    at = place % len(data)
    spoilt = {
        "cut": data[:at],
        "flip": data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :],
        "lost": data[:at] + data[at + 1 + bit * 9 :],
        "added": data[:at] + rubbish + data[at:],
    }[kind]
    came = fed(spoilt, sizes)
    whole, end = 0, 0
    for message in sent:
        end += len(encode(message))
        whole += end <= at
    assert came[:whole] == sent[:whole], "what came whole before the damage is never lost"
    assert all(message in sent for message in came)
    if kind in ("cut", "flip"):
        assert came == sent[: len(came)]

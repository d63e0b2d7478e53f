"""What is read of a checkpoint is a prefix of what was written, whatever became of the file since."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, strategies as st

from sttd.job import Job
from sttd.ledger import Checkpoint
from sttd.ledger.checkpoint import seal, unseal
from sttd.part import Place
from tests.properties import words

JOB = Job(7, "a\udcff\n.mp3", 1000, 5)


def damaged(whole: bytes, place: int, kind: str, bit: int, rubbish: bytes) -> bytes:
    """`whole` after a power cut, a torn write, a bad disk, or a foreign writer."""
    at = place % (len(whole) + 1)
    match kind:
        case "torn":
            return whole[:at]
        case "torn, then rubbish":
            return whole[:at] + rubbish
        case "zeros":
            return whole[:at] + bytes(len(whole) - at)
        case "rubbish inside":
            return whole[:at] + rubbish + whole[at:]
        case "a piece is gone":
            return whole[:at] + whole[at + 1 + bit * 7 :]
        case _:
            at = min(at, len(whole) - 1)
            return whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]


KINDS = ["torn", "torn, then rubbish", "zeros", "rubbish inside", "a piece is gone", "flipped"]


@given(
    words.chunks, st.integers(0, 10**6), st.sampled_from(KINDS), st.integers(0, 7), st.binary(min_size=1, max_size=40)
)
def test_what_is_read_is_a_prefix_of_what_was_written_and_a_resume_completes_it(written, place, kind, bit, rubbish):
    """Torn at any byte, any bit flipped, any bytes lost or added: no chunk is altered, and all can be appended again."""
    with words.folder() as folder:
        checkpoint = Checkpoint(Path(folder), JOB, "key")
        checkpoint.append(written[:2])
        checkpoint.append(written[2:])
        checkpoint.close()
        checkpoint.path.write_bytes(damaged(checkpoint.path.read_bytes(), place, kind, bit, rubbish))
        torn = Checkpoint(Path(folder), JOB, "key")
        read = tuple(torn.chunks())
        assert read == written[: len(read)]
        resume = torn.resume()
        assert (resume.index, resume.sample) == (len(read), read[-1].end if read else 0)
        told = next((chunk for chunk in read if chunk.spoken), None)
        known = (told.spoken, told.spoken_probability) if told else ()
        assert resume.places == ({0: Place(read[-1].end, *known)} if read else {})
        torn.append(written[resume.index :])
        torn.close()
        assert tuple(Checkpoint(Path(folder), JOB, "key").chunks()) == written


@words.percent(60)
@given(words.chunks, st.data())
def test_only_what_was_on_disk_before_the_last_append_is_ever_lost(written, data):
    """A write that is torn at any byte costs nothing of the appends before it."""
    with words.folder() as folder:
        checkpoint = Checkpoint(Path(folder), JOB, "key")
        before = data.draw(st.integers(0, len(written)))
        checkpoint.append(written[:before])
        safe = checkpoint.path.stat().st_size
        checkpoint.append(written[before:])
        checkpoint.close()
        whole = checkpoint.path.read_bytes()
        checkpoint.path.write_bytes(whole[: data.draw(st.integers(safe, len(whole)))])
        assert len(tuple(checkpoint.chunks())) >= before


@given(st.dictionaries(words.texts, words.texts | words.figures | st.integers(), max_size=4), st.binary(max_size=20))
def test_a_line_is_what_was_sealed_or_nothing(value, rubbish):
    """Whatever stands before or behind it on the line."""
    line = seal(value)
    assert line.count(b"\n") == 1
    assert unseal(line) == value
    assert unseal(rubbish) is None
    if rubbish:
        assert unseal(rubbish + line) is None
        assert unseal(line + rubbish) is None

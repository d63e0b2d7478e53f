"""Heads that say less of the sound than is there: WAV beyond 4 GiB, a recorder that lost its power."""

import contextlib
import struct

import numpy as np
import pytest

from sttd.part import Cause
from sttd.worker.audio import heads
from sttd.worker.audio.source_file import SourceFile
from tests import speech
from tests.worker.odd_files import encode
from tests.worker.test_audio import decode, failure, open_it

FORM = struct.pack("<HHIIHH", 1, 1, speech.RATE, 2 * speech.RATE, 2, 16)
WAVE64 = {name: name + bytes.fromhex("f3acd3118cd100c04f8edb8a") for name in (b"wave", b"fmt ", b"data")}


@pytest.fixture(scope="module")
def said():
    return np.round(speech.compose(["english"]).audio * 20_000).astype("<i2")


def chunk(name, body, claim=None):
    return name + struct.pack("<I", len(body) if claim is None else claim) + body


def riff(data, behind=b""):
    return b"RIFF" + struct.pack("<I", 36) + b"WAVE" + chunk(b"fmt ", FORM) + data + behind


def rf64(sound, claim):
    ds64 = struct.pack("<QQQI", 0, claim, 0, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + chunk(b"ds64", ds64) + chunk(b"fmt ", FORM) + chunk(b"data", sound, 2**32 - 1)


def wave64(sound, claim):
    guid = bytes.fromhex("726966662e91cf11a5d628db04c10000")
    head = guid + struct.pack("<Q", 0) + WAVE64[b"wave"] + WAVE64[b"fmt "] + struct.pack("<Q", 40) + FORM
    return head + WAVE64[b"data"] + struct.pack("<Q", claim and claim + 24) + sound


def aiff(sound, claim):
    rate = struct.pack(">HQ", 16_383 + 13, speech.RATE << 50)
    comm = b"COMM" + struct.pack(">IHIH", 18, 1, claim // 2, 16) + rate
    ssnd = b"SSND" + struct.pack(">III", claim and claim + 8, 0, 0) + sound.byteswap().tobytes()
    return b"FORM" + struct.pack(">I", 0) + b"AIFF" + comm + ssnd


def au(sound, claim):
    return b".snd" + struct.pack(">IIIII", 24, claim, 3, speech.RATE, 1) + sound.byteswap().tobytes()


def caf(sound, claim):
    desc = struct.pack(">d4sIIIII", speech.RATE, b"lpcm", 2, 2, 1, 1, 16)
    data = struct.pack(">qI", claim and claim + 4, 0) + sound.tobytes()
    return b"caff\0\1\0\0desc" + struct.pack(">q", len(desc)) + desc + b"data" + data


KINDS = [
    ("wav", lambda sound, claim: riff(chunk(b"data", sound.tobytes(), claim))),
    ("rf64.wav", lambda sound, claim: rf64(sound.tobytes(), claim)),
    ("w64", lambda sound, claim: wave64(sound.tobytes(), claim)),
    ("aiff", aiff),
    ("caf", caf),
    ("au", au),
]


@pytest.mark.parametrize("told", [0, 2 * speech.RATE])
@pytest.mark.parametrize(("suffix", "make"), KINDS, ids=[name for name, _ in KINDS])
def test_what_the_head_does_not_tell_of_is_read_and_said(tmp_path, said, suffix, make, told):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(make(said, told))
    heard, warnings = decode(path)
    assert np.array_equal(np.round(heard * 32_768), said)
    (warning,) = warnings
    assert warning.startswith("the head of the file says too little (")
    assert suffix == "au" or f"(0:00:0{told // 32_000} of sound)" in warning


def test_chunks_behind_the_sound_are_no_sound(tmp_path, said):
    """Texts, cue points and pictures, which may be larger than the sound."""
    behind = chunk(b"LIST", b"INFO" + chunk(b"ICMT", b"x" * 200_000)) + chunk(b"id3 ", bytes(100_000))
    (tmp_path / "x.wav").write_bytes(riff(chunk(b"data", said.tobytes()), behind))
    heard, warnings = decode(tmp_path / "x.wav")
    assert (len(heard), warnings) == (len(said), [])


def test_a_few_bytes_behind_the_sound_are_no_sound(tmp_path, said):
    (tmp_path / "x.wav").write_bytes(riff(chunk(b"data", said.tobytes()), b"TAG" + b"\x7f" * 125))
    assert len(decode(tmp_path / "x.wav")[0]) == len(said)


def test_a_head_of_nonsense_is_left_to_ffmpeg(tmp_path):
    for number, data in enumerate(
        (b"RIFF", b"RIFF\0\0\0\0WAVE", riff(b"data"), b"FORM\0\0\0\0AIFF" + b"COMM\xff\xff\xff\xff" * 90)
    ):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(data)
        seen = path.stat()
        file = SourceFile(str(path), seen.st_size, seen.st_mtime_ns)
        assert heads.look(file) == heads.Head()
        file.close()
        assert failure(path).cause == "bad file"


@pytest.mark.parametrize(("suffix", "make"), KINDS, ids=[name for name, _ in KINDS])
def test_a_copy_that_was_broken_off_is_as_long_as_its_head_says(tmp_path, said, suffix, make):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(make(said, 2 * len(said))[: len(said)])
    with open_it(path) as stream:
        assert stream.duration == pytest.approx(len(said) / speech.RATE, abs=0.01)
    assert "ends early" in decode(path)[1][0]


@pytest.mark.parametrize("length", [2**63 - 8, 2**63 + 8, 2**64 - 8])
@pytest.mark.parametrize("suffix", ["caf", "w64"])
def test_a_length_that_leads_behind_all_files_is_a_bad_file(tmp_path, said, suffix, length):
    """Such places cannot even be asked for: the system calls them an error of the disk."""
    path = tmp_path / f"x.{suffix}"
    if suffix == "caf":
        data, name, form = caf(said, said.nbytes), b"data", ">Q"
    else:
        data, name, form = wave64(said.tobytes(), said.nbytes), WAVE64[b"data"], "<Q"
    at = data.rindex(name, 0, 200)
    path.write_bytes(data[:at] + bytes(reversed(name)) + struct.pack(form, length) + data[at:])
    failed = failure(path)
    assert (failed.cause, failed.retriable) == (Cause.BAD_FILE, False)


def test_zeros_behind_the_sound_are_room_that_was_not_needed(tmp_path, said):
    path = tmp_path / "x.wav"
    path.write_bytes(riff(chunk(b"data", said.tobytes()), bytes(4 * speech.RATE)))
    heard, warnings = decode(path)
    assert (len(heard), warnings) == (len(said), [])


def test_zeros_of_a_call_that_is_muted_are_no_room(tmp_path, said):
    """Whoever speaks between them was left out, without a word."""
    path, sound = tmp_path / "x.wav", np.zeros(40 * speech.RATE, "<i2")
    sound[: speech.RATE] = sound[12 * speech.RATE : 13 * speech.RATE] = said[: speech.RATE]
    path.write_bytes(riff(chunk(b"data", sound.tobytes(), 2 * speech.RATE)))
    heard, warnings = decode(path)
    assert np.array_equal(np.round(heard * 32_768), sound)
    assert len(warnings) == 1


@pytest.mark.parametrize(("suffix", "make"), [KINDS[0], KINDS[1], *KINDS[3:5]], ids=["wav", "rf64", "aiff", "caf"])
def test_files_one_behind_the_other_are_one_recording(tmp_path, said, suffix, make):
    """As `cat a.wav b.wav` makes them: FFmpeg stops at the end of the first one."""
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(
        make(said[:20_000], 40_000) + make(said[20_000:], 2 * len(said) - 40_000) + make(said, 2 * len(said))
    )
    heard, warnings = decode(path)
    assert np.array_equal(np.round(heard * 32_768), np.concatenate((said, said)))
    (warning,) = warnings
    assert warning.startswith("the head of the file says too little (0:00:01 of sound)")


def test_a_piece_of_a_sample_at_the_end_does_not_make_noise_of_what_follows(tmp_path, said):
    """A recorder that lost its power wrote half of one; the chunk behind it is padded to an even length."""
    path = tmp_path / "x.wav"
    path.write_bytes(
        b"".join(riff(chunk(b"data", said.tobytes()[: 2 * length - 1]), b"\0") for length in (20_000, 30_000, 40_000))
    )
    heard, _ = decode(path)
    assert np.array_equal(np.round(heard * 32_768)[:49_998], np.concatenate((said[:19_999], said[:29_999])))
    assert np.array_equal(np.round(heard * 32_768)[49_998:89_997], said[:39_999])


@pytest.mark.parametrize("padding", [b"", b"\0"])
def test_a_file_of_less_than_a_second_behind_another_one_is_heard(tmp_path, said, padding):
    path, length = tmp_path / "x.wav", len(said) - speech.RATE // 2
    first = riff(chunk(b"data", said[:length].tobytes() + padding)) + padding
    path.write_bytes(first + riff(chunk(b"data", said[length:].tobytes())))
    heard, warnings = decode(path)
    assert np.array_equal(np.round(heard * 32_768), said)
    assert len(warnings) == 1


@pytest.mark.parametrize("most", [None, 3])
def test_thousands_of_files_one_behind_the_other_are_one_recording(tmp_path, said, monkeypatch, most):
    """Of a recorder that writes one a minute; where there are too many, the rest is told of."""
    if most:
        monkeypatch.setattr(heads, "_JOINED", most)
    path, count = tmp_path / "x.wav", 1_500
    pieces = np.array_split(said, count)
    path.write_bytes(b"".join(riff(chunk(b"data", piece.tobytes())) for piece in pieces))
    heard, warnings = decode(path)
    assert np.array_equal(np.round(heard * 32_768), np.concatenate(pieces[: most and most + 1]))
    assert [text for text in warnings if "behind 3 others" in text] == warnings[1:] * bool(most)
    assert len(warnings) == 1 + bool(most)


def test_pieces_are_left_out_in_any_order(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(bytes(range(100)))
    seen = path.stat()
    file = SourceFile(str(path), seen.st_size, seen.st_mtime_ns)
    for first in (30, 70, 40, 0, 80):
        file.leave_out(first, first + 10)
    assert b"".join(iter(file.read, b"")) == bytes([*range(10, 30), *range(50, 70), *range(90, 100)])
    file.seek(45)
    assert (file.read(), file.seek(0, 2)) == (bytes(range(95, 100)), 50)
    file.close()


def test_a_file_behind_one_of_odd_length_is_no_noise(tmp_path, said):
    """Python's `wave` leaves the padding out: the next file is at an odd place, and so is all that is in it."""
    path, eight = tmp_path / "x.wav", (said // 256 + 128).astype("u1")
    form = struct.pack("<HHIIHH", 1, 1, speech.RATE, speech.RATE, 1, 8)
    pieces = [eight[:30_001], eight[30_001:60_000], eight[60_000:]]
    path.write_bytes(b"".join(riff(chunk(b"data", piece.tobytes())).replace(FORM, form) for piece in pieces))
    heard, _ = decode(path)
    assert np.array_equal(np.round(heard * 128) + 128, eight)


def test_sound_in_several_chunks_is_one_recording(tmp_path, said):
    path = tmp_path / "x.wav"
    text = chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"Recorder v1.0.0\0"))
    pieces = [chunk(b"data", said[at : at + 30_001].tobytes()) for at in range(0, len(said), 30_001)]
    path.write_bytes(riff(text.join(pieces), text))
    heard, warnings = decode(path)
    assert np.array_equal(np.round(heard * 32_768), said)
    assert len(warnings) == 1


def test_a_further_file_in_another_form_is_told_of(tmp_path, said):
    """It would be noise."""
    path = tmp_path / "x.wav"
    other = FORM[:2] + b"\2" + FORM[3:]
    further = (
        b"RIFF"
        + struct.pack("<I", 36 + 128_000)
        + b"WAVE"
        + chunk(b"fmt ", other)
        + chunk(b"data", bytes(range(250)) * 512)
    )
    path.write_bytes(riff(chunk(b"data", said.tobytes())) + further)
    heard, warnings = decode(path)
    assert np.array_equal(np.round(heard * 32_768), said)
    assert warnings == [
        "another recording follows in the file (0:00:04), in another form: it was not read; save it as a file of its own"
    ]


def test_a_caf_file_whose_packets_are_in_a_table_is_read_and_the_next_one_is_told_of(tmp_path, said):
    """The table was left out, and nothing of the file could be decoded."""
    alone = encode(tmp_path / "a.caf", said / 32_768, "alac", "caf", speech.RATE)
    path = tmp_path / "x.caf"
    path.write_bytes(2 * alone.read_bytes())
    (heard, warnings), (first, none) = decode(path), decode(alone)
    assert np.array_equal(heard, first)
    assert none == []
    assert warnings == [
        "another recording follows in the file, with a table of its own: it was not read; save it as a file of its own"
    ]


def test_a_chunk_that_is_shorter_than_what_is_in_front_of_its_samples_has_none(tmp_path, said):
    """Of a recorder that was started and lost its power: the length of what follows was below 0, or noise."""
    whole = aiff(said, 2 * len(said))
    cut = aiff(said[:0], 0)[:-8].replace(b"SSND\0\0\0\0", b"SSND\0\0\0\4") + bytes(4)
    path = tmp_path / "x.aiff"
    path.write_bytes(whole + cut + cut + whole)
    heard, _ = decode(path)
    assert np.array_equal(np.round(heard * 32_768), np.concatenate((said, said)))
    path.write_bytes(aiff(said[:0], 0) + cut)
    seen = path.stat()
    with contextlib.closing(SourceFile(str(path), seen.st_size, seen.st_mtime_ns)) as file:
        assert heads.look(file).beyond == 0


@pytest.mark.parametrize("kind", ["aiff", "caf"])
@pytest.mark.parametrize("length", range(5))
def test_a_first_chunk_that_is_too_short_takes_nothing_from_the_sound_that_follows(tmp_path, said, kind, length):
    """Of it FFmpeg skips so much as the samples said that it took for the place of the first one."""
    whole, none = (make(sound, 2 * len(sound)) for make in [dict(KINDS)[kind]] for sound in (said, said[:0]))
    form, front = (">I", 8) if kind == "aiff" else (">q", 4)
    cut = none[: -front - struct.calcsize(form)] + struct.pack(form, length) + bytes(length)
    path = tmp_path / f"x.{kind}"
    for before, times in ((cut, 1), (cut + cut, 1), (whole + cut, 2)):
        path.write_bytes(before + whole)
        heard, _ = decode(path)
        assert np.array_equal(np.round(heard * 32_768), np.concatenate([said] * times)), times


@pytest.mark.parametrize(("name", "make"), [each for each in KINDS if each[0] in ("wav", "w64", "aiff", "caf")])
def test_a_file_without_samples_between_others_makes_no_noise_and_hides_none(tmp_path, said, name, make):
    """A recorder was started and stopped at once: its length is 0, which did not mean all that follows."""
    whole, none = make(said, 2 * len(said)), make(said[:0], 0)
    path = tmp_path / f"x.{name}"
    for before, times in ((none, 1), (whole + none, 2), (whole + none + none, 2)):
        path.write_bytes(before + whole)
        heard, _ = decode(path)
        assert np.array_equal(np.round(heard * 32_768), np.concatenate([said] * times)), times

"""The checkpoint: whatever is torn off or altered, what is before it counts, and only that."""

from __future__ import annotations

import dataclasses
import os
import stat

import pytest
from loguru import logger

from sttd.job import Job
from sttd.ledger import Checkpoint, Resume, checkpoint as module
from sttd.ledger.checkpoint import options_key
from sttd.ledger.merging import by_time
from sttd.part import Chunk, CueRoom, ModelSpec, Options, Place, Segment, Word

JOB = Job(7, "a.mp3", 1000, 5)


def chunk(index: int, language: str = "th") -> Chunk:
    word = Word(0.1, 0.4, "สวัสดี", 0.9)
    segment = Segment(index * 10.0, index * 10.0 + 5, "สวัสดี", -0.1, 1.2, 0.01, 0.0, language, (word,))
    segments = () if language == "und" else (segment,)
    return Chunk(index, index * 160_000, (index + 1) * 160_000, segments, language, 0.8, "demo", "th", 0.9)


CHUNKS = [chunk(0, "und"), chunk(1), chunk(2)]


@pytest.fixture
def checkpoint(tmp_path):
    checkpoint = Checkpoint(tmp_path, JOB, "key")
    yield checkpoint
    checkpoint.close()


def test_what_was_appended_comes_back(checkpoint, tmp_path):
    checkpoint.append(CHUNKS[:2])
    checkpoint.append(CHUNKS[2:])
    again = Checkpoint(tmp_path, JOB, "key")
    assert list(again.chunks()) == CHUNKS
    assert again.resume() == Resume(3, {0: Place(480_000, "th", 0.9)})


def test_every_folder_on_the_way_is_on_disk_before_its_first_chunk_counts(tmp_path, monkeypatch):
    """Without `work` itself, which the very first job makes, a power cut took chunks that the ledger counted."""
    synced = []
    monkeypatch.setattr(module, "fsync_folder", synced.append)
    work = tmp_path / "state" / "work"
    checkpoint = Checkpoint(work, JOB, "key")
    checkpoint.append(CHUNKS[:1])
    checkpoint.close()
    assert synced == [work / "7", work, work.parent]


def test_any_torn_prefix_is_the_chunks_whose_lines_are_whole(checkpoint, tmp_path):
    """Cut at every byte: only whole lines count, and what is appended afterwards follows them."""
    checkpoint.append(CHUNKS)
    checkpoint.close()
    whole = checkpoint.path.read_bytes()
    ends = [position + 1 for position, byte in enumerate(whole) if byte == 10]
    for size in range(len(whole) + 1):
        checkpoint.path.write_bytes(whole[:size])
        good = max(0, sum(end <= size for end in ends) - 1)
        torn = Checkpoint(tmp_path, JOB, "key")
        assert list(torn.chunks()) == CHUNKS[:good]
        assert torn.resume().index == good
        if size % 37 == 0:
            torn.append(CHUNKS[good:])
            torn.close()
            assert list(Checkpoint(tmp_path, JOB, "key").chunks()) == CHUNKS


def said(index: int, channel: int, start: int, end: int, *begins: float, spoken: str = "") -> Chunk:
    """A chunk of one of several channels; seconds."""
    segments = tuple(Segment(at, at + 1, f"{channel} at {at:g}", 0, 1, 0, 0, "en", channel=channel) for at in begins)
    return Chunk(index, start * 16_000, end * 16_000, segments, "en", 0.8, "demo", spoken, 0.9, channel=channel)


# channel 1 has to wait for its language, so that channel 2 goes on before it
CALL = [
    said(0, 2, 0, 30, 3, 12, spoken="th"), said(1, 2, 30, 55, 31), said(2, 0, 0, 60), said(3, 1, 0, 28, 1, 5, spoken="en"),
    said(4, 1, 28, 60, 29, 31, 50), said(5, 2, 55, 60, 58),
]  # fmt: skip


def test_each_channel_is_resumed_at_its_own_place_with_its_own_language(checkpoint, tmp_path):
    checkpoint.append(CALL[:4])
    resume = Checkpoint(tmp_path, JOB, "key").resume()
    assert resume.index == 4
    assert resume.places == {
        1: Place(28 * 16_000, "en", 0.9), 2: Place(55 * 16_000, "th", 0.9), 0: Place(60 * 16_000),
    }  # fmt: skip
    assert resume.sample == 28 * 16_000
    checkpoint.append(CALL[4:])
    assert list(Checkpoint(tmp_path, JOB, "key").chunks()) == CALL


def test_what_is_said_in_several_channels_comes_in_the_order_of_its_time(checkpoint):
    checkpoint.append(CALL)
    checkpoint._expected = len(CALL)
    assert [each.text for each in checkpoint.segments()] == [
        "1 at 1", "2 at 3", "1 at 5", "2 at 12", "1 at 29", "1 at 31", "2 at 31", "1 at 50", "2 at 58",
    ]  # fmt: skip


def test_nothing_is_held_back_beyond_the_channel_that_is_least_far():
    """However long the recording is: what can be given is given before the next chunk is read."""
    read = []
    chunks = (read.append(each.index) or each for each in CALL)
    given = by_time(chunks, [0, 1, 2])
    assert [next(given).text for _ in range(4)] == ["1 at 1", "2 at 3", "1 at 5", "2 at 12"]
    assert read == [0, 1, 2, 3]


def test_a_chunk_that_does_not_follow_its_own_channel_does_not_count(checkpoint):
    checkpoint.append([*CALL[:2], said(2, 1, 55, 60)])
    assert list(checkpoint.chunks()) == CALL[:2]
    assert checkpoint.resume().index == 2


@pytest.mark.parametrize("line", [b"rubbish\n", b"{}\t00000000\n", b"\x00" * 500 + b"\n", b'{"index": 1}\n'])
def test_a_foreign_line_ends_what_counts(checkpoint, line):
    checkpoint.append(CHUNKS[:1])
    checkpoint.close()
    with checkpoint.path.open("ab") as file:
        file.write(line)
    assert list(checkpoint.chunks()) == CHUNKS[:1]


@pytest.mark.parametrize("wrong", [[chunk(0), chunk(2)], [chunk(0), chunk(0)], [chunk(1)]])
def test_chunks_out_of_order_do_not_count(checkpoint, wrong):
    checkpoint.append(wrong)
    assert len(list(checkpoint.chunks())) <= 1


@pytest.mark.parametrize(
    "other",
    [(dataclasses.replace(JOB, size=1001), "key"), (dataclasses.replace(JOB, mtime_ns=6), "key"), (JOB, "other")],
)
def test_a_checkpoint_of_another_file_or_other_options_counts_for_nothing(checkpoint, tmp_path, other):
    checkpoint.append(CHUNKS)
    checkpoint.close()
    assert Checkpoint(tmp_path, *other).resume() == Resume()


def test_the_size_of_the_batch_does_not_change_what_a_result_belongs_to():
    """A batch that was halved resumes; another language does not."""
    key = options_key(Options(batch_size=8), ModelSpec("small"))
    assert key == options_key(Options(batch_size=1), ModelSpec("small"))
    assert key == options_key(
        Options(cue=CueRoom(2, 0, 7.0)), ModelSpec("small")
    )  # the subtitles' limits change no word
    assert key == options_key(
        Options(max_audio=60.0), ModelSpec("small")
    )  # raised, for a recording that was longer: it goes on
    assert key != options_key(Options(language="th"), ModelSpec("small"))
    assert key != options_key(Options(), ModelSpec("base"))
    assert key != options_key(Options(), ModelSpec("small", compute_type="float32"))  # set for the sake of the words
    assert key == options_key(Options(), ModelSpec("small", device="cpu"))  # a GPU's memory was not enough: it goes on


def test_nothing_is_left_after_remove(checkpoint, tmp_path):
    checkpoint.append(CHUNKS)
    checkpoint.remove()
    assert not list(tmp_path.iterdir())
    checkpoint.remove()


def test_damage_that_no_kill_explains_is_set_aside_and_said(checkpoint, tmp_path):
    """A foreign line with whole ones behind it: a copy is kept, and the job goes on after the last good line."""
    lines = []
    number = logger.add(lambda message: lines.append(str(message)), format="{level} {message}")
    checkpoint.append(CHUNKS)
    checkpoint.close()
    whole = checkpoint.path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*whole[:2], b"foreign\n", *whole[2:]])
    checkpoint.path.write_bytes(damaged)
    checkpoint.append(CHUNKS[1:])
    logger.remove(number)
    assert list(checkpoint.chunks()) == CHUNKS
    (aside,) = tmp_path.glob("7.jsonl.corrupt-*")
    assert aside.read_bytes() == damaged
    (line,) = lines
    assert line.startswith("ERROR")
    assert aside.name in line


@pytest.mark.parametrize("options", ["key", "other"])
def test_what_a_kill_tore_and_what_belongs_to_other_options_is_no_damage(checkpoint, tmp_path, options):
    checkpoint.append(CHUNKS)
    checkpoint.close()
    with checkpoint.path.open("r+b") as file:
        file.truncate(file.seek(0, 2) - 5)
    other = Checkpoint(tmp_path, JOB, options)
    other.append(CHUNKS[2:] if options == "key" else CHUNKS)
    other.close()
    assert list(other.chunks()) == CHUNKS
    assert not list(tmp_path.glob("*corrupt*"))


def test_a_resume_parses_little_and_reads_once(checkpoint, tmp_path, monkeypatch):
    """A recording of two days with words has 40 MB of chunks: parsing them would hold the loop for seconds, twice."""
    checkpoint.append([chunk(index, "und" if index < 3 else "th") for index in range(500)])
    checkpoint.close()
    parsed, reads = [], []
    monkeypatch.setattr(module, "unseal", lambda line, real=module.unseal: parsed.append(line) or real(line))
    again = Checkpoint(tmp_path, JOB, "key")
    monkeypatch.setattr(again, "_read", lambda file, real=again._read: reads.append(file) or real(file))
    assert again.resume() == Resume(500, {0: Place(500 * 160_000, "th", 0.9)})
    again.append([chunk(500)])
    again.close()
    assert len(reads) == 1
    assert len(parsed) <= 4  # the head, twice or so, and the first speech
    assert len(list(again.chunks())) == 501


def test_a_checkpoint_that_lost_chunks_since_makes_no_shorter_result(checkpoint, tmp_path):
    """A disk that gives back something else than was written: the next attempt goes on after the last good chunk."""
    checkpoint.append(CHUNKS)
    checkpoint.close()
    whole = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(whole[:-20] + b"x" + whole[-19:])
    again = Checkpoint(tmp_path, JOB.evolve(chunks=3), "key")
    with pytest.raises(OSError, match="only 2 of 3 chunks"):
        list(again.segments())
    assert again.resume().index == 2


@pytest.mark.parametrize(
    "kind", ["link to a file", "second name", "pipe", "folder", "link to a folder", "file for a folder"]
)
def test_what_is_no_checkpoint_is_set_aside_and_leads_nowhere(tmp_path, kind):
    """In older versions the group could write to the state folder: a link led our writes to another file."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "0.jsonl").write_bytes(b"somebody's transcript\n")
    work = tmp_path / "work"
    path = work / "7" / "0.jsonl"
    work.mkdir()
    if kind == "link to a folder":
        path.parent.symlink_to(victim)
    elif kind == "file for a folder":
        path.parent.touch()
    else:
        path.parent.mkdir()
        {
            "link to a file": lambda: path.symlink_to(victim / "0.jsonl"),
            "second name": lambda: os.link(victim / "0.jsonl", path),
            "pipe": lambda: os.mkfifo(path),
            "folder": path.mkdir,
        }[kind]()
    checkpoint = Checkpoint(work, JOB, "key")
    assert checkpoint.resume() == Resume()
    checkpoint.append(CHUNKS)
    checkpoint.close()
    assert list(Checkpoint(work, JOB, "key").chunks()) == CHUNKS
    assert (victim / "0.jsonl").read_bytes() == b"somebody's transcript\n"
    assert len(list(work.glob("7.foreign-*"))) == 1


def test_a_checkpoint_is_written_by_the_daemon_alone(tmp_path):
    """Whatever the umask: with the group's right to write anybody could change what becomes a transcript."""
    before = os.umask(0)
    try:
        checkpoint = Checkpoint(tmp_path / "work", JOB, "key")
        checkpoint.append(CHUNKS)
        checkpoint.close()
    finally:
        os.umask(before)
    assert [stat.S_IMODE(one.stat().st_mode) & 0o022 for one in (checkpoint.path, checkpoint.path.parent)] == [0, 0]

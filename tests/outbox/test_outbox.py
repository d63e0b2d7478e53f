"""Results whole or not at all, nothing overwritten, nothing lost: with real files, two file systems and real SIGKILLs."""

from __future__ import annotations

import dataclasses
import errno
import io
import itertools
import json
import os
import shutil
import signal
import time
from pathlib import Path
from unittest import mock

import pysubs2
import pytest
import webvtt
from hypothesis import given, strategies as st

from sttd import outbox
from sttd.config import Config, Output, Paths
from sttd.daemon import orders
from sttd.errors import SttdError
from sttd.fs.folder import Folder
from sttd.job import Job
from sttd.outbox import names, source
from sttd.outbox.formats import FORMATS
from sttd.outbox.formats.record import Altered, read
from sttd.outbox.place import place
from sttd.part import Chunk, Options, Segment
from tests.forked import fork

SAID = (Segment(0.5, 59.9996, "hello --> <b> & \n\n world", -0.2, 1.1, 0.01, 0.0, "en"),
        Segment(59.0, 59.0, "สวัสดี\ud800", -0.2, 1.1, 0.01, 0.0, "th"))  # fmt: skip
CALLS = ("link", "unlink", "rename", "replace", "fsync", "mkdir", "rmdir", "open", "truncate", "pwrite", "fchmod")


def make(root: Path, fate: str = "archive", archive: Path | None = None, rel: str = "sub/talk.mp3", number: int = 1):
    paths = {name: root / name for name in ("inbox", "transcripts", "archive", "failed", "state")}
    paths["archive"] = archive or paths["archive"]
    for path in paths.values():
        path.mkdir(exist_ok=True)
    (paths["inbox"] / ".sttd.lock").touch()
    source = paths["inbox"] / rel
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(b"sound" * 1000)
    seen = source.stat()
    job = Job(number, rel, seen.st_size, seen.st_mtime_ns, language="en", model="demo", requested_model="demo")
    return Config(paths=Paths(root=root, **paths), output=Output(source=fate, formats=tuple(FORMATS))), job, source


def stage(config, job):
    meta = outbox.Meta.of(job, finished_at=1.0)
    return outbox.stage(job, meta, lambda: iter(SAID), config, outbox.Places(config.paths))


def keep(config, plan):
    """What the daemon does with a plan, and after its job is done."""
    places = outbox.Places(config.paths)
    filed = outbox.keep(plan, places)
    outbox.remove_staging(Job(plan.job, plan.name, 0, 0), config, places)
    return filed


def commit(config, job):
    return keep(config, stage(config, job))


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and ".sttd" not in str(p))


def written(suffix: str, said=SAID) -> str:
    file = io.StringIO()
    job = Job(1, "talk.mp3", 1, 2, language="en")
    meta = outbox.Meta.of(job, finished_at=0.0, options=orders.asked(Options(initial_prompt="กขค")))
    FORMATS[suffix].write(file, meta, iter(said))
    file.getvalue().encode("utf-8")
    return file.getvalue()


def test_subtitles_are_whole_cues_in_order():
    """Escapes, no blank line within a cue, no overlap, rounding before splitting, hours past 99."""
    assert "\n00:00:00.500 --> 00:00:07.500\nhello --&gt; &lt;b&gt; &amp; world\n" in written("vtt")
    assert "\n00:00:59,000 --> 00:01:00,000\nสวัสดี\ufffd\n" in written("srt")
    late = Segment(359999.9996, 360001.0, "late", 0, 0, 0, 0, "en")
    assert "100:00:00.000 --> 100:00:01.000" in written("vtt", [late])


def test_other_readers_agree():
    assert [(e.start, e.end) for e in pysubs2.SSAFile.from_string(written("srt"))] == [(500, 7500), (59000, 60000)]
    assert len(webvtt.from_string(written("vtt"))) == 2


def test_empty_transcripts_are_valid_files():
    assert [written(s, ()) for s in ("txt", "srt", "vtt", "tsv")] == ["", "", "WEBVTT\n", "start\tend\ttext\n"]
    assert json.loads(written("json", ()))["segments"] == []


def test_the_json_is_read_back_and_a_correction_shows():
    data = written("json").encode()
    meta, segments = read(io.BytesIO(data))
    assert (meta.job, [s.start for s in segments]) == (1, [0.5, 59.0])
    assert meta.options == {
        **orders.asked(Options()),
        "initial_prompt": "กขค",
        "languages": [],
        "temperatures": [0, 0.2, 0.4, 0.6, 0.8, 1],
    }
    with pytest.raises(Altered):
        read(io.BytesIO(data.replace(b"hello", b"hallo")))


@given(st.binary(min_size=1, max_size=400).map(lambda b: os.fsdecode(b.replace(b"\0", b"_"))), st.integers(1, 99))
def test_no_name_leaves_its_folder_or_is_too_long(source, number):
    folders, name = names.split(source)
    found = [*names.results(name, "en", FORMATS, number).values(), names.numbered(name, number)]
    assert not {"", ".", ".."} & {*folders, name, *found}
    assert all("/" not in each and len(os.fsencode(each)) <= 255 for each in found)


def test_a_cut_name_ends_at_a_grapheme():
    assert all(names.cut("กี่" * 99, most).partition("~")[0].endswith("กี่") for most in range(60, 75))


@pytest.mark.parametrize("fate", ["archive", "keep", "delete"])
def test_taken_names_get_a_number_and_nothing_is_overwritten(tmp_path, fate):
    config, job, source = make(tmp_path, fate)
    for taken in (tmp_path / "transcripts/sub/talk.en.srt", tmp_path / "archive/sub/talk.mp3"):
        taken.parent.mkdir()
        taken.write_text("mine")
    filed = commit(config, job)
    assert {Path(p).name for p in filed.outputs} == {f"talk (2).en.{s}" for s in FORMATS}
    assert all(Path(p).stat().st_mode & 0o777 == 0o640 for p in filed.outputs)
    assert (tmp_path / "transcripts/sub/talk.en.srt").read_text() == "mine"
    assert (tmp_path / "archive/sub/talk.mp3").read_text() == "mine"
    assert (tmp_path / "archive/sub/talk (2).mp3").exists() == (fate == "archive")
    assert source.exists() == (fate == "keep")


def test_a_source_that_was_replaced_is_left_as_a_new_job(tmp_path):
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    source.write_bytes(b"newer")
    assert keep(config, plan).changed
    assert source.read_bytes() == b"newer"
    with pytest.raises(SttdError):
        stage(config, job)
    assert outbox.file_failure(job, config, outbox.Places(config.paths)).location == ""
    assert source.read_bytes() == b"newer"


@pytest.mark.parametrize("fate", ["archive", "delete"])
def test_a_new_version_that_came_after_a_kill_is_not_taken_for_the_one_that_was_filed_away(tmp_path, fate):
    """Killed when all was done and nothing heard. The archived one was said to lie in the inbox, where a redo took the other."""
    config, job, source = make(tmp_path, fate)
    plan = stage(config, job)
    places = outbox.Places(config.paths)
    first = outbox.keep(plan, places)
    source.write_bytes(b"newer")
    again = outbox.keep(plan, places)
    assert (again.outputs, again.location) == (first.outputs, first.location)
    assert again.location == (str(tmp_path / "archive/sub/talk.mp3") if fate == "archive" else "")
    assert source.read_bytes() == b"newer"


def test_an_inbox_that_is_away_is_no_source_that_is_gone(tmp_path):
    config, job, _ = make(tmp_path)
    plan = stage(config, job)
    (tmp_path / "inbox").rename(tmp_path / "away")
    (tmp_path / "inbox").mkdir()
    with pytest.raises(FileNotFoundError):
        keep(config, plan)


def test_a_failed_source_has_its_reason_beside_it_and_overwrites_nothing(tmp_path):
    config, job, _ = make(tmp_path)
    (tmp_path / "failed/sub").mkdir()
    (tmp_path / "failed/sub/talk.mp3.error.json").write_text("mine")
    put = outbox.file_failure(job.evolve(error="no \ud800 audio"), config, outbox.Places(config.paths))
    assert put.location == str(tmp_path / "failed/sub/talk.mp3")
    assert (tmp_path / "failed/sub/talk.mp3.error.json").read_text() == "mine"
    assert len(files_in(tmp_path / "failed")) == 3


def kill_at(step: int, work) -> bool:
    """Run `work` in a child that is SIGKILLed at its nth file call; whether it came to its end."""
    child = fork()
    if child == 0:
        count = 0

        def counted(call):
            def wrapped(*args, **kwargs):
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)

            return wrapped

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code == 0


@pytest.fixture
def other_disk():
    folder = Path("/dev/shm") / f"sttd-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def test_a_flood_into_one_folder_of_another_disk_does_not_read_that_folder_for_each_file(
    tmp_path, other_disk, monkeypatch
):
    """It is read where an earlier try may have been killed between the copy and the end of the move: its name is taken then."""
    listed = []
    real = Folder.names
    monkeypatch.setattr(Folder, "names", lambda folder: listed.append(folder.path) or real(folder))
    with Folder.open(tmp_path) as source, Folder.open(other_disk) as target:
        for number in range(20):
            (tmp_path / f"{number}.mp3").write_text(str(number))
            assert place(source, f"{number}.mp3", target, f"call {number}.mp3") == f"call {number}.mp3"
        assert listed == []
        (tmp_path / "again.mp3").write_text("7")
        os.utime(tmp_path / "again.mp3", ns=(0, (other_disk / "call 7.mp3").stat().st_mtime_ns))
        assert place(source, "again.mp3", target, "call 7.mp3") == "call 7.mp3"
        assert listed == [str(other_disk)]
    assert len(list(other_disk.iterdir())) == 20
    assert not list(tmp_path.glob("*.mp3"))


@pytest.mark.parametrize("step", [100, 1000, 10**6, 10**7, 10**9, 2 * 10**9])
@pytest.mark.parametrize("mtime_ns", [1_796_000_001_123_456_789, 1_796_000_000_999_999_999])
def test_an_archive_whose_clock_has_coarser_ticks_takes_sources(tmp_path, other_disk, monkeypatch, step, mtime_ns):
    """NTFS and SMB count 100 ns, exFAT 10 ms, vfat 2 s: a source with a time between two ticks has not changed by its copy."""
    config, job, source = make(tmp_path, archive=other_disk)
    os.utime(source, ns=(mtime_ns, mtime_ns))
    job = Job(job.id, job.source, job.size, mtime_ns, language="en", model="demo", requested_model="demo")
    set_times = os.utime
    monkeypatch.setattr(os, "utime", lambda file, ns: set_times(file, ns=tuple(time // step * step for time in ns)))
    plan = stage(config, job)
    filed = outbox.keep(plan, outbox.Places(config.paths))
    assert (filed.changed, filed.location) == (False, f"{other_disk}/sub/talk.mp3")
    assert not source.exists()
    assert keep(config, plan).location == filed.location  # killed, and done again


@pytest.mark.parametrize(
    ("seconds", "first", "last"),
    [
        (0, 315_532_800 - 7200, 4_354_819_198),
        (12_345, 315_532_800 + 43_200, 4_354_819_198),
        (-5, 0, 2**32 - 1),
        (2**31 + 7, -(2**31), 2**31 - 1),
        (2**33, 315_532_800, 4_354_819_198),
    ],
)
def test_an_archive_that_cannot_keep_the_time_of_a_source_takes_it(
    tmp_path, other_disk, monkeypatch, seconds, first, last
):
    """A recorder without a clock dates its files 1970, and exFAT begins in 1980: the copy has another time, and is the copy."""
    config, job, source = make(tmp_path, archive=other_disk)
    os.utime(source, ns=(0, seconds * 10**9))
    job = Job(job.id, job.source, job.size, seconds * 10**9, language="en", model="demo", requested_model="demo")
    set_times = os.utime
    limits = first * 10**9, last * 10**9
    monkeypatch.setattr(
        os, "utime", lambda file, ns: set_times(file, ns=tuple(max(limits[0], min(time, limits[1])) for time in ns))
    )
    plan = stage(config, job)
    filed = outbox.keep(plan, outbox.Places(config.paths))
    assert (filed.changed, filed.location) == (False, f"{other_disk}/sub/talk.mp3")
    assert not source.exists()
    assert keep(config, plan).location == filed.location


@pytest.mark.parametrize(
    ("elsewhere", "taken", "formats"),
    [
        (True, True, ("txt", "srt", "json")),
        *(
            pytest.param(*each, tuple(FORMATS), marks=pytest.mark.ci)
            for each in itertools.product((True, False), repeat=2)
        ),
    ],
)
def test_a_commit_killed_anywhere_is_finished_by_the_next_start(tmp_path, elsewhere, taken, formats):
    """One set of results and one archived source, whichever call was the last; also over two file systems."""
    other = Path("/dev/shm") / f"sttd-{os.getpid()}-{time.monotonic_ns()}"
    for step in range(1, 200):
        root = tmp_path / str(step)
        root.mkdir()
        archive = other / str(step) if elsewhere else None
        if archive:
            archive.mkdir(parents=True)
        config, job, source = make(root, archive=archive)
        config = dataclasses.replace(config, output=dataclasses.replace(config.output, formats=formats))
        if taken:
            (root / "transcripts/sub").mkdir()
            (root / "transcripts/sub/talk.en.srt").write_text("mine")
        plan = stage(config, job)
        places = outbox.Places(config.paths)
        ended = kill_at(step, lambda plan=plan, places=places: outbox.keep(plan, places))
        filed = keep(config, plan)
        stem = "talk (2)" if taken else "talk"
        expected = {f"sub/{stem}.en.{s}" for s in formats} | ({"sub/talk.en.srt"} if taken else set())
        assert set(files_in(root / "transcripts")) == expected, step
        assert files_in(config.paths.archive) == ["sub/talk.mp3"], step
        assert filed.location == str(config.paths.archive / "sub/talk.mp3"), step
        assert not source.exists()
        if ended:
            break
    else:
        pytest.fail("it never ended")
    if elsewhere:
        import shutil

        shutil.rmtree(other)


def test_a_recording_in_several_languages_is_named_by_the_one_that_has_most_of_the_time():
    """Not by the last one; the JSON has the seconds of each, and the probability is that of the chunks in that language."""

    def chunk(index: int, language: str, probability: float, *said: tuple[str, float]) -> Chunk:
        segments = tuple(Segment(0.0, seconds, "...", 0, 0, 0, 0, spoken) for spoken, seconds in said)
        return Chunk(index, index * 480_000, (index + 1) * 480_000, segments, language, probability, "demo")

    heard = outbox.Heard.of(
        [
            chunk(0, "th", 0.9, ("th", 20.0)),
            chunk(1, "und", 0.0),
            chunk(2, "th", 0.7, ("en", 5.0), ("th", 8.0)),
            chunk(3, "en", 0.99, ("en", 20.0)),
        ]
    )
    assert heard == outbox.Heard("th", pytest.approx(0.8), {"th": 28.0, "en": 25.0})
    assert outbox.Heard.of([chunk(0, "und", 0.0)]) == outbox.Heard("und", None, {})


def test_a_cancel_that_comes_when_a_newer_file_has_the_name_of_the_source_gives_it_no_other_one(tmp_path, monkeypatch):
    """It was put into the inbox as `talk (2).mp3`: a new job, of a recording whose results were in place all the same."""
    config, job, path = make(tmp_path)
    plan, places = stage(config, job), outbox.Places(config.paths)
    with monkeypatch.context() as patch:
        patch.setattr(source, "_file_away", mock.Mock(side_effect=OSError(errno.EIO, "Input/output error")))
        with pytest.raises(OSError, match="Input/output"):
            outbox.keep(plan, places)
    path.write_bytes(b"newer")
    assert not outbox.undo(dataclasses.replace(job, plan=plan.to_json()), config, places), "too late"
    filed = keep(config, plan)
    assert files_in(tmp_path / "inbox") == ["sub/talk.mp3"]
    assert (filed.location, path.read_bytes()) == (str(tmp_path / "archive/sub/talk.mp3"), b"newer")

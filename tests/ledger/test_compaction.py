"""The manifest is rewritten with the lines that count: a rebuild cannot tell the difference, and no kill loses a line."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from sttd.job import Identity, Job, State
from sttd.ledger import Ledger, facts
from sttd.ledger.manifest.compaction import DAY, SLACK, SMALL, catch_up, compact, hand_over, is_due
from sttd.ledger.manifest.log import Manifest, to_record, tombstone
from sttd.ledger.manifest.rebuild import rebuild
from tests.crash.disk import VARIANTS, Disk, restore
from tests.crash.steps import Stepped
from tests.machine import needs_trace
from tests.properties import words

MiB = 2**20


def record(number: int, *, location: str = "/archive/x", source: str | None = None) -> dict:
    return to_record(Job(number, source or f"{number}.mp3", 10, 5, state=State.DONE, location=location, outputs=("a",)))


def rebuilt(folder: Path) -> tuple[list[Job], object, int]:
    """What a rebuild makes of the manifest in a folder: the jobs, the fact, and the number of the next job."""
    path = folder / "ledger.db"
    rebuild(path, folder / "work", lambda: None)
    with contextlib.closing(Ledger.open(path)) as ledger:
        found = ledger.jobs(newest=False), ledger.fact(facts.PAUSED)
        return *found, ledger.add("next.mp3", Identity(1, 1), 1.0).id


def rewritten(manifest: Manifest) -> None:
    assert hand_over(manifest, compact(manifest.path, manifest.size()))


lines = st.lists(
    st.one_of(
        st.builds(record, st.integers(1, 5), location=st.sampled_from(["", "/a", "\udcff\n"])),
        st.builds(tombstone, st.lists(st.integers(1, 7), max_size=3)),
        st.builds(lambda value: {"fact": "paused", "value": value}, st.booleans()),
        st.just(b"rubbish\n"),
        st.just({"fact": "of a newer version", "value": 1}),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(lines, lines)
def test_a_rebuild_makes_the_same_of_a_rewritten_manifest(first, second):
    """Whatever was written, before and after, with lines that are no good among it."""
    found = []
    for rewrite in (False, True):
        with words.folder() as name:
            manifest = Manifest(Path(name) / "manifest.jsonl")
            manifest.append([record(6)])
            for half in (first, second):
                for line in half:
                    if isinstance(line, bytes):
                        manifest.close()
                        with manifest.path.open("ab") as file:
                            file.write(line)
                    else:
                        manifest.append([line])
                if rewrite:
                    rewritten(manifest)
            manifest.close()
            found.append(rebuilt(Path(name)))
    assert found[0] == found[1]


def test_only_the_last_line_of_each_job_that_is_remembered_stays(tmp_path):
    manifest = Manifest(tmp_path / "manifest.jsonl")
    for times in range(3):
        manifest.append(record(number, location=f"/archive/{times}") for number in range(1, 2001))
    manifest.append([tombstone(range(1, 1001)), {"fact": "paused", "value": True}])
    before = manifest.size()
    rewritten(manifest)
    assert manifest.size() < before / 5
    text = manifest.path.read_bytes()
    assert b"/archive/1" not in text
    assert b"1000.mp3" not in text
    jobs, paused, after = rebuilt(tmp_path)
    assert ([job.id for job in jobs], paused, after) == (list(range(1001, 2001)), True, 2001)


def test_lines_that_come_while_it_is_rewritten_are_in_the_new_one(tmp_path):
    """A few are copied when it is put in place; many are copied before, off the loop."""
    manifest = Manifest(tmp_path / "manifest.jsonl")
    manifest.append(map(record, range(1, 100)))
    compacted = compact(manifest.path, manifest.size())
    manifest.append(record(number) for number in range(100, 5000))
    assert not hand_over(manifest, compacted)
    compacted = catch_up(manifest.path, compacted, manifest.size())
    manifest.append([record(5000), tombstone([1])])
    assert hand_over(manifest, compacted)
    manifest.append([record(5001)])
    manifest.close()
    assert [job.id for job in rebuilt(tmp_path)[0]] == list(range(2, 5002))


def test_a_torn_line_at_the_end_stays_a_line_of_its_own(tmp_path):
    manifest = Manifest(tmp_path / "manifest.jsonl")
    manifest.append([record(1), record(2)])
    manifest.close()
    manifest.path.write_bytes(manifest.path.read_bytes()[:-9])
    rewritten(manifest)
    manifest.append([record(3)])
    manifest.close()
    assert [job.id for job in rebuilt(tmp_path)[0]] == [1, 3]


def test_a_disk_without_room_leaves_the_old_one(tmp_path):
    manifest = Manifest(tmp_path / "manifest.jsonl")
    manifest.append([record(1)])
    (tmp_path / "manifest.jsonl.new").mkdir()
    before = manifest.path.read_bytes()
    with pytest.raises(OSError, match=r"manifest\.jsonl\.new"):
        compact(manifest.path, manifest.size())
    assert manifest.path.read_bytes() == before


@pytest.mark.parametrize(
    ("size", "needed", "names_for", "due"),
    [
        (SLACK, 0, None, False),
        (2 * MiB, 1 * MiB, None, False),
        (3 * MiB, 1 * MiB, None, True),
        (1000 * MiB, 600 * MiB, None, False),
        (1000, 1000, 1.0, True),  # a small one: names of forgotten jobs go at once
        (SMALL + 1, SMALL, 600.0, False),
        (SMALL + 1, SMALL, DAY, True),
        (SMALL + 1, SMALL, float("inf"), True),
    ],
)
def test_it_is_rewritten_when_more_than_half_of_it_is_dead_or_has_names_of_forgotten_jobs(size, needed, names_for, due):
    assert is_due(size, needed, names_for) is due


REWRITE = """
import sys
from pathlib import Path
from sttd.ledger.manifest.compaction import compact, hand_over
from sttd.ledger.manifest.log import Manifest, to_record
from sttd.job import Job, State
from sttd.ledger import facts
manifest = Manifest(Path(sys.argv[1]) / "manifest.jsonl")
record = lambda number: to_record(Job(number, f"{number}.mp3", 10, 5, state=State.DONE))
manifest.append([record(11)])
compacted = compact(manifest.path, manifest.size())
manifest.append([record(12)])
assert hand_over(manifest, compacted)
manifest.append([record(13)])
"""


@needs_trace
def test_a_kill_or_a_power_cut_at_any_step_loses_no_line_and_brings_no_job_back(tmp_path):
    """After each durable call: the folder as a kill leaves it, and with what a power cut leaves of it."""
    root = tmp_path / "root"
    root.mkdir()
    manifest = Manifest(root / "manifest.jsonl")
    manifest.append(map(record, range(1, 11)))
    manifest.append([tombstone([1, 2, 3])])
    manifest.close()
    stepped = Stepped([sys.executable, "-c", REWRITE, str(root)], root, dict(os.environ), tmp_path / "log")
    disk, steps, promised = Disk(root), [], 10
    for step in stepped:
        disk.follow(step)
        steps.append(step.name)
        if step.call == "fsync" and step.path == "manifest.jsonl":  # each of them is the end of an append
            promised += 1
        for variant in (None, *VARIANTS):
            image = tmp_path / "image"
            image.mkdir()
            restore(disk.image(variant), image) if variant else shutil.copytree(root, image, dirs_exist_ok=True)
            numbers = [job.id for job in rebuilt(image)[0]]
            assert numbers[:7] == list(range(4, 11)), (step.name, variant)
            assert set(range(11, promised + 1)) <= set(numbers[7:]), (step.name, variant)
            shutil.rmtree(image)
    assert stepped.finish() == 0, (tmp_path / "log").read_text()
    assert promised == 13
    assert "rename manifest.jsonl.new -> manifest.jsonl #1" in steps

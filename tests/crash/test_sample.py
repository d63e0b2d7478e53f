"""A sample of the crash matrix (`python -m tests.crash` walks all of it), and that its tools see what they are to see."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import pytest

from tests.crash import case
from tests.crash.__main__ import Task, Walk
from tests.crash.case import Outcome, Scene
from tests.crash.disk import Disk, restore
from tests.crash.lane import Lane, why_not
from tests.crash.steps import Step
from tests.invariants import problems

needs_lane = pytest.mark.skipif(why_not() is not None, reason=f"no crash matrix: {why_not()}")
FINE = Outcome(made=True)
PRIVATE = "renameat inbox/short/short.flac -> inbox/short/.sttd-1-*.filing.short.flac #1"  # results are there, source on its way
TWO_NAMES = "linkat inbox/short/.sttd-1-*.filing.short.flac -> archive/short/short.flac #1"  # it has both
CHECKPOINT = "fsync state/work/1/0.jsonl #1"


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    """One short recording, transcribed undisturbed."""
    shared = tmp_path_factory.mktemp("crash")
    case.make_sources(shared / "template", small=True)
    scene = Scene(shared / "undisturbed", shared / "template", shared / "log")
    scene.expected = scene.run_plain()
    return scene


@pytest.fixture
def lane(scene):
    lane = Lane(scene.template.parent)
    yield lane
    lane.close()


@pytest.mark.ci
@needs_lane
def test_a_kill_or_a_power_cut_while_a_source_is_on_its_way_loses_nothing(lane, scene):
    """Over four file systems: killed with the source under its private name, and cut with three kinds of disk left."""
    assert lane.run("many", "both", PRIVATE, scene.expected) == FINE


@pytest.mark.ci
@needs_lane
def test_a_kill_or_a_power_cut_while_a_source_has_two_names_leaves_it_one(lane, scene):
    """On a file system that knows no RENAME_NOREPLACE a move is a link(2), and then an unlink(2)."""
    assert lane.run("linked", "both", TWO_NAMES, scene.expected) == FINE


@pytest.mark.ci
@needs_lane
def test_a_worker_killed_behind_its_checkpoint_is_replaced(lane, scene):
    assert lane.run("one", "worker", CHECKPOINT, scene.expected) == FINE


def test_the_invariants_see_what_is_broken(scene):
    """Each by itself: something lost, doubled, half written, altered, or left behind."""
    folders, sources = scene.folders, scene.expected
    assert problems(folders, sources, {}) == []
    text = folders.transcripts / "short" / "short.en.txt"
    whole = text.read_bytes()
    for broken in (b"", whole[:5], whole + whole):
        text.write_bytes(broken)
        assert len(problems(folders, sources, {})) == 1
    text.unlink()
    assert "results are missing" in problems(folders, sources, {})[0]
    text.write_bytes(whole)
    text.chmod(0o640)
    for stray in ("archive/short/short (2).flac", "transcripts/short/short (2).en.txt", "inbox/short/.sttd-1.filing.x"):
        (folders.root / stray).touch()
        assert "left behind" in problems(folders, sources, {})[0]
        (folders.root / stray).unlink()
    assert "from its beginning" in problems(folders, sources, {"short/short.flac": {0: (0, 0)}})[0]
    (folders.archive / "short" / "short.flac").rename(folders.archive / "short" / "short.wav")
    assert "the source is lost" in problems(folders, sources, {})[0]


def test_a_power_cut_leaves_what_was_fsynced_and_no_more(tmp_path):
    """A new file, its folder, a rename and an unlink: each is there for good from the fsync on that is about it."""
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "old").write_bytes(b"old")
    disk = Disk(root)

    def left(variant: str) -> dict[str, bytes]:
        return {path: each.data for path, each in disk.image(variant).items() if each is not None}

    (root / "a" / "new").write_bytes(b"new")
    assert (left("absent"), left("empty")) == ({"a/old": b"old"}, {"a/old": b"old", "a/new": b""})
    disk.follow(Step("fsync", "a/new"))
    assert (left("absent"), left("empty")) == ({"a/old": b"old"}, {"a/old": b"old", "a/new": b"new"})
    disk.follow(Step("fsync", "a"))
    assert left("absent") == {"a/old": b"old", "a/new": b"new"}
    os.rename(root / "a" / "new", root / "moved")
    disk.follow(Step("rename", "a/new", "moved"))
    assert left("absent") == {"a/old": b"old", "a/new": b"new"}
    disk.follow(Step("fsync", "."))
    assert left("absent") == {"a/old": b"old", "moved": b"new"}
    os.unlink(root / "moved")
    disk.follow(Step("unlink", "moved"))
    assert (left("absent"), left("eager")) == ({"a/old": b"old", "moved": b"new"}, {"a/old": b"old"})
    restore(disk.image("absent"), root)
    assert (root / "moved").read_bytes() == b"new"


def test_a_walk_that_was_killed_while_it_wrote_an_outcome_goes_on_behind_the_one_before(tmp_path):
    first, second = (Task("one", "daemon", step, step) for step in ("fsync a #1", "fsync b #1"))
    log = tmp_path / "outcomes.jsonl"
    lines = [json.dumps({"task": asdict(task)} | asdict(FINE)) + "\n" for task in (first, second)]
    log.write_text(lines[0] + lines[1][:40])
    walk = Walk(tmp_path, 0)
    walk._waiting = [first, second]
    walk.go_on()
    assert walk.outcomes == {first: FINE}
    assert log.read_text() == lines[0]

"""What the suite asks of itself: no test depends on how fast this machine is, and no check is skipped unseen."""

from __future__ import annotations

import ast
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sttd.fs.patience import answers
from tests import forked
from tests.forked import fork
from tests.harness import PATIENCE

TESTS = Path(__file__).parent
LIMITS = {"timeout", "patience"}  # keywords that limit a wait
WAITS = {"wait", "join", "result", "communicate", "settimeout"}  # methods whose one argument does
PAUSE = 1.0  # seconds; what waits for so little is a pause between two looks, and no limit

SKIPPED = """
import pytest

def test_that_is_fine():
    pass

@pytest.mark.skip(reason="no strace")
def test_that_is_skipped():
    pass
"""


def limits(tree: ast.Module) -> Iterator[tuple[int, float]]:
    """The lines and seconds of waits that are limited by a number."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        given = [keyword.value for keyword in call.keywords if keyword.arg in LIMITS]
        if isinstance(call.func, ast.Attribute) and call.func.attr in WAITS and len(call.args) == 1:
            given += call.args
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                yield call.lineno, value.value


def test_no_wait_measures_the_machine():
    """Its limit is PATIENCE, which a machine ten times slower than ours meets, or some of it or times it."""
    short = [
        f"{path.relative_to(TESTS)}:{line}: {seconds} s"
        for path in sorted(TESTS.rglob("*.py"))
        if path.relative_to(TESTS).parts[0] != "bench"  # which is there to measure
        for line, seconds in limits(ast.parse(path.read_bytes()))
        if PAUSE < seconds < PATIENCE
    ]
    assert short == []


@pytest.mark.parametrize(("reason", "fails"), [("no strace", True), ("this kernel has no Landlock", False)])
def test_a_skipped_test_fails_the_run_that_is_to_skip_none(tmp_path, reason, fails):
    """As .ci/run asks for it, over xdist's processes where it fails. What no package can bring is no reason to fail."""
    (tmp_path / "test_it.py").write_text(SKIPPED.replace("no strace", reason))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.skips",
        "-p",
        "no:cacheprovider",
        *(("-n", "1") if fails else ()),
        str(tmp_path),
    ]
    done = subprocess.run([*command, "--no-skips"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    assert done.returncode == int(fails)


def test_a_child_of_a_test_collects_no_garbage_of_its_parent():
    """Nor do the children that sttd's own questions are asked in."""
    child = fork()
    if child == 0:
        os._exit(int(gc.isenabled()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert answers({"collects": gc.isenabled}) == {"collects": False}
    assert gc.isenabled()


def test_a_forked_command_that_hangs_is_ended_and_told_of(tmp_path):
    with pytest.raises(subprocess.TimeoutExpired, match="run"):
        forked.run(["--root", str(tmp_path), "run"], dict(os.environ), patience=PAUSE)


def test_a_forked_command_whose_complaint_nobody_reads_runs_no_test_of_its_parent():
    reader, writer = os.pipe()
    os.close(reader)
    parent = os.getpid()
    with open(os.devnull) as none:
        try:
            child = forked.sttd(["--nonsense"], [none.fileno(), writer, writer], dict(os.environ))
        finally:
            if os.getpid() != parent:
                os._exit(99)
    os.close(writer)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 70

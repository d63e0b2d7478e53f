"""What the README names is there."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
README = (TOP / "README.md").read_text("utf-8")


def test_each_promise_is_proved_by_a_test_that_exists():
    defined = {
        name
        for path in (TOP / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    named = set(re.findall(r"`(test_\w+)`", README))
    assert len(named) > 10
    assert named <= defined


def test_each_module_that_is_to_be_run_exists():
    for module in re.findall(r"python -m (tests[\w.]+)", README):
        path = TOP / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module

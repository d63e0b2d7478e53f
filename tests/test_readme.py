"""What README and the promises name is there. More of it is asked in tests/cli/test_docs.py."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
README = (TOP / "README.md").read_text("utf-8")
DOCS = TOP / "sttd" / "share" / "docs"


def test_each_promise_is_proved_by_a_test_that_exists():
    defined = {
        name
        for path in (TOP / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "promises.md").read_text("utf-8")))
    assert len(named) > 40
    assert named <= defined


def test_each_module_that_is_to_be_run_exists():
    texts = [README, *(path.read_text("utf-8") for path in DOCS.glob("*.md"))]
    named = {module for text in texts for module in re.findall(r"python -m (tests[\w.]+)", text)}
    assert len(named) > 4
    for module in named:
        path = TOP / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_the_two_commands_are_what_is_run_here():
    """Copied by people and by machines, word for word."""
    for line in (
        "apt-get update && apt-get install -y python3-venv",
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/sttd demo",
        "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest",
    ):
        assert f"\n    {line}\n" in README


def test_the_page_shows_a_small_picture():
    assert (DOCS / "page.png").stat().st_size < 64 * 1024
    assert "(sttd/share/docs/page.png)" in README

"""The languages of the pages."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.web import NO_WEB

jinja2 = pytest.importorskip("jinja2", reason=NO_WEB)

from sttd import languages, phrases  # noqa: E402
from sttd.web.pages import asking, endpoints, job, language, meaning, overview, reporting  # noqa: E402

FOLDER = Path(language.__file__).parent
THAI = language.words("th").phrases


def spoken() -> set[str]:
    """Every English phrase that a template or a module asks a translation of."""
    found: set[str] = set()
    for path in FOLDER.glob("templates/*.html"):
        tree = jinja2.Environment(autoescape=True).parse(path.read_text("utf-8"))
        for call in tree.find_all(jinja2.nodes.Call):
            if isinstance(call.node, jinja2.nodes.Name) and call.node.name == "_":
                found |= {each.value for each in call.args[0].find_all(jinja2.nodes.Const)}
                found |= {call.args[0].value} if isinstance(call.args[0], jinja2.nodes.Const) else set()
            if isinstance(call.node, jinja2.nodes.Getattr) and call.node.attr == "count":
                found.add(call.args[2].value)
    for path in (*FOLDER.glob("*.py"), Path(phrases.__file__)):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("words", "language", "self")
            ):
                found |= {node.args[0].value} if node.args and isinstance(node.args[0], ast.Constant) else set()
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "count":
                found |= {node.args[2].value} if len(node.args) > 2 else set()
    return found


def tables() -> set[str]:
    """Those that are looked up in a table first."""
    return {
        *overview.STATES.values(), *overview.WORKERS.values(), *(title for title, _ in overview.TABS.values()),
        *(title for title, _ in asking.ABOUT_A_JOB.values()), *job.FORMATS.values(), *job.ENDS.values(),
        "moderate", "high", "critical", *overview.HEADS.values(), *endpoints.TITLES.values(), *job.SILENCE.values(),
        *(title for title, _ in reporting.PERIODS.values()), *meaning.phrases(),
    }  # fmt: skip


def test_every_phrase_has_its_thai_and_none_is_left_over():
    names = {languages.english_name(code) for code in languages._NAMES}
    assert spoken() | tables() | names == set(THAI)


def test_values_stand_in_both_languages():
    """A phrase that lost its {name} would say nothing, one with another would fail when it is shown."""
    braces = re.compile(r"\{\w+\}")
    for english, thai in THAI.items():
        assert sorted(braces.findall(english)) == sorted(braces.findall(thai)), english


@pytest.mark.parametrize(
    ("cookie", "accepted", "wanted"),
    [
        (None, None, "en"),
        (None, "th", "th"),
        (None, "TH-th;q=0.3, fr;q=0.2", "th"),
        (None, "th;q=0, en", "en"),
        (None, "en;q=0.5, th;q=0.9", "th"),
        (None, "th;q=x", "en"),
        ("th", "en", "th"),
        ("xx", "en", "en"),
    ],
)
def test_which_language(cookie, accepted, wanted):
    assert language.chosen(cookie, accepted) == wanted

"""The catalogue explains every kind of event, in words that its records can fill."""

from __future__ import annotations

import ast
import functools
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

import sttd
from sttd.host.events import Kind

TOP = Path(sttd.__file__).parent
CATALOG = TOP.parent / "systemd" / "sttd.catalog"
ENTRY = re.compile(
    r"^-- ([0-9a-f]{32})\n((?:[A-Z][A-Za-z-]+: [^\n]+\n)+)\n(.+?)(?=\n+-- |\Z)", re.MULTILINE | re.DOTALL
)
ENTRIES = {number: (head, text) for number, head, text in ENTRY.findall(CATALOG.read_text("utf-8"))}
# built where the name of the kind is not in sight: see `Kind.of`, whose records carry the worker's text
FROM_WORKERS = {Kind.MODEL_TIMEOUT, Kind.MODEL_ERROR, Kind.MODEL_FALLBACK, Kind.CLEANUP, Kind.WORKER_CONFINED}


@functools.cache
def all_calls() -> list[tuple[Path, ast.Call]]:
    return [
        (path, node)
        for path in sorted(TOP.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]


def root(node: ast.expr) -> str:
    """What an expression begins with: `logger` of `logger.opt(depth=1).info`."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def calls(name: str) -> list[tuple[Path, ast.Call]]:
    """The calls of a function, or of any method of `logger`."""
    return [(path, node) for path, node in all_calls() if root(node.func) == name]


def said() -> dict[Kind, list[set[str]]]:
    """For each kind, the fields that each of the calls with it gives."""
    found: dict[Kind, list[set[str]]] = defaultdict(list)
    for _, call in calls("say"):
        fields = {f"STTD_{keyword.arg.upper()}" for keyword in call.keywords if keyword.arg != "level"}
        if len(call.args) > 2:
            fields |= {"STTD_JOB", "STTD_SOURCE"}
        for name in re.findall(r"Kind\.([A-Z_]+)", ast.unparse(call.args[0])):
            found[Kind[name]].append(fields)
    for kind in FROM_WORKERS:
        found[kind].append({"STTD_JOB", "STTD_SOURCE", "STTD_WORKER"})
    return found


def test_every_kind_has_an_entry_and_every_entry_a_kind():
    assert set(ENTRIES) == {kind.message_id for kind in Kind}


def test_every_entry_has_a_subject_and_a_text_that_fits_a_terminal():
    for kind in Kind:
        head, text = ENTRIES[kind.message_id]
        # a terminal marks each line whose entry has it, and most lines tell that all is well
        more = r"Documentation: man:sttd\(8\)\n" if kind.level in {"WARNING", "ERROR", "CRITICAL"} else ""
        assert re.fullmatch(r"Subject: .+\nDefined-By: sttd\n" + more, head), kind
        assert text.strip()
        assert max(len(line) for line in text.splitlines()) <= 140


def test_what_needs_somebody_to_act_says_what_to_do():
    for kind in Kind:
        if kind.level in ("ERROR", "CRITICAL"):
            assert re.search(r"`|sttd [a-z]+|What to do", ENTRIES[kind.message_id][1]), kind


def test_an_entry_names_no_field_that_no_record_of_its_kind_has():
    given = said()
    # these are said in several places, and `computed` ones by a variable that holds the kind
    computed = {
        Kind.JOB_STOPPED, Kind.JOB_CANCELLED, Kind.JOB_FAILED, Kind.JOB_WAITS, Kind.JOB_RETRY,
        Kind.WORKER_OOM, Kind.WORKER_KILLED, Kind.WORKER_DIED, Kind.MODEL_REPLACED, Kind.MODEL_LOADED,
    }  # fmt: skip
    variable = set().union(*(
        {f"STTD_{keyword.arg.upper()}" for keyword in call.keywords} | {"STTD_JOB", "STTD_SOURCE"}
        for _, call in calls("say") if isinstance(call.args[0], ast.Name)
    ))  # fmt: skip
    for kind in Kind:
        head, text = ENTRIES[kind.message_id]
        fields = set(re.findall(r"@(\w+)@", head + text))
        known = set().union(*given[kind]) | (variable if kind in computed else set())
        assert fields <= known, kind


def test_every_kind_is_said_somewhere():
    named = set(re.findall(r"Kind\.([A-Z_]+)", "\n".join(path.read_text("utf-8") for path in TOP.rglob("*.py"))))
    assert {kind.name for kind in Kind} - {kind.name for kind in FROM_WORKERS} <= named


def test_whatever_is_logged_of_a_job_a_worker_a_model_or_the_memory_is_an_event():
    """Else it would be missing in `journalctl STTD_JOB=42`."""
    about = re.compile(r"\W*(job|worker|model|memory)\b")
    loose = [
        f"{path.name}: {ast.unparse(call)}"
        for path, call in calls("logger")
        if call.args and about.match(ast.unparse(call.args[0]).removeprefix("f"))
    ]
    assert not loose


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="journalctl compiles it")
def test_journalctl_takes_the_catalogue_and_shows_it(tmp_path):
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(CATALOG, folder)
    done = subprocess.run(
        ["journalctl", "--update-catalog", f"--root={tmp_path}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = subprocess.run(
        ["journalctl", f"--root={tmp_path}", "--dump-catalog"], capture_output=True, text=True, check=True
    ).stdout
    assert {number for number, *_ in ENTRY.findall(shown)} == set(ENTRIES)

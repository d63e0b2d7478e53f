"""Who may import whom (DESIGN, section 3): read from the code, and seen in a process that imports it.

inbox/ ──> ledger/ ──> pool/ ──> worker/ ──> outbox/      stations: none knows another
daemon/ knows them all; rules/ are its decisions; fs/ has the steps on files that stations share;
cli/, web/ and notify/ read the ledger, view/ is what they share; host/ is what the machine tells and is told
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sttd

TOP = Path(sttd.__file__).parent
STATIONS = {"inbox", "ledger", "pool", "worker", "outbox"}
HEAVY = {"numpy", "av", "faster_whisper", "ctranslate2", "onnxruntime", "huggingface_hub", "tokenizers", "torch"}
# what else a part of the project may import of the project, beside itself; a part is a package or a module below sttd
SHARED = {
    "config",
    "errors",
    "existing",
    "fs",
    "inboxes",
    "job",
    "languages",
    "own",
    "part",
    "replacements",
    "script",
    "sharing",
    "text",
    "units",
    "",
}
MAY = {
    "worker": {"errors", "existing", "fs", "lanes", "languages", "part", "script", "sharing", "units", ""},
    "rules": {"job", "part", "sharing"},
    "fs": {"errors"},
    "inbox": SHARED | {"host"},
    "ledger": SHARED,
    "pool": SHARED | {"host"},
    "outbox": SHARED | {"host"},
    "host": {"errors", "fs", "job", "text", "units", ""},
    "daemon": SHARED | STATIONS - {"worker"} | {"configfile", "host", "hub", "rules"},
    "cli": SHARED
    | {
        "configfile",
        "daemon",
        "demo",
        "host",
        "hub",
        "inbox",
        "install",
        "ledger",
        "notify",
        "outbox",
        "phrases",
        "pool",
        "report",
        "rules",
        "search",
        "view",
        "web",
    },
    "web": SHARED | {"configfile", "host", "inbox", "ledger", "outbox", "phrases", "report", "rules", "search", "view"},
    "view": SHARED | {"inbox", "ledger", "rules"},
    "search": {"errors", "fs", "inboxes", "ledger", "text"},
    "notify": SHARED | {"host", "ledger", "view"},
    "hub": {"errors", "fs", "demo"},
    "install": {"config", "configfile", "errors", "host", ""},
    "configfile": {"config", "errors", "fs", "hub", "lanes", "part", "units", "", "host"},
    "lanes": {"part"},
    "config": {"inboxes", "part", "host", "script"},
    "inboxes": set(),
    "job": {"part", "errors"},
    "existing": {"languages"},
    "languages": {"part"},
    "part": {"sharing"},
    "sharing": {"units"},
    "own": set(),
    "phrases": {"languages"},
    "report": {"config", "job", "ledger", "phrases", ""},
    "demo": {""},
    "replacements": {"errors", "fs", "script"},
    "__main__": {"cli"},
}
EXTRA = {"starlette", "uvicorn", "jinja2", "prometheus_client", "python_multipart"}  # of sttd[web]
MODELS = {"sttd.hub.remote", "sttd.hub.session"}  # speak to the hub, for `sttd model pull` alone
CHILD = "sttd.pool.local.child"  # the code of the child process, which alone runs the worker


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(TOP.rglob("*.py")):
        words = ("sttd", *path.relative_to(TOP).with_suffix("").parts)
        yield ".".join(words[:-1] if words[-1] == "__init__" else words), path


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    """All of a file's syntax: each file is read once."""
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))


def imported(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever the import stands."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def libraries(path: Path) -> set[str]:
    """The packages that a file names in an import: `numpy.linalg` -> `numpy`."""
    return {name.split(".")[0] for name in imported(path)}


def part_of(name: str) -> str:
    """The part of the project that a name of it lies in: `sttd.pool.local.child.main` -> `pool`; "" for sttd's own."""
    words = name.split(".")
    exists = len(words) > 1 and ((TOP / words[1]).is_dir() or (TOP / f"{words[1]}.py").exists())
    return words[1] if exists else ""


def needed(path: Path) -> set[str]:
    """The modules of sttd that a file imports, at its top, in a function or for type checkers alone."""
    names = (name if name in MODULES else name.rpartition(".")[0] for name in imported(path))
    return {name for name in names if name in MODULES}


MODULES = dict(modules())


def offenders(broken: Callable[[str], set[str]]) -> dict[str, set[str]]:
    """What each module imports against a rule."""
    return {module: found for module in MODULES if (found := broken(module))}


def test_a_module_imports_only_what_its_place_allows():
    def broken(module: str) -> set[str]:
        own = part_of(module)
        ours = {part_of(name) for name in imported(MODULES[module]) if name.split(".")[0] == "sttd"}
        return ours - MAY.get(own, set()) - {own} - ({"worker"} if module == CHILD else set())

    assert offenders(broken) == {}


def test_the_parent_process_names_no_heavy_library():
    def broken(module: str) -> set[str]:
        allowed = {"huggingface_hub"} if module in MODELS else set()
        return libraries(MODULES[module]) & (HEAVY - allowed)

    assert [name for name in offenders(broken) if part_of(name) != "worker" and name != CHILD] == []


def test_only_the_page_names_the_libraries_of_its_extra():
    found = offenders(lambda module: libraries(MODULES[module]) & EXTRA)
    assert [name for name in found if part_of(name) != "web"] == []


def test_every_part_of_the_project_has_its_rule():
    parts = {part_of(name) for name in MODULES} - {"", "errors", "script", "text", "units"}
    assert parts == set(MAY)


@pytest.mark.parametrize(
    "name",
    ["sttd.daemon", "sttd.cli", "sttd.cli.app", "sttd.cli.models", "sttd.pool.build", "sttd.pool.local.child"],
)
def test_a_process_that_imports_it_has_no_heavy_library(name):
    code = f"import sys, {name}; print(*sorted({{each.split('.')[0] for each in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & (HEAVY | EXTRA | {"rich"})


def test_a_worker_starts_without_what_the_daemon_alone_needs():
    """The log and the configuration: 0.04 s of each worker's start, and 1.6 MiB of its memory."""
    code = "import sys, sttd.pool.local.child, sttd.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sttd.worker.part" in done.stdout.split()
    assert not set(done.stdout.split()) & {"loguru", "sttd.config", "sttd.pool.build"}


def test_no_modules_import_each_other_in_a_circle():
    """Each module can be read, moved and tested after those that it needs: imports have an order."""
    needs = {name: needed(path) - {name} for name, path in MODULES.items()}
    try:
        tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        pytest.fail("a circle of imports: " + " <- ".join(error.args[1]))


def test_no_parts_of_the_project_import_each_other_in_a_circle():
    """The same of packages: which of two is below the other can be told from what either imports."""
    needs: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        ours = {part_of(each) for each in imported(path) if each.split(".")[0] == "sttd"}
        needs.setdefault(part_of(name), set()).update(ours - {part_of(name)})
    try:
        tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        pytest.fail("a circle of packages: " + " <- ".join(error.args[1]))


@pytest.mark.parametrize(
    ("fact", "place"),
    [
        (16_000, "part.py"),
        (".sttd", "own.py"),
        (".sttd.lock", None),  # made of the one before
        (".filing.", "own.py"),
        ("work", "ledger/names.py"),
        ("ledger.db", "ledger/names.py"),
    ],
)
def test_a_fact_stands_in_one_place(fact, place):
    """Whoever changes it changes it everywhere. Texts for people may quote it."""
    found = [
        str(path.relative_to(TOP))
        for path in MODULES.values()
        for node in nodes(path)
        if isinstance(node, ast.Constant) and type(node.value) is type(fact) and node.value == fact
    ]
    assert found == ([place] if place else [])


def test_one_function_hashes_a_file_and_one_counts_the_gpus():
    def named(name: str) -> list[str]:
        return [
            str(path.relative_to(TOP))
            for path in MODULES.values()
            if any(name in (getattr(node, "attr", ""), getattr(node, "value", "")) for node in nodes(path))
        ]

    assert named("file_digest") == ["fs/digest.py"]
    assert named("nvidia[0-9]*") == ["host/capacity.py"]


def test_the_rules_catch_what_they_are_for(tmp_path):
    """The reader of imports sees them at every depth and in every form."""
    (tmp_path / "x.py").write_text(
        "import os, numpy.linalg as n\ndef f():\n    from sttd import pool\n    from sttd.worker.model import load\n"
    )
    assert list(imported(tmp_path / "x.py")) == ["os", "numpy.linalg", "sttd.pool", "sttd.worker.model.load"]
    assert [part_of(name) for name in ("sttd.pool", "sttd.worker.model.load", "sttd.__version__")] == [
        "pool",
        "worker",
        "",
    ]


def test_modules_and_functions_are_short():
    """As long as a newcomer reads them in one go: 300 lines, and 40."""
    paths = sorted(TOP.rglob("*.py"))
    assert [str(path) for path in paths if path.read_text("utf-8").count("\n") > 300] == []
    functions = [
        f"{path}: {node.name}"
        for path in paths
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 40
    ]
    assert functions == []

"""What README and the topics of `sttd help` say is true of the code: names of keys, commands, tests and files, lines of the log."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import sttd as package
from sttd.cli import help as help_module
from sttd.cli.app import sttd as program
from sttd.config import Config
from sttd.configfile import KEYS, load

TOP = Path(__file__).resolve().parent.parent.parent
README = TOP / "README.md"
TOPICS = sorted(help_module.DOCS.glob("*.md"))
TEXTS = [README, *TOPICS]
# words of quoted lines that are no number and no path: values, single words of the code between two values, SQLite's own
VALUES = set(
    "database or disk small base calls notes.docx docx nas.local minutes seconds SIGSEGV pool paths transcribe transcripts "
    "langage language Permission denied scans in ledger Host sttd resume job model recordings of Read-only file system echo talk.mp3 sttd.mark".split()
)
texts = pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)


def blocks(path: Path) -> list[str]:
    """The indented examples."""
    found = re.findall(r"(?:^    .*\n(?:(?:    .*)?\n)*)+", path.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def codes(path: Path) -> Iterator[str]:
    """What stands between backticks, and each line of an example."""
    for words in re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", path.read_text("utf-8")):
        yield " ".join(words.split())
    for block in blocks(path):
        yield from block.splitlines()


@texts
def test_each_topic_that_is_named_exists(path):
    named = {word for code in codes(path) for word in re.findall(r"sttd help ([a-z]+)", code)}
    assert named <= set(help_module.topics())


@texts
def test_each_file_that_is_linked_exists(path):
    targets = re.findall(r"\]\(([^)\s#]+)", path.read_text("utf-8"))
    assert [each for each in targets if not each.startswith("http") and not (path.parent / each).exists()] == []


@texts
def test_each_key_that_is_named_exists(path):
    """Of names with a dot those whose first part is a table of the configuration."""
    for code in codes(path):
        for section, key in re.findall(r"(?<![\w./\[-])([a-z]+)\.([a-z_]+)\b(?![./(*-])", code):
            if section in KEYS and key not in ("toml", "md"):
                assert key in KEYS[section], code


@texts
def test_each_example_of_a_configuration_is_one(path, tmp_path, monkeypatch):
    """Read as the daemon reads it: keys, values and what they have to do with each other. Those of units are none."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)  # those of Ray are examples where there is none
    examples = [block for block in blocks(path) if re.match(r"\[+[a-z.]+\]+\n", block)]
    for number, block in enumerate(examples):
        written = tmp_path / f"{number}.toml"
        written.write_text(block)
        load(written, environ={})
    assert examples or path.stem not in ("README", "thai", "library", "tuning", "languages", "formats")


@texts
def test_each_command_that_is_named_exists_with_its_options(path):
    for code in codes(path):
        for words in re.findall(r"(?:^|^\S*/bin/|&& (?:\S*/bin/)?)sttd((?: [^|&;]+)?)(?:$|[|&;])", code):
            require_command(words.split("   ")[0])


def require_command(words: str) -> None:
    """Walk down the commands, as click does."""
    command: click.Command = program
    options: set[str] = set()
    try:
        split = shlex.split(words.replace("[", "").replace("]", ""))
    except ValueError:  # an apostrophe in a comment behind it
        split = words.split()
    for word in split:
        options |= {name for each in command.params for name in [*each.opts, *each.secondary_opts]}
        if word.startswith("--"):
            assert word.partition("=")[0] in options, words
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z-]+", word) and command is not None:
            found = command.get_command(click.Context(command), word)
            assert found is not None, words
            command = found


@pytest.mark.parametrize("path", TOPICS, ids=lambda path: path.stem)
def test_an_example_fits_a_terminal_of_80_columns(path):
    from rich.cells import cell_len

    assert [line for block in blocks(path) for line in block.splitlines() if cell_len(line) > 76] == []


def test_how_a_text_looks_in_a_terminal():
    """Tables in columns, links by their words, a quoted line apart from what is around it."""
    from rich.console import Console

    from sttd.cli import page

    text = """# The `key`

Words that **go on**
`in` the next line: [a page](https://example.org), [a topic](topic.md).
`a line of the log`
More words.

| what | why |
| --- | --- |
| `one` | a reason |

| | |
| --- | --- |
| two | none |
"""
    screen = Console(width=40, color_system=None)
    with screen.capture() as captured:
        screen.print(page.rendered(text, 40))
    assert [line.rstrip() for line in captured.get().rstrip().splitlines()] == [
        "The key", "",
        "Words that go on in the next line: a", "page (https://example.org), a topic.", "a line of the log", "More words.", "",
        "what  why", "one   a reason", "",
        "two  none",
    ]  # fmt: skip


def fragments() -> set[str]:
    """What stands between the placeholders of each string in the code, of two words and more."""
    found = set()
    for path in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value.strip(" .,;:"))
    return {each for each in found if len(each.split()) > 1}


def test_the_lines_of_the_log_in_troubleshooting_are_those_of_the_code():
    """Each line that is quoted is made of strings of the code, from end to end; what else is in it looks like a value."""
    text = (help_module.DOCS / "troubleshooting.md").read_text("utf-8")
    lines = re.findall(r"^`+ ?(.+?) ?`+$", text, re.MULTILINE)
    assert len(lines) > 40
    known = sorted(fragments(), key=len, reverse=True)
    assert [line for line in lines if not is_said(line, known)] == []


def is_said(line: str, known: list[str]) -> bool:
    rest = line
    for fragment in known:
        rest = rest.replace(fragment, "\0")
    words = [word.strip(".,:;()[]'\"`!?") for word in rest.replace("\0", " ").split()]
    strange = [word for word in words if word and word not in VALUES and not re.search(r"[\d/_=…-]", word)]
    return "\0" in rest and not strange


@pytest.mark.parametrize(
    ("path", "line", "count"),
    [
        (help_module.DOCS / "thai.md", r"^- `(\w+)\.(\w+)` (\d+) (นาที|วินาที):", 8),
        (README, r"^\| `(\w+)\.(\w+)` \| (\d+) (นาที|วินาที) \|", 6),
    ],
    ids=["thai", "README"],
)
def test_the_durations_of_the_thai_texts_are_the_defaults(path, line, count):
    """A reader trusts the numbers."""
    named = re.findall(line, path.read_text("utf-8"), re.MULTILINE)
    assert len(named) == count
    for section, key, number, unit in named:
        assert getattr(getattr(Config(), section), key) == int(number) * {"นาที": 60, "วินาที": 1}[unit]

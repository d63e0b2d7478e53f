"""A text in simple Markdown for a terminal: headings, paragraphs, lists, indented examples, code between backticks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDEST = 100  # columns; longer lines are hard to read
_CODE = re.compile(r"``\s?(.+?)\s?``|`([^`]+)`")
_HEADING = re.compile(r"(#+)\s+(.*)")


def rendered(text: str, width: int) -> RenderableType:
    """The text, for a screen of `width` columns."""
    right = max(0, width - WIDEST)
    return Padding(Group(*_blocks(text)), (0, right, 0, 0))


def _blocks(text: str) -> Iterator[RenderableType]:
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.split("\n")
        heading = _HEADING.fullmatch(lines[0])
        if heading:
            yield Text(heading[2], "bold underline" if len(heading[1]) == 1 else "bold")
            lines = lines[1:]
        if lines and lines[0].startswith("    "):
            yield from (Padding(Text(line[4:], "cyan"), (0, 0, 0, 4)) for line in lines)
        elif lines:
            yield from map(_item, _items(lines))
        yield Text()


def _items(lines: list[str]) -> Iterator[str]:
    """Each item of a list, each line that is code alone, and what else there is, joined."""
    joined = ""
    for line in lines:
        if joined and (line.startswith(("- ", "`")) or (joined.endswith("`") and joined.startswith("`"))):
            yield joined
            joined = ""
        joined = f"{joined} {line.strip()}" if joined else line.strip()
    if joined:
        yield joined


def _item(words: str) -> RenderableType:
    if not words.startswith("- "):
        return _inline(words)
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(Text("  •"), _inline(words[2:]))
    return table


def _inline(words: str) -> Text:
    text, end = Text(), 0
    for code in _CODE.finditer(words):
        text.append(words[end : code.start()])
        text.append(code[1] or code[2], "cyan")
        end = code.end()
    return text.append(words[end:])

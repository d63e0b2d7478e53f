"""A text in simple Markdown for a terminal: headings, paragraphs, lists, tables, indented examples, code, links."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDEST = 100  # columns; longer lines are hard to read
_CODE = r"``\s?(?P<ticked>.+?)\s?``|`(?P<code>[^`]+)`"
_INLINE = re.compile(rf"{_CODE}|\*\*(?P<bold>[^*]+)\*\*")
_ALONE = re.compile(r"`[^`]+`|`` ?.+ ?``")  # a line of a log, say
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"(#+)\s+(.*)")
_RULE = re.compile(r"\|[\s|:-]+\|")  # between the head of a table and its rows


def rendered(text: str, width: int) -> RenderableType:
    """The text, for a screen of `width` columns."""
    right = max(0, width - WIDEST)
    return Padding(Group(*_blocks(text)), (0, right, 0, 0))


def _blocks(text: str) -> Iterator[RenderableType]:
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.split("\n")
        heading = _HEADING.fullmatch(lines[0])
        if heading:
            yield Text(heading[2].replace("`", ""), "bold underline" if len(heading[1]) == 1 else "bold")
            lines = lines[1:]
        if lines and lines[0].startswith("    "):
            yield from (Padding(Text(line[4:], "cyan"), (0, 0, 0, 4)) for line in lines)
        elif lines and lines[0].startswith("|"):
            yield _table(lines)
        elif lines:
            yield from map(_item, _items(lines))
        yield Text()


def _items(lines: list[str]) -> Iterator[str]:
    """Each item of a list, each line that is code alone, and what else there is, joined."""
    joined = ""
    for line in lines:
        if joined and (line.startswith("- ") or _ALONE.fullmatch(line) or _ALONE.fullmatch(joined)):
            yield joined
            joined = ""
        joined = f"{joined} {line.strip()}" if joined else line.strip()
    if joined:
        yield joined


def _item(words: str) -> RenderableType:
    if not words.startswith("- "):
        return _inline(words)
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")  # a long word is broken, not cut off
    table.add_row(Text("  •"), _inline(words[2:]))
    return table


def _table(lines: list[str]) -> Table:
    head, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=any(head), pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(_inline(name), overflow="fold")
    for number, row in enumerate(rows):
        if number or not _RULE.fullmatch(lines[1]):
            table.add_row(*map(_inline, row))
    return table


def _inline(words: str) -> Text:
    words = _LINK.sub(_link, words)
    text, end = Text(), 0
    for mark in _INLINE.finditer(words):
        text.append(words[end : mark.start()])
        text.append(mark["ticked"] or mark["code"] or mark["bold"], "bold" if mark["bold"] else "cyan")
        end = mark.end()
    return text.append(words[end:])


def _link(found: re.Match[str]) -> str:
    """The address is shown where it leads out of these texts: in a terminal nobody can click on the words."""
    words, target = found.groups()
    return f"{words} ({target})" if target.startswith("http") else str(words)

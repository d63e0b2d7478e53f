"""The topics of `sttd help` as man pages, sttd-TOPIC(7): the same texts in roff (man(7)), for `man` and `apropos`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_CODE = r"``\s?(?P<ticked>.+?)\s?``|`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


def topics(folder: Path) -> dict[str, str]:
    """The page of each topic in `folder`, by the topic's name."""
    return {path.stem: page(path.stem, path.read_text("utf-8")) for path in sorted(folder.glob("*.md"))}


def page(topic: str, text: str) -> str:
    """The page of one topic. Not justified, as Thai has few places to break a line; not hyphenated, as people copy log lines."""
    title, _, body = text.partition("\n")
    title = _inline(title.lstrip("# "))
    head = [f'.TH STTD-{topic.upper()} 7 "" "sttd" "sttd"', ".ad l", ".nh", ".SH NAME", f"sttd\\-{topic} \\- {title}"]
    return "\n".join([*head, ".SH DESCRIPTION", *_blocks(body), ""])


def _blocks(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.split("\n")
        if lines[0].startswith("#"):
            yield f".SH {_inline(lines.pop(0).lstrip('# '))}"
        if lines and lines[0].startswith("    "):
            yield from (".PP", ".RS 4", ".nf", *(_plain(line[4:]) for line in lines), ".fi", ".RE")
        elif lines and lines[0].startswith("|"):
            yield from _table(lines)
        elif lines:
            yield ".PP"
            yield from _items(lines)


def _items(lines: list[str]) -> Iterator[str]:
    """Paragraphs and items of a list. A line of nothing but code, such as a log line, stays a line of its own."""
    for line in "\n".join(lines).replace("\n  ", " ").split("\n"):
        if line.startswith("- "):
            yield ".IP \\(bu 3"
        yield _inline(line.removeprefix("- "))
        if re.fullmatch(r"`[^`]+`|`` ?.+ ?``", line):
            yield ".br"


def _table(lines: list[str]) -> Iterator[str]:
    """Each row becomes a tag and a paragraph. In a table of more than two columns, each cell follows its column's name."""
    head, _rule, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    for tag, *cells in rows:
        yield from (".TP", f"\\fB{_inline(tag, bold=True)}\\fP")
        for number, (name, cell) in enumerate(zip(head[1:], cells, strict=False)):
            if cell:
                yield from ((".br",) if number else ())
                yield f"{_inline(name)}: {_inline(cell)}" if len(cells) > 1 and name else _inline(cell)


def _inline(words: str, *, bold: bool = False) -> str:
    """The words without Markdown: code becomes bold, and a link to the web is followed by its address."""
    words = _LINK.sub(lambda link: link[1] + (f" ({link[2]})" if link[2].startswith("http") else ""), words)
    found, end = "", 0
    for mark in re.finditer(_CODE, words):
        code = _plain(mark["ticked"] or mark["code"] or mark["bold"])
        found += _escaped(words[end : mark.start()]) + (code if bold else f"\\fB{code}\\fP")
        end = mark.end()
    found += _escaped(words[end:])
    return f"\\&{found}" if found.startswith((".", "'")) else found


def _plain(code: str) -> str:
    """Code that can be copied and typed: roff would make other characters of hyphens and quotes."""
    code = _escaped(code)
    for sign, escape in (("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti")):
        code = code.replace(sign, escape)
    return f"\\&{code}" if code.startswith(".") else code


def _escaped(words: str) -> str:
    return words.replace("\\", "\\e")

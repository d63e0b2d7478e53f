"""A terminal as small as can be: what a person sees after what a program wrote. It knows the escapes that sttd uses, and no others."""

from __future__ import annotations

import re

from sttd.script import width

_ESCAPE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


class Terminal:
    """Lines are never scrolled out of it: what is seen by scrolling back is seen too."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._lines = [""]
        self._row = 0

    def feed(self, text: str) -> Terminal:
        at = 0
        while at < len(text):
            escape = _ESCAPE.match(text, at)
            if escape:
                self._escape(escape[1], escape[2])
                at = escape.end()
                continue
            self._put(text[at])
            at += 1
        return self

    @property
    def lines(self) -> list[str]:
        """Without the empty ones at the end."""
        found = [line.rstrip() for line in self._lines]
        while found and not found[-1]:
            found.pop()
        return found

    def _escape(self, numbers: str, letter: str) -> None:
        match letter:
            case "m":
                return
            case "A":
                assert int(numbers) <= self._row, "the cursor goes above what was written"
                self._row -= int(numbers)
            case "J":
                assert not numbers
                self._lines[self._row :] = [""]
            case _:
                raise AssertionError(f"escape {numbers}{letter}")

    def _put(self, char: str) -> None:
        if char == "\r":
            return  # the tty puts one before each new line
        if char == "\n":
            self._down()
            return
        assert char != "\x1b", "an escape that is not known"
        if width(self._lines[self._row] + char) > self.width:
            self._down()
        self._lines[self._row] += char

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append("")

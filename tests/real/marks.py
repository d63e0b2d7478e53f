"""How many marks of punctuation and capital letters a text has: the word errors leave both out.

A rate says how much is written, not whether it stands in the right place. So it is read beside that of the text that
was said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# behind a word, so that `...` and `?!` are one mark each; a point, comma or apostrophe inside a word (3.5, don't) is none
_MARK = re.compile(r"[.,;:?!…](?=[\"'”’)\]]*(?:\s|$))|[—–]|--+|(?<=\s)-(?=\s)")
_OPENING = "\"'“‘([¿¡"


@dataclass(frozen=True)
class Marks:
    """What one text has, or several together."""

    words: int = 0
    marks: int = 0
    capitals: int = 0  # words that begin with one: of sentences, of names, and "I"

    def __add__(self, other: Marks) -> Marks:
        return Marks(self.words + other.words, self.marks + other.marks, self.capitals + other.capitals)

    def per_hundred(self, count: int) -> float:
        """In 100 words."""
        return 100 * count / max(1, self.words)


def marks(text: str) -> Marks:
    """Count what a text has. Its words are those between spaces, as they are written."""
    words = [word for word in re.split(r"[\s—–]+|--+", text) if any(sign.isalnum() for sign in word)]
    capitals = sum(word.lstrip(_OPENING)[:1].isupper() for word in words)
    return Marks(len(words), len(_MARK.findall(text)), capitals)

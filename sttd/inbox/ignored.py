"""What a walk left alone, counted by kind, with an example of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sttd.inbox.rules import Why
from sttd.text import printable

MOST = 12  # suffixes that are counted separately; anybody can make up more
NAMED = 50  # kinds that are named in the log; anybody can make up more suffixes
_LONGEST = 16  # characters of a suffix; a longer one is probably a sentence with a dot in it
_REMEDY = {
    Why.HIDDEN: "to have it transcribed, give it a name that does not begin with a dot",
    Why.UNFINISHED: "it is taken once it has its final name",
    Why.FOREIGN: "to have recordings in it transcribed, move them elsewhere in the inbox",
    Why.LINK: "to have its file transcribed, copy that into the inbox",
    Why.SPECIAL: "",
    Why.SUFFIX: "to have such files transcribed, add their suffix to watch.suffixes",
    Why.RESULT: "",
    Why.CONTENT: "if it is a recording, rename it to a suffix that no other kind of file has, such as .m2ts, "
    "and add that to watch.suffixes",
    Why.DEEP: "to have recordings in it transcribed, shorten the path",
}
_OTHER = "others"


@dataclass(slots=True)
class Left:
    """One kind of what was left alone."""

    why: Why
    suffix: str  # of the files, where that is the reason
    example: str  # relative to the inbox
    count: int = 0

    @property
    def words(self) -> str:
        return f"{self.why}: {self.suffix}" if self.suffix else str(self.why)

    def line(self) -> str:
        """The log line about this kind."""
        others = f" and {self.count - 1} more" if self.count > 1 else ""
        remedy = f"; {_REMEDY[self.why]}" if _REMEDY[self.why] else ""
        return f"left alone in the inbox: {printable(self.example)}{others} ({self.words}){remedy}"


class Ignored:
    """Filled by one walk."""

    def __init__(self) -> None:
        self.kinds: dict[tuple[Why, str], Left] = {}

    def add(self, why: Why, rel: str) -> None:
        suffix = _suffix(rel) if why is Why.SUFFIX else ""
        if suffix and (why, suffix) not in self.kinds and len(self.kinds) >= MOST + len(Why):
            suffix = _OTHER
        self.kinds.setdefault((why, suffix), Left(why, suffix, rel)).count += 1

    def counts(self) -> dict[str, int]:
        """How many there are, by reason in words."""
        return {left.words: left.count for left in self.kinds.values()}

    def examples(self) -> dict[str, str]:
        """One of each kind, by reason in words; none that is hidden: programs put them there, and want them overlooked."""
        return {left.words: left.example for left in self.kinds.values() if left.why is not Why.HIDDEN}

    def unnamed(self, named: set[str]) -> Iterator[Left]:
        """The kinds that are not in `named` yet; they are added to it."""
        for left in self.kinds.values():
            if left.words not in named and len(named) < NAMED:
                named.add(left.words)
                yield left


def _suffix(rel: str) -> str:
    stem, dot, suffix = rel.rpartition("/")[2].rpartition(".")
    if not dot or not stem or not suffix:
        return "none"
    return f".{suffix.lower()}" if len(suffix) <= _LONGEST and suffix.isalnum() else _OTHER

"""A query as phrases of atoms. How these are indexed, and where they occur in a transcript. Pure.

A run of clusters is indexed as overlapping pairs of neighbours, and its last cluster by itself. The clusters of a query become
such pairs too, and are found wherever they stand side by side: no dictionary of words is needed. Each cluster of a text is also a
token of its own: a query of one cluster would otherwise have to read every pair that begins with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sttd.search.atoms import atoms, is_cluster

MOST = 32  # phrases of one query
_LONGEST = 1000  # characters of a query that are looked at
_STEM = 3  # letters: a word of so many also finds words that begin with it
# private-use characters, which no atom has: they tell our own tokens from words
_PAIR, _ALONE = "\ue000", "\ue001"
_EDGE = "\x1f"  # around each atom of a key
_ASKED = re.compile(r'["“”„]([^"“”„]*)["“”„]|[^\s"“”„]+')


@dataclass(frozen=True, slots=True)
class Phrase:
    """Atoms that stand side by side."""

    atoms: tuple[str, ...]
    is_open: bool = False  # the last word may go on: "record" finds "recording"


def phrases(asked: str) -> tuple[Phrase, ...]:
    """The phrases of a query, each of which must occur: one for each word, one for each text in quotes.

    What is quoted is found as it stands. A word of three letters and more also finds longer ones that begin with it.
    """
    found: dict[Phrase, None] = {}
    for match in _ASKED.finditer(asked[:_LONGEST]):
        quoted = match[1] is not None
        pieces = tuple(atoms(match[1] if quoted else match[0]))
        if pieces:
            last = pieces[-1]
            found[Phrase(pieces, not quoted and len(last) >= _STEM and last.isalpha() and not is_cluster(last))] = None
    return tuple(found)[:MOST]


def tokens(atoms: Sequence[str]) -> str:
    """The tokens of a text for the index, between spaces."""
    return " ".join(_tokens(atoms))


def _tokens(atoms: Sequence[str]) -> list[str]:
    clusters = [*map(is_cluster, atoms), False]
    after = [*atoms[1:], ""]
    return [
        atom if not clusters[at] else f"{atom}{_PAIR}{after[at]}" if clusters[at + 1] else f"{atom}{_PAIR}"
        for at, atom in enumerate(atoms)
    ]


def alone(atoms: Iterable[str]) -> str:
    """A token for each cluster of a text, for queries of one cluster."""
    return " ".join(f"{_ALONE}{atom}" for atom in sorted(set(atoms)) if is_cluster(atom))


def expression(phrase: Phrase) -> str:
    """A phrase in the syntax of FTS5. All tokens are in quotes, so that no text is read as syntax."""
    pieces = phrase.atoms
    if len(pieces) == 1 and is_cluster(pieces[0]):
        return f'"{_ALONE}{pieces[0]}"'
    *before, last = _tokens(pieces)
    if not is_cluster(pieces[-1]):
        return f'"{" ".join([*before, last])}"{" *" if phrase.is_open else ""}'
    if is_cluster(pieces[-2]):
        return f'"{" ".join(before)}"'  # the last pair ends with the last cluster
    return f'"{" ".join([*before, last])}" *'  # the last cluster stands alone, or begins a pair


def key(atoms: Iterable[str]) -> str:
    """A text in which `places` finds phrases."""
    return _EDGE.join(["", *atoms, ""])


def atoms_of(key: str) -> list[str]:
    """The atoms that a key was made of."""
    return key.split(_EDGE)[1:-1]


Stretch = tuple[int, int]  # start and end


def places(key: str, phrase: Phrase, most: int) -> list[Stretch]:
    """Where a phrase stands in a key, in order. The end of one that is open may be before the end of its last word."""
    wanted = _EDGE + _EDGE.join(phrase.atoms) + ("" if phrase.is_open else _EDGE)
    found: list[Stretch] = []
    at = key.find(wanted)
    while at >= 0 and len(found) < most:
        found.append((at, at + len(wanted) - 2))
        at = key.find(wanted, at + 1)
    return found


def nearest(found: Sequence[Sequence[Stretch]]) -> Stretch:
    """The shortest stretch that has a place of each phrase; the earliest of equal ones.

    Args:
        found: the places of each phrase, in their order; none is empty.
    """
    last: dict[int, Stretch] = {}
    best: Stretch | None = None
    for place, which in sorted((place, which) for which, places in enumerate(found) for place in places):
        last[which] = place
        if len(last) == len(found):
            start, end = min(last.values())[0], max(end for _, end in last.values())
            if best is None or end - start < best[1] - best[0]:
                best = (start, end)
    if best is None:
        raise ValueError("a phrase has no place")
    return best


def marks(text: Sequence[tuple[str, int, int]], wanted: Sequence[Phrase]) -> list[Stretch]:
    """The stretches of a text that match a phrase, without overlaps, in order.

    Args:
        text: its atoms, each with start and end.
        wanted: the phrases.
    """
    names = [atom for atom, _, _ in text]
    found: list[Stretch] = []
    for phrase in wanted:
        *exact, last = phrase.atoms
        for at in range(len(names) - len(exact)):
            end = names[at + len(exact)]
            if names[at : at + len(exact)] == exact and (end.startswith(last) if phrase.is_open else end == last):
                found.append((text[at][1], text[at + len(exact)][2]))
    return _apart(sorted(found))


def _apart(found: Iterable[Stretch]) -> list[Stretch]:
    apart: list[Stretch] = []
    for start, end in found:
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart

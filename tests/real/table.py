"""The scores of all ways over groups of recordings: as a table, and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.real.corpus import Clip
from tests.real.hear import Heard
from tests.real.marks import Marks, marks
from tests.real.score import Score, differences, score
from tests.real.ways import OURS, OURS_BOTH, PEERS, SEQUENTIAL

_THAI = 0.8  # of the best peer's errors in Thai, at most


@dataclass(frozen=True)
class Result:
    """What one way made of one clip: the median of its runs, by errors."""

    score: Score
    heard: Heard
    runs: int

    @classmethod
    def of(cls, clip: Clip, runs: Sequence[Heard]) -> Result:
        scored = [(score(clip.text, heard["text"], clip.language), heard) for heard in runs]
        scored.sort(key=lambda pair: pair[0].errors)
        middle, heard = scored[len(scored) // 2]
        return cls(middle, heard, len(runs))


@dataclass
class Group:
    """All results of a group of clips."""

    name: str
    clips: list[Clip] = field(default_factory=list)
    ways: dict[str, dict[str, Result]] = field(default_factory=dict)  # by way and name of the clip

    @property
    def silent(self) -> bool:
        """Nobody speaks in any of its clips."""
        return not any(clip.text for clip in self.clips)

    @property
    def language(self) -> str:
        """That of all its clips, or "mul"."""
        languages = {clip.language for clip in self.clips}
        return languages.pop() if len(languages) == 1 else "mul"

    def total(self, way: str) -> Score:
        return sum((result.score for result in self.ways[way].values()), Score())

    def marks(self, way: str) -> Marks:
        """Of what a way heard in all clips."""
        return sum((marks(result.heard["text"]) for result in self.ways[way].values()), Marks())

    def said(self) -> Marks | None:
        """The same of the clips' own texts; None where any of them is written without punctuation."""
        found = [marks(clip.text) for clip in self.clips]
        return sum(found, Marks()) if all(each.marks for each in found) else None

    def processor(self, way: str) -> float:
        return sum(float(result.heard["processor"]) for result in self.ways[way].values())

    def best(self) -> str | None:
        """The peer with the fewest errors; of several the one that leaves out most."""
        peers = [way for way in PEERS if way in self.ways]
        return min(peers, key=lambda way: (self.total(way).errors, -self.total(way).deletions), default=None)

    def ours(self) -> str | None:
        """The way that is judged: where several languages are spoken the one that is told which."""
        wanted = (OURS_BOTH, OURS) if self.language == "mul" else (OURS,)
        return next((way for way in wanted if way in self.ways), None)

    def misses(self) -> list[str]:
        """What is not as good as it must be, in words."""
        ours, best = self.ours(), self.best()
        if ours is None:
            return []
        mine = self.total(ours)
        if self.silent:
            return [f"{mine.errors} words where nobody speaks"] if mine.errors else []
        if best is None:
            return []
        theirs = self.total(best)
        most = int(theirs.errors * (_THAI if self.language == "th" else 1.0))
        found = []
        if mine.errors > most:
            found.append(f"{mine.errors} errors; {best} has {theirs.errors}, so at most {most} are wanted")
        if mine.deletions > theirs.deletions:
            found.append(f"{mine.deletions} deletions; {best} has {theirs.deletions}")
        return found


def groups(clips: Sequence[Clip], heard: Mapping[str, Mapping[str, Sequence[Heard]]]) -> list[Group]:
    """Sort results (by way, by name of the clip, the runs) into groups, in the clips' order."""
    found: dict[str, Group] = {}
    for clip in clips:
        group = found.setdefault(clip.group, Group(clip.group))
        group.clips.append(clip)
        for way, runs in heard.items():
            if clip.name in runs:
                group.ways.setdefault(way, {})[clip.name] = Result.of(clip, runs[clip.name])
    return list(found.values())


def table(found: Sequence[Group]) -> Iterator[str]:
    """Lines of Markdown: a row for each group and way."""
    yield "| group | way | wrong | errors | subst. | ins. | del. | loops | processor ÷ sequential | runs |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for group in found:
        units = "characters" if group.language == "th" else "words"
        for number, way in enumerate(group.ways):
            total = group.total(way)
            head = f"{group.name}: {len(group.clips)} files, {total.units} {units}" if number == 0 else ""
            wrong = f"{total.errors} words" if group.silent else f"{100 * total.rate:.1f} %"
            sequential = group.processor(SEQUENTIAL) if SEQUENTIAL in group.ways else 0
            cost = f"{group.processor(way) / sequential:.2f}" if sequential else ""
            counts = (total.errors, total.substitutions, total.insertions, total.deletions, total.loops)
            runs = sorted({result.runs for result in group.ways[way].values()})
            cells = [head, way, wrong, *map(str, counts), cost, " or ".join(map(str, runs))]
            yield "| " + " | ".join(cells) + " |"


def marks_table(found: Sequence[Group]) -> Iterator[str]:
    """Lines of Markdown: punctuation and capital letters of what was said and heard, of groups in English alone."""
    english = [group for group in found if group.language == "en" and not group.silent]
    if not english:
        return
    yield "| group | text | words | marks in 100 words | capitals in 100 words |"
    yield "| --- | --- | --- | --- | --- |"
    for group in english:
        said = group.said()
        texts = [("what was said", said)] if said else []
        texts += [(way, group.marks(way)) for way in group.ways]
        for number, (name, has) in enumerate(texts):
            head = f"{group.name}: {len(group.clips)} files" if number == 0 else ""
            rates = (f"{has.per_hundred(count):.1f}" for count in (has.marks, has.capitals))
            yield "| " + " | ".join([head, name, str(has.words), *rates]) + " |"


def files(group: Group) -> Iterator[str]:
    """Lines of Markdown: a row for each clip of a group, with the errors of each way (subst.+ins.+del.+loops)."""
    ways = list(group.ways)
    yield f"| {group.name} | units | " + " | ".join(ways) + " |"
    yield "| --- " * (len(ways) + 2) + "|"
    for clip in group.clips:
        scores = [group.ways[way][clip.name].score for way in ways]
        cells = [f"{s.errors} = {s.substitutions}+{s.insertions}+{s.deletions}+{s.loops}" for s in scores]
        yield f"| {clip.name} | {scores[0].units} | " + " | ".join(cells) + " |"


def reasons(group: Group) -> Iterator[str]:
    """For people who look for the fault: each clip in which ours is worse than the best peer, with all that differs."""
    ours, best = group.ours(), group.best()
    for clip in group.clips:
        mine = group.ways[ours][clip.name] if ours else None
        theirs = group.ways[best][clip.name] if best else None
        if mine is None or not mine.score.errors or (theirs and not group.silent and not _worse(mine, theirs)):
            continue
        than = f", {best} {theirs.score.errors}" if theirs else ""
        yield f"{clip.name}: {ours} {mine.score.errors}{than} of {mine.score.units} ({mine.heard['language']})"
        yield f"  {ours}: {differences(clip.text, mine.heard['text'], clip.language)}"
        if theirs:
            yield f"  {best}: {differences(clip.text, theirs.heard['text'], clip.language)}"


def _worse(mine: Result, theirs: Result) -> bool:
    return mine.score.errors > theirs.score.errors or mine.score.deletions > theirs.score.deletions

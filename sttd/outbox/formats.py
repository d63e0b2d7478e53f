"""The formats of a result: a class each, written segment by segment so that memory does not grow with the length."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Protocol, TextIO

from sttd.outbox.meta import Meta
from sttd.part import Segment

LEAST_CUE = 1  # milliseconds: players drop a cue without a duration


class Format(Protocol):
    def write(self, file: TextIO, meta: Meta, segments: Iterable[Segment]) -> None: ...


def line(text: str) -> str:
    """The text of a segment on one line: nothing in it can end a cue or a row."""
    return " ".join(text.split())


def cues(segments: Iterable[Segment]) -> Iterator[tuple[int, int, str]]:
    """(start, end, text) in whole milliseconds: in order, none overlapping the next, none empty."""
    before: tuple[int, int, str] | None = None
    for segment in segments:
        text = line(segment.text)
        if not text:
            continue
        start, end = round(segment.start * 1000), round(segment.end * 1000)
        if before is not None:
            start = max(start, before[0] + LEAST_CUE)
            yield before[0], min(before[1], start), before[2]
        before = (start, max(end, start + LEAST_CUE), text)
    if before is not None:
        yield before


def clock(milliseconds: int, mark: str) -> str:
    """hh:mm:ss and the milliseconds after `mark`; hours may have more than two digits."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{rest:03}"


class Txt:
    def write(self, file: TextIO, meta: Meta, segments: Iterable[Segment]) -> None:  # noqa: ARG002 - one protocol
        for segment in segments:
            if text := line(segment.text):
                file.write(text + "\n")


class Srt:
    def write(self, file: TextIO, meta: Meta, segments: Iterable[Segment]) -> None:  # noqa: ARG002
        for number, (start, end, text) in enumerate(cues(segments), 1):
            safe = text.replace("-->", "→")
            file.write(f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{safe}\n\n")


class Vtt:
    """https://www.w3.org/TR/webvtt1/: `&` and `<` are escaped, and so is the `>` of an arrow."""

    def write(self, file: TextIO, meta: Meta, segments: Iterable[Segment]) -> None:  # noqa: ARG002
        file.write("WEBVTT\n")
        for start, end, text in cues(segments):
            safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            file.write(f"\n{clock(start, '.')} --> {clock(end, '.')}\n{safe}\n")


class Tsv:
    def write(self, file: TextIO, meta: Meta, segments: Iterable[Segment]) -> None:  # noqa: ARG002
        file.write("start\tend\ttext\n")
        file.writelines(f"{start}\t{end}\t{text}\n" for start, end, text in cues(segments))


class Json:
    def write(self, file: TextIO, meta: Meta, segments: Iterable[Segment]) -> None:
        head = json.dumps(dataclasses.asdict(meta), ensure_ascii=False, indent=1)
        file.write(head.removesuffix("\n}") + ',\n "segments": [')
        mark = "\n"
        for segment in segments:
            file.write(f"{mark}  {json.dumps(dataclasses.asdict(segment), ensure_ascii=False)}")
            mark = ",\n"
        file.write("\n ]\n}\n")


FORMATS: dict[str, Format] = {"txt": Txt(), "srt": Srt(), "vtt": Vtt(), "tsv": Tsv(), "json": Json()}

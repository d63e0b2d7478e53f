"""Plain text to read, and a table for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TextIO

from sttd.outbox.formats.base import clock, line, milliseconds, whole
from sttd.outbox.formats.paragraphs import paragraphs
from sttd.outbox.formats.rows import rows
from sttd.outbox.formats.speakers import label
from sttd.outbox.meta import Meta
from sttd.part import Segment

# https://spec.commonmark.org/0.31.2/#backslash-escapes; a dollar begins a formula in some readers
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|~&$=]")


class Txt:
    """Paragraphs, each a line, with an empty line between them."""

    suffix = "txt"

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:  # noqa: ARG002 - every format's
        between = ""
        for paragraph in paragraphs(segments):
            file.write(f"{between}{label(paragraph.speaker)}{paragraph.text}\n")
            between = "\n"


class Md:
    """Markdown: facts about the recording as YAML front matter, then paragraphs with their times."""

    suffix = "md"

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:
        name = whole(meta.source.rpartition("/")[2].encode("utf-8", "backslashreplace").decode())
        facts = {
            "source": name,
            "speakers": [line(name) for name in meta.speakers.values()] or None,
            "language": meta.language,
            "length": clock(milliseconds(meta.duration or 0.0), ".").partition(".")[0],
            "model": meta.model,
            "requested_model": meta.requested_model if meta.requested_model != meta.model else None,
            "fallback_reason": meta.fallback_reason,
            "transcribed": meta.head()["timings"]["finished"],
            "warnings": list(meta.warnings) or None,
        }
        file.write("---\n")
        for key, value in facts.items():
            if value is not None:
                file.write(f"{key}: {json.dumps(value, ensure_ascii=False)}\n")  # JSON is valid YAML
        file.write(f"---\n\n# {_literal(line(name))}\n")
        for paragraph in paragraphs(segments):
            time, who = clock(paragraph.start, ".").partition(".")[0], _literal(line(paragraph.speaker))
            head = f"{time} {who}:" if who else time
            file.write(f"\n**{head}** {_literal(paragraph.text)}\n")


def _literal(text: str) -> str:
    """Escape text, so that no heading, image or HTML can come of what was said."""
    return _MARKUP.sub(r"\\\g<0>", text)


class Tsv:
    """Start and end in whole milliseconds, then the text, separated by tabs, as Whisper's; then the speaker, if known."""

    suffix = "tsv"

    def write(self, file: TextIO, meta: Meta, segments: Iterator[Segment]) -> None:
        columns = ("start", "end", "text", "speaker") if meta.speakers else ("start", "end", "text")
        file.write("\t".join(columns) + "\n")
        file.writelines("\t".join(str(getattr(row, column)) for column in columns) + "\n" for row in rows(segments))

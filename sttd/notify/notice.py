"""A notice: what happened, in words for people and as JSON for programs."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sttd import inboxes
from sttd.job import Job
from sttd.text import printable, sentence
from sttd.units import format_duration

TITLES = {
    "done": "transcribed",
    "failed": "could not be transcribed",
    "fallback": "another model is used",
    "warning": "transcribed, with a warning",
    "memory-critical": "memory is critical",
    "held-up": "held up",
    "back": "works again",
    "test": "a test",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened. `word` is unique among all notices of one notifier, and the same if the event is found again."""

    word: str
    event: str  # of config.receiver.EVENTS, or "test"
    at: float  # UTC seconds
    text: str  # one line
    data: Mapping[str, Any] = field(default_factory=dict)
    job: int | None = None
    source: str | None = None  # of the job
    language: str | None = None

    @property
    def title(self) -> str:
        return f"sttd on {socket.gethostname()}: {TITLES[self.event]}"

    @property
    def folders(self) -> list[str]:
        """The folders that the job's recording lies in, the nearest one first; ["."] if it lies in the inbox itself.

        A recording of an inbox with a name counts as lying in a folder of that name, as its results do.
        """
        inbox, path = inboxes.split(self.source or "")
        components = [component for component in (inbox, *path.split("/")[:-1]) if component]
        return ["/".join(components[:count]) for count in range(len(components), 0, -1)] or ["."]

    @property
    def name(self) -> str:
        """The file name of the job's recording."""
        return (self.source or "").rpartition("/")[2]

    def body(self, identity: str) -> bytes:
        """The JSON that receivers get; the fields are named as Standard Webhooks advise. It is ASCII.

        `identity`: of the notice, for the receiver.
        """
        at = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        data = {**self.data, "host": socket.gethostname()}
        whole = {"type": self.event, "timestamp": at, "id": identity, "text": self.text, "data": data}
        return json.dumps(_sound(whole)).encode("ascii")


def _sound(value: Any) -> Any:
    """Without lone surrogates (bytes of names that are no UTF-8), which many readers of JSON refuse."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {key: _sound(each) for key, each in value.items()}
    return [_sound(each) for each in value] if isinstance(value, list | tuple) else value


def of_job(event: str, word: str, job: Job, data: Mapping[str, Any], at: float) -> Notice:
    """A notice about a job."""
    text = sentence(f"{printable(job.source)}: {_words(event, job)}")
    return Notice(word, event, at, text, data, job.id, job.source, job.language)


def _words(event: str, job: Job) -> str:
    match event:
        case "done":
            audio = "" if job.audio_seconds is None else f", {format_duration(round(job.audio_seconds))}"
            return f"transcribed ({job.language or 'no language'}{audio})"
        case "failed":
            return job.error or "failed"
        case "fallback":
            return f"model {job.model} is used instead of {job.requested_model}: {job.fallback_reason}"
        case _:
            return "; ".join(job.warnings)

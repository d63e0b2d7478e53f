"""What a person asks the daemon for, and how it is written down. What is read may have been written by anybody."""

from __future__ import annotations

import dataclasses
import enum
import json
from dataclasses import dataclass

from sttd.errors import UsageError
from sttd.text import printable

LONGEST = 1024  # characters of a name

MOST_FIRST = 20  # jobs that can be before all others: each is looked up whenever a job may start


class Ask(enum.StrEnum):
    """The kinds of requests."""

    RETRY = "retry"  # a job that ended without a result
    RETRY_FAILED = "retry-failed"  # every failed job
    CANCEL = "cancel"
    REDO = "redo"  # a done job once more, as a new job; one that ended without a result is queued again
    NEXT = "next"  # a waiting job before all others
    PAUSE = "pause"
    RESUME = "resume"


ABOUT_A_JOB = frozenset({Ask.RETRY, Ask.CANCEL, Ask.REDO, Ask.NEXT})


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `model` and `language` belong to a redo alone."""

    kind: Ask
    job: int | None = None
    model: str | None = None
    language: str | None = None


def to_bytes(request: Request) -> bytes:
    values = {name: value for name, value in dataclasses.asdict(request).items() if value is not None}
    return json.dumps(values).encode("ascii") + b"\n"


def from_bytes(data: bytes) -> Request:
    """The request that was written down.

    Raises:
        UsageError: it is not a request; the message says why.
    """
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):  # the latter where brackets are nested by the thousand
        raise UsageError("it is not JSON") from None
    if not isinstance(values, dict):
        raise UsageError("it is not a JSON object")
    unknown = values.keys() - {field.name for field in dataclasses.fields(Request)}
    if unknown:
        raise UsageError(f"this version knows no {printable(min(unknown)[:LONGEST])!r}")
    kind = values.get("kind")
    if kind not in list(Ask):
        raise UsageError(f"this version knows no request {printable(str(kind)[:LONGEST])!r}")
    return checked(Request(Ask(kind), values.get("job"), values.get("model"), values.get("language")))


def checked(request: Request) -> Request:
    """The request itself, if its fields can be what they are meant to be.

    Raises:
        UsageError: they cannot; the message says why.
    """
    number = request.job
    if request.kind in ABOUT_A_JOB and (type(number) is not int or not 0 < number < 2**63):
        raise UsageError(f"{request.kind} is about a job, and says no number")
    for name in ("model", "language"):
        value = getattr(request, name)
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable()):
            raise UsageError(f"its {name} is no text that can be read: {printable(str(value)[:80])!r}")
    return request


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request."""

    ok: bool | None  # None: it is being carried out
    text: str = ""  # for who asked
    jobs: int = 0  # carried out so far
    last: int = 0  # the number of the last job that was looked at

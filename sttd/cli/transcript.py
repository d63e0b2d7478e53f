"""`sttd show --text`: the transcript of a job, from its results."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Any

from sttd.cli.screen import is_terminal
from sttd.errors import SttdError
from sttd.fs.patience import answers
from sttd.fs.regular import open_regular
from sttd.job import ENDED, Job, State
from sttd.text import printable, sentence

_BEST_FIRST = (".txt", ".md", ".json", ".srt", ".vtt", ".tsv", ".lrc")


class NoTranscript(SttdError):
    """There is none to be printed; the message says why."""


def show(job: Job) -> None:
    """Print it. On a terminal each line is made harmless; a pipe gets what the file holds.

    Raises:
        NoTranscript: the job is not done, or its results are gone or cannot be read.
    """
    text = _text(job)
    if is_terminal():
        text = "".join(f"{sentence(line)}\n" for line in text.splitlines())
    sys.stdout.write(text)


def _text(job: Job) -> str:
    if job.state is not State.DONE:
        why = job.error or "it ended without one"
        after = why if job.state in ENDED else f"`sttd wait {job.id}` waits for its end"
        raise NoTranscript(f"job {job.id} is {job.state}, and has no transcript: {after}")
    suffixes = {Path(output).suffix: output for output in job.outputs}
    path = next((suffixes[suffix] for suffix in _BEST_FIRST if suffix in suffixes), None)
    if path is None:
        raise NoTranscript(f"job {job.id} is done without a result: `sttd show {job.id}` says why")
    # a share that does not answer is waited for no longer than anything else
    read: dict[str, Any] = answers({"read": functools.partial(_read, path)})
    found = read.get("read", {"problem": "its folder does not answer"})
    if "problem" in found:
        raise NoTranscript(
            f"{printable(path)}: {found['problem']}: where it was removed, `sttd redo {job.id}` makes it anew"
        )
    return str(found["text"])


def _read(path: str) -> dict[str, str]:
    """Its text, or why it cannot be read."""
    import json

    try:
        with os.fdopen(open_regular(path), encoding="utf-8", errors="replace") as file:
            text = file.read()
        if path.endswith(".json"):
            text = "\n".join(str(segment["text"]).strip() for segment in json.loads(text)["segments"])
    except OSError as error:
        return {"problem": error.strerror or str(error)}
    except (ValueError, KeyError, TypeError):
        return {"problem": "it is no transcript of sttd any more"}
    return {"text": text if text.endswith("\n") or not text else f"{text}\n"}

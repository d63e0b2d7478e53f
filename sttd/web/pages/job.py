"""A job's page: how it stands, its life, and what the ledger knows of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sttd.job import ENDED, UNDER_WAY, Job, State
from sttd.text import printable, sentence
from sttd.view import life, plain
from sttd.web.pages import asking, meaning
from sttd.web.pages.language import Words
from sttd.web.pages.live import Snapshot
from sttd.web.pages.overview import STATES, attempt, name_of

# what the page calls them; all but the first four are made of the JSON where they were not written
FORMATS = {
    "txt": "Text", "srt": "Subtitles", "vtt": "Subtitles for the web", "json": "All data", "tsv": "Table",
    "md": "Markdown", "lrc": "Lyrics",
}  # fmt: skip


def standing(
    job: Job, shot: Snapshot, ahead: int, words: Words, *, may_ask: bool, said: meaning.Said | None
) -> dict[str, Any]:
    """What the template `standing.html` shows. `ahead`: how many jobs have waited longer."""
    worker = shot.worker_of(job.id)
    under_way = job.state in UNDER_WAY
    at = again = ""
    if worker is not None and worker["done"] is not None:
        # of a recording that is shared out all parts together
        done, length = (worker["done"], worker["total"]) if job.shared is None else (job.progress, job.audio_seconds)
        total = f" / {plain.clock(length)}" if length else ""
        at = f"{plain.clock(done)}{total}"
        again = attempt(worker, words) if job.shared is None and plain.is_again(worker) else ""
    share = None
    if job.state is State.RUNNING:
        share = plain.done_share(job) if worker is None or job.shared is not None else worker["progress"]
    waits = job.state is State.QUEUED and job.not_before > time.time()
    return {
        "job": job,
        "ended": job.state in ENDED,
        "name": name_of(job.source)[0],
        "word": STATES[job.state],
        "waits": _waits(job, ahead, words),
        "next_try": job.not_before if waits and not job.waits_for_folder else None,
        "share": share,
        "at": at,
        "again": again,
        "left": worker and worker["job_left"],
        "ends_at": shot.ends_at(job.id),
        "error": meaning.of_error(job.error, job.cause) if job.error and not under_way else None,
        "fallback": meaning.of_fallback(job.fallback_reason or ""),
        "warnings": [meaning.of_warning(each) for each in job.warnings],
        "said": said,
        "asks": list(asking.offers(job)) if may_ask else [],
    }


def _waits(job: Job, ahead: int, words: Words) -> str:
    """What a queued job waits for."""
    if job.state is not State.QUEUED:
        return ""
    if job.copy_of is not None:
        return words("It gets the result of job {id}, whose content is the same.", id=job.copy_of)
    if job.waits_for_folder:
        return words("It waits until the options of its folder are put right.")
    if job.not_before > time.time():
        return words("Next try:")
    if ahead == 0:
        return words("It is the next one.")
    return words.count(ahead, "One other waits before it.", "{n} others wait before it.")


@dataclass(frozen=True, slots=True)
class Milestone:
    """One step in the life of a job."""

    at: float | None  # UTC seconds
    text: str
    kind: str = ""  # good, bad, busy
    error: meaning.Said | None = None


def history(job: Job, attempts: list[dict[str, Any]], words: Words) -> Iterator[Milestone]:
    """From drop to archive."""
    yield Milestone(job.created_at, words("Dropped into {folder}", folder=name_of(job.source)[1] or "inbox"))
    if job.redo_of is not None:
        yield Milestone(None, words("Transcribed anew, as it was asked for job {id}", id=job.redo_of))
    for each in attempts:
        yield _attempt(each, words)
    if job.state not in ENDED:
        return
    if job.state is State.DONE:
        yield Milestone(job.finished_at, words("Its transcript is in place"), "good")
    else:
        told = not job.error or (attempts and job.error == attempts[-1]["error"])
        error = None if told else meaning.of_error(job.error or "", job.cause)
        yield Milestone(job.finished_at, words(ENDS[job.state]), "bad", error)
    if job.location:
        yield Milestone(None, words("The recording lies at {path}", path=printable(job.location)))
    elif job.location == "":
        yield Milestone(None, words("The recording is gone: deleted, replaced or taken away"))


# what is said instead of a transcript
SILENCE = {State.DONE: "Nobody was heard speaking.", None: "Its transcript will be here."} | dict.fromkeys(
    ENDED - {State.DONE}, "There is no transcript."
)
ENDS = {State.FAILED: "Given up", State.CANCELLED: "Cancelled", State.VANISHED: "Its file is gone"}


def _attempt(each: dict[str, Any], words: Words) -> Milestone:
    who = words("Attempt {n}", n=each["attempt"])
    if each["model"]:
        who = words("Attempt {n} with the model {model}", n=each["attempt"], model=printable(each["model"]))
    if each["worker"]:
        who = words("{attempt} on {worker}", attempt=who, worker=printable(each["worker"]))
    if each["ended_at"] is None:
        return Milestone(each["started_at"], words("{attempt} is under way", attempt=who), "busy")
    lasted = words.span(each["ended_at"] - each["started_at"])
    if not each["cause"]:
        return Milestone(each["started_at"], words("{attempt}: done after {span}", attempt=who, span=lasted), "good")
    words_of_it = ": ".join(text for text in (life.ENDS.get(each["cause"], each["cause"]), each["error"]) if text)
    why = meaning.Said(sentence(words_of_it), meaning.of_error(each["error"] or "", each["cause"]).meaning)
    return Milestone(each["started_at"], words("{attempt} ended after {span}:", attempt=who, span=lasted), "bad", why)


def details(job: Job, head: dict[str, Any], words: Words) -> Iterator[tuple[str, Any]]:
    """Words and what they say; `{"job": number}` becomes a link."""
    yield words("State"), words(STATES[job.state])
    yield words("Size"), plain.size(job.size)
    if job.audio_seconds is not None:
        yield words("Length"), plain.clock(job.audio_seconds)
    if job.language not in (None, "", "und"):
        sure = "" if job.language_probability is None else f" ({job.language_probability:.0%})"
        yield words("Language"), f"{words.name_of(job.language)}{sure}"
    spoken = head.get("languages")
    if isinstance(spoken, dict) and len(spoken) > 1:
        each = (f"{words.name_of(str(code))} {plain.clock(_number(seconds))}" for code, seconds in spoken.items())
        yield words("Spoken"), ", ".join(each)
    if job.model:
        yield words("Model"), printable(job.model)
    if job.requested_model and job.requested_model != job.model:
        yield words("Model asked for"), printable(job.requested_model)
    if job.attempt > 1:
        yield words("Attempts"), words("{n} begun, {m} gone on from a checkpoint", n=job.attempt, m=job.resumes)
    if job.service:
        yield words("Computing time"), _work(job, words)
    if job.folder_options:
        yield words("Options from"), printable(", ".join(job.folder_options.files))
    if job.redo_of is not None:
        yield words("Anew of"), {"job": job.redo_of}
    if job.copy_of is not None:
        yield words("Same content as"), {"job": job.copy_of}
    for output in job.outputs:
        yield words("Result"), printable(output)


def _work(job: Job, words: Words) -> str:
    """How long workers had it, and how fast that was."""
    spent = words.span(job.service)
    if not job.audio_seconds or job.state is not State.DONE or job.copy_of is not None:
        return spent
    return f"{spent} ({plain.speed(job.audio_seconds / job.service)})"


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None

"""The first page: what the daemon does, and the jobs, a page at a time. What a template shows is worked out here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sttd.inboxes import split
from sttd.job import UNDER_WAY, Job, State
from sttd.ledger import Ledger
from sttd.ledger.lists import Which
from sttd.text import printable, sentence
from sttd.view import figures, plain
from sttd.web.pages import meaning
from sttd.web.pages.language import Words
from sttd.web.pages.live import Snapshot

PAGE = 50  # jobs
WORKERS = {
    "idle": "Idle", "leaving": "Ends", "ending": "Ends", "running": "Transcribes", "loading": "Loads its model",
    "starting": "Starts",
}  # fmt: skip

# what the page calls the states; those of a tab are listed together
STATES = {
    State.QUEUED: "waiting", State.RUNNING: "running", State.COMMITTING: "being filed", State.DONE: "done",
    State.FAILED: "failed", State.CANCELLED: "cancelled", State.VANISHED: "file gone",
}  # fmt: skip
TABS: dict[str, tuple[str, tuple[State, ...]]] = {
    "": ("All", tuple(State)),
    "queued": ("Waiting", (State.QUEUED,)),
    "running": ("Running", UNDER_WAY),
    "done": ("Done", (State.DONE,)),
    "failed": ("Failed", (State.FAILED,)),
    "cancelled": ("Cancelled", (State.CANCELLED, State.VANISHED)),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A job in a list. Names are escaped for people; HTML is the template's."""

    id: int
    name: str
    folder: str
    state: State
    word: str  # what the page calls the state, in English
    share: float | None  # done, 0 to 1
    about: tuple[str, ...]  # language, length, model: those that are known
    when: float  # UTC seconds
    ends_at: float | None  # of one that waits: when it will be done, as far as that is known
    remarks: tuple[meaning.Said, ...]  # what went wrong, and what a person should know
    fallback: bool


def name_of(source: str) -> tuple[str, str]:
    """The name of a recording, and where it was dropped; both harmless."""
    inbox, path = split(source)
    folder, _, name = path.rpartition("/")
    return printable(name), printable(" › ".join(each for each in (inbox, *folder.split("/")) if each))


def row(job: Job, words: Words, ends_at: float | None = None) -> Row:
    name, folder = name_of(job.source)
    about = [words.name_of(job.language)] if job.language and job.language != "und" else []
    about += [plain.clock(job.audio_seconds)] if job.audio_seconds is not None else []
    about += [plain.model_name(job.model, 40)] if job.model else []
    return Row(
        id=job.id,
        name=name,
        folder=folder,
        state=job.state,
        word=STATES[job.state],
        share=plain.done_share(job)
        if job.state is State.RUNNING or (job.state is State.QUEUED and job.chunks)
        else None,
        about=tuple(about),
        when=plain.when(job),
        ends_at=ends_at,
        remarks=() if job.state in UNDER_WAY else tuple(meaning.of_job(job)),
        fallback=bool(job.fallback_reason),
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list."""

    tab: str
    rows: tuple[Row, ...]
    counts: dict[str, int]  # by tab
    newest: bool  # it is the first page
    older: str | None  # the address of the next page


def listing(ledger: Ledger, tab: str, before: int | None, shot: Snapshot, words: Words) -> Listing:
    """Jobs of a tab, newest first, with numbers below `before`."""
    _, states = TABS[tab]
    jobs = ledger.listed(Which(states=states if tab else (), before=before), PAGE + 1)
    known = ledger.counts()
    counts = {name: sum(known[state] for state in states) for name, (_, states) in TABS.items()}
    query = {"state": tab} if tab else {}
    more = f"/?{urlencode(query | {'before': jobs[PAGE - 1].id})}" if len(jobs) > PAGE else None
    return Listing(
        tab, tuple(row(job, words, shot.ends_at(job.id)) for job in jobs[:PAGE]), counts, before is None, more
    )


HEADS = {
    "off": "The daemon is not running", "held": "Work is held up", "paused": "Paused", "starting": "Starting",
    "busy": "Transcribing", "waiting": "Recordings wait for their turn", "ready": "Ready for recordings",
}  # fmt: skip


def head(status: dict[str, Any]) -> str:
    """How it goes: a key of `HEADS`."""
    if not status["daemon"]["running"]:
        return "off"
    if figures.health(status, time.time()):
        return "held"
    if status["paused"]:
        return "paused"
    if status["daemon"]["since"] is None:
        return "starting"
    if status["jobs"]["running"]:
        return "busy"
    return "waiting" if status["jobs"]["queued"] else "ready"


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker and what it does."""

    pid: int | str  # or the name of one on another machine
    word: str  # what it does, in English
    model: str
    job: int | None
    name: str
    share: float | None
    at: str  # how far in the audio
    left: float | None  # seconds
    again: str  # which attempt, from where


def away(shot: Snapshot) -> list[tuple[str, meaning.Said]]:
    """The machines that take no parts now, and why."""
    remotes = [each for each in shot.status["remotes"] if each["away"]]
    return [(each["name"], meaning.Said(sentence(each["away"]), meaning.AWAY)) for each in remotes]


def held_up(shot: Snapshot, program: str, *, may_ask: bool) -> list[meaning.Said]:
    """What keeps recordings from being transcribed. A pause is no news to who has a button that ends it."""
    found = plain.held_up(shot.status, program)
    return [meaning.of_trouble(word, text) for word, text in found if word != "paused" or not may_ask]


@dataclass(frozen=True, slots=True)
class Ignored:
    """Files of a kind that are no jobs."""

    number: int
    said: meaning.Said
    suffix: str  # ": .pdf" where that is why; else ""
    name: str  # of one of them, with its folder; "": they are hidden


def ignored(shot: Snapshot) -> list[Ignored]:
    """What the inboxes leave alone."""
    inbox = shot.status["inbox"]
    return [
        Ignored(number, *meaning.of_ignored(reason), _with_folder(inbox["examples"].get(reason, "")))
        for reason, number in sorted(inbox["ignored"].items())
        if number
    ]


def _with_folder(source: str) -> str:
    name, folder = name_of(source)
    return f"{folder} › {name}" if folder else name


def part(worker: dict[str, Any], words: Words) -> str:
    """Which part of its recording a worker has; "": it is not shared out."""
    if worker.get("part") is None:
        return ""
    begins, ends = plain.clock(worker["begins"]), plain.clock(worker["ends"])
    return words("part {n} of {m} ({begins} to {ends})", n=worker["part"], m=worker["parts"], begins=begins, ends=ends)


def attempt(worker: dict[str, Any], words: Words) -> str:
    """Which attempt a worker is at, and where in the audio it began."""
    if not worker["resumed_at"]:
        return words("attempt {n}", n=worker["attempt"])
    began = worker["resumed_at"] + (worker.get("begins") or 0.0)
    return words("attempt {n} from {at}", n=worker["attempt"], at=plain.clock(began))


def workers(shot: Snapshot, words: Words) -> list[Worker]:
    """All of them, those that work first."""
    found = []
    for each in shot.status["workers"]:
        total = f" / {plain.clock(each['total'])}" if each["total"] else ""
        found.append(
            Worker(
                pid=each["name"] if each["pid"] is None and each["name"] else each["pid"],
                word=WORKERS.get(each["state"], "Starts"),
                model=plain.model_name(each["model"], 40) if each["model"] else "",
                job=each["job"],
                name=name_of(each["source"] or "")[0],
                share=each["progress"],
                at=f"{plain.clock(each['done'])}{total}" if each["done"] is not None else "",
                left=each["left"],
                again=", ".join(
                    text for text in (part(each, words), attempt(each, words) if plain.is_again(each) else "") if text
                ),
            )
        )
    return sorted(found, key=lambda worker: worker.job is None)

"""What `--json` prints: the contract with programs. Keys are never renamed or removed; new ones come at the end."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttd.job import UNDER_WAY, Job, Part, State
from sttd.ledger import live
from sttd.ledger.facts import DAEMON, EXAMPLES, IGNORED, PAUSED
from sttd.sharing import span_of
from sttd.units import format_duration

if TYPE_CHECKING:
    from sttd.ledger import Ledger

SILENT = 30.0  # seconds without a round of the daemon's loop (one a second) after which it counts as hanging
STUCK = 300.0  # seconds without progress after which work on one file counts as held up


def status(ledger: Ledger | None, running: bool) -> dict[str, Any]:
    """The daemon, its queue, workers and memory; zeros and nulls where it does not run or never ran.

    `silent`: see `silence` and `access.status`.
    `since` is in UTC seconds since the epoch; `done`, `total` and `resumed_at` are seconds of audio; `progress` is 0 to 1.
    For a worker that has a `part` (counted from 1, as in texts) of a recording that is shared out, they are about the part, which
    lies from `begins` to `ends` in the recording. The last keys are empty here: `outlook.add` fills them.
    """
    daemon = ledger.fact(DAEMON) if ledger and running else {}
    now = live_figures(ledger) if ledger and running else {}
    memory = now.get("memory", {})
    ignored, examples = (
        (ledger.fact(IGNORED), ledger.fact(EXAMPLES)) if ledger else ({}, {})
    )  # as the latest daemon left them
    inbox = {"ignored": ignored, "settling": 0, "away": None} | now.get("inbox", {})
    return {
        "daemon": {"running": running, "pid": daemon.get("pid"), "since": daemon.get("since"),
                   "version": daemon.get("version"), "silent": None},
        "jobs": counts(ledger),
        "workers": [_worker(worker) for worker in now.get("workers", [])],
        "memory": {"percent": memory.get("percent"), "level": memory.get("level")},
        "paused": ledger.fact(PAUSED) if ledger else False,
        "inbox": inbox | {"path": None, "examples": inbox.get("examples", examples)},
        "trouble": now.get("trouble", []),
        "operations": now.get("operations", []),
        "remotes": now.get("remotes", []),
        # filled by outlook.add, where they are wanted
        "waiting": [], "ends_at": None, "failures": [], "model": None,
        "parts": [] if ledger is None else [each for job in ledger.jobs((State.RUNNING,)) for each in parts(ledger, job)],
    }  # fmt: skip


def health(found: dict[str, Any], now: float) -> int:
    """The exit code of `sttd status`, for a health check. A pause is what a person wants, and no trouble.

    Args:
        found: what `status` gives.
        now: UTC seconds.

    Returns:
        0 the daemon runs and works; 1 it runs, and something holds work up; 3 it does not run, as systemctl has it.
    """
    if not found["daemon"]["running"]:
        return 3
    stuck = any(now - operation.get("moved", operation["since"]) > STUCK for operation in found["operations"])
    return 1 if found["trouble"] or found["inbox"]["away"] or stuck else 0


def silence(lasted: float | None) -> int | None:
    """For how many seconds a daemon that hangs has given no sign of life. A multiple of SILENT, so that a screen changes seldom.

    0: it works; None: that is not known.
    """
    return None if lasted is None else int(lasted // SILENT * SILENT)


def hangs(silent: int) -> str:
    """What is the matter with a daemon that gives no sign of life, and what to do."""
    lasted = format_duration(silent)
    return f"the daemon has given no sign of life for {lasted}: it hangs, or somebody has stopped it: restart it"


def live_figures(ledger: Ledger) -> dict[str, Any]:
    """What the daemon that wrote the ledger does now; to be asked only where one runs."""
    daemon = ledger.fact(DAEMON)
    return live.read(Path(daemon["live"]), daemon.get("pid")) if "live" in daemon else {}


def counts(ledger: Ledger | None) -> dict[str, int]:
    found = dict.fromkeys(State, 0) if ledger is None else ledger.counts()
    names = (State.QUEUED, State.RUNNING, State.DONE, State.FAILED, State.CANCELLED, State.VANISHED)
    counts = {str(name): found[name] for name in names}
    # programs see a job as running until its files are in place; the last key counts those that no worker has any more
    counts[State.RUNNING] += found[State.COMMITTING]
    return counts | {str(State.COMMITTING): found[State.COMMITTING]}


def _worker(worker: dict[str, Any]) -> dict[str, Any]:
    names = (
        "pid", "state", "job", "model", "progress", "source", "done", "total",
        "attempt", "resumed_at", "left", "part", "parts", "begins", "ends", "since", "job_left", "name",
    )  # fmt: skip
    known = {name: worker.get(name) for name in names}
    return known if known["part"] is None else known | {"part": known["part"] + 1}


def states(name: str | None) -> tuple[State, ...]:
    """The states that a person means by one name: a job that is being filed counts as running. (): no name, all states."""
    if name is None:
        return ()
    return UNDER_WAY if name == State.RUNNING else (State(name),)


def job(found: Job) -> dict[str, Any]:
    """One job. Times are UTC seconds since the epoch, `progress` is in seconds of audio.

    `error` and `cause` are about the present: while a worker has the job, what went wrong before is in `last_error`.
    """
    names = (
        "id", "source", "state", "attempts", "resumes", "chunks", "audio_seconds", "language", "model",
        "requested_model", "fallback_reason", "error", "outputs",
        "progress", "cause", "size", "location", "created_at", "not_before", "started_at", "finished_at",
        "redo_of", "copy_of", "attempt",
    )  # fmt: skip
    past = {"error": None, "cause": None} if found.state in UNDER_WAY else {}
    return (
        {name: getattr(found, name) for name in names}
        | past
        | {"last_error": found.error, "warnings": found.warnings}
        | {"folder_options": {"files": found.folder_options.files, "set": found.folder_options.values}}
        | {"shared": None if found.shared is None else dataclasses.asdict(found.shared)}
    )


def parts(ledger: Ledger, found: Job) -> list[dict[str, Any]]:
    """The parts of a job whose recording is shared out, in its order; [] for every other job.

    `number` counts from 1, as in texts. `begins` and `ends` are seconds of the recording, estimated
    for a part that is not done; `progress` is seconds of its audio.
    """
    return [dataclasses.asdict(part) | {"number": part.number + 1} | _span(found, part) for part in ledger.parts(found)]


def history(found: Job, attempts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The attempts at a job, see `Ledger.attempts`; `part` counts from 1, and is null where the recording is not shared out."""
    return [attempt | {"part": None if found.shared is None else attempt["part"] + 1} for attempt in attempts]


def _span(found: Job, part: Part) -> dict[str, float]:
    assert found.shared is not None
    begins, ends = span_of(part.number, found.shared.parts, found.shared.length, found.audio_seconds)
    begins = begins if part.begins is None else part.begins
    return {"begins": begins, "ends": max(begins, ends if part.ends is None else part.ends)}


def line(value: dict[str, Any]) -> str:
    """One line of JSON in ASCII: a name's undecodable bytes (lone surrogates) survive it, and any terminal prints it."""
    return json.dumps(value)


def text(value: dict[str, Any]) -> str:
    """As `line`, over several lines."""
    return json.dumps(value, indent=2)

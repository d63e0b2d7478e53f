"""What a person wants to know besides the daemon's own figures: when all is done, what waits and why, what has failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sttd.job import Job, State
from sttd.view import estimates

if TYPE_CHECKING:
    from sttd.ledger import Ledger

MOST = 20  # jobs of each kind that are named
_EARLIER = 100  # finished jobs from which the time of others is estimated
_QUEUE = 150  # waiting jobs whose end is computed one by one: each costs 0.05 ms, and the page looks each second


def add(found: dict[str, Any], ledger: Ledger, workers: int, now: float) -> None:
    """Add these figures to a status; see `figures.status`. Times are UTC seconds since the epoch, None: not known.

    Each worker gets `left` and `job_left`: the seconds until what it has is done, and until all of the recording is. The status
    gets `waiting` and `failures`, some jobs of each, and `ends_at`, when all that waits will be done.

    Args:
        found: what `figures.status` gives.
        ledger: of the same moment.
        workers: how many the pool has.
        now: UTC seconds.
    """
    rates = estimates.Rates(ledger.jobs((State.DONE,), _EARLIER))
    busy = _busy(found, ledger, rates, now)
    moves = found["daemon"]["running"] and not found["paused"] and not found["trouble"] and not found["inbox"]["away"]
    held = [job for job in ledger.put_off(MOST) if job.not_before > now]
    queue = ledger.queue(_QUEUE)
    turn = [job for job in queue if job.not_before <= now]
    ends_at = _ends(turn, rates, busy, workers, now) if moves else {}
    longer = found["jobs"]["queued"] / len(queue) if queue else 1.0  # how much longer the whole queue is
    found["waiting"] = [_waiting(job, ends_at.get(job.id)) for job in [*held, *turn][:MOST]]
    found["ends_at"] = _all_end(len(turn) * longer, ends_at, busy, now) if moves else None
    found["failures"] = [_failure(job) for job in ledger.jobs((State.FAILED,), MOST)]


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is to come of one job."""

    worker: dict[str, Any] | None = None  # that has it, see `figures.status`; of several parts the first
    ends_at: float | None = None  # UTC seconds; None: not known
    ahead: int = 0  # jobs that have waited longer
    parts: Sequence[dict[str, Any]] = ()  # of a recording that is shared out, see `figures.parts`


def of(found: dict[str, Any], job: Job, ahead: int, parts: Sequence[dict[str, Any]] = ()) -> Prospect:
    """The prospect of a job, from a status to which `add` has been applied."""
    worker = next((each for each in found["workers"] if each["job"] == job.id), None)
    waiting = next((each for each in found["waiting"] if each["id"] == job.id), None)
    return Prospect(worker, None if waiting is None else waiting["ends_at"], ahead, parts)


def _busy(found: dict[str, Any], ledger: Ledger, rates: estimates.Rates, now: float) -> list[float]:
    """How long each worker that has a recording still needs, where that is known; it is noted in `found` too."""
    spans = []
    jobs = {number: ledger.find(number) for number in {worker["job"] for worker in found["workers"]} - {None}}
    for worker in found["workers"]:
        job = jobs.get(worker["job"])
        left = None if job is None else estimates.of_worker(worker, job, rates, now)
        worker["left"] = None if left is None else round(left, 1)
        spans += [] if left is None else [left]
    for worker in found["workers"]:
        job = jobs.get(worker["job"])
        mates = [mate for mate in found["workers"] if mate["job"] == worker["job"]]
        left = worker["left"] if job is None or job.shared is None else estimates.of_parts(mates, job, now)
        worker["job_left"] = None if left is None else round(left, 1)
    return spans


def _ends(waiting: list[Job], rates: estimates.Rates, busy: list[float], workers: int, now: float) -> dict[int, float]:
    """When each job is done, up to the first one whose time cannot be estimated."""
    spans: list[float] = []
    for job in waiting:
        # a copy of an equal recording's result takes no time of a worker
        span = 0.0 if job.copy_of is not None else rates.left(job)
        if span is None:
            break
        spans.append(span)
    return {job.id: now + end for job, end in zip(waiting, estimates.ends(busy, workers, spans), strict=False)}


def _all_end(waiting: float, ends_at: dict[int, float], busy: list[float], now: float) -> float | None:
    """When the last job is done; for a long queue that is scaled up from its first jobs."""
    if waiting and not ends_at:
        return None
    spans = [*busy, *((end - now) * max(1.0, waiting / len(ends_at)) for end in ends_at.values())]
    return now + max(spans) if spans else None


def _waiting(job: Job, ends_at: float | None) -> dict[str, Any]:
    reason = (
        f"gets the result of job {job.copy_of}, whose content is the same" if job.copy_of is not None else job.error
    )
    return {
        "id": job.id, "source": job.source, "size": job.size, "reason": reason,
        "not_before": job.not_before or None, "ends_at": None if ends_at is None else round(ends_at, 1),
    }  # fmt: skip


def _failure(job: Job) -> dict[str, Any]:
    return {"id": job.id, "source": job.source, "error": job.error, "finished_at": job.finished_at}

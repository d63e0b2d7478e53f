"""Earlier results that are of the same recording done again, so that new ones may take their place.

The path alone does not tell: a recorder may call each day's recording the same, and yesterday's lies in archive/.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sttd import outbox
from sttd.daemon import orders
from sttd.daemon.context import Context
from sttd.job import Job

MOST = 100  # jobs that are followed back


def earlier_results(context: Context, job: Job) -> outbox.Earlier:
    """Those that are to give way to the results of a job, with `output.existing = "replace-ours"`."""
    output = orders.configured(context, job).output
    if output.existing != "replace-ours":
        return lambda _: {}
    before = _before(context, job, stays=output.place == "beside" or output.source == "keep")
    jobs = context.ledger.done_for(job.source)
    return lambda sha256: of_the_same(jobs, before, sha256)


def _before(context: Context, job: Job, *, stays: bool) -> set[int]:
    """The jobs that this one does again, and where sources stay, those about what its source has overwritten."""
    found: set[int] = set()
    above: Job | None = job
    while above is not None and len(found) < MOST:
        number = above.redo_of or (above.successor_of if stays else None)
        if number is None or number in found:
            break
        found.add(number)
        above = context.ledger.find(number)
    return found


def of_the_same(jobs: Iterable[Job], before: Collection[int], sha256: str) -> dict[str, str]:
    """Paths and hashes of the results of one recording.

    Args:
        jobs: done with recordings of its path, oldest first. A path that several had is the last one's.
        before: the numbers of jobs that are about it whatever its content was.
        sha256: of its content.
    """
    same, results = set(before), dict[str, str]()
    for job in jobs:
        if job.id in same or job.redo_of in same:
            same.add(job.id)
        if job.id in same or job.sha256 == sha256:
            results |= outbox.results_of([job])
        else:
            for path in job.outputs:
                results.pop(path, None)
    return results

"""Earlier results of the same recording, which new ones may replace.

The path alone proves nothing: a recorder may give each day's recording the same name, and yesterday's lies in archive/.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sttd import outbox
from sttd.daemon import orders
from sttd.daemon.context import Context
from sttd.job import Job

MOST = 100  # jobs that are followed back


def earlier_results(context: Context, job: Job) -> outbox.Earlier:
    """A function of the content's hash: the results that a job's replace. None unless `output.existing` is "replace-ours"."""
    output = orders.configured(context, job).output
    if output.existing != "replace-ours":
        return lambda _: {}
    before = _before(context, job, stays=output.place == "beside" or output.source == "keep")
    jobs = context.ledger.done_for(job.source)
    return lambda sha256: of_the_same(jobs, before, sha256)


def _before(context: Context, job: Job, *, stays: bool) -> set[int]:
    """The jobs that this one does again, and if sources stay in place, those whose source its own has overwritten."""
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
        jobs: done with recordings of its path, oldest first. A result's path that several had belongs to the last one.
        before: the numbers of jobs that are about this recording, whatever its content was.
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

"""Sources under a private name that no plan knows, as after the loss of a ledger: they are new files again."""

from __future__ import annotations

from sttd import inboxes, outbox
from sttd.daemon.context import Context
from sttd.errors import SttdError
from sttd.host.events import Kind, say
from sttd.inbox import Own
from sttd.text import printable

MOST = 100  # that are given their names back at a time: any member can put thousands of such names into the inbox
NAMED = 50  # failures that the log names
REMEMBERED = 20_000  # failures


def put_back(context: Context, event: Own) -> None:
    """Give strays their own names back, off the loop; those for which that failed before come last."""
    where = context.recordings.whereabouts
    files, told = set(event.files), {inboxes.split(rel)[0] for rel in event.files}  # each inbox reports its own
    where.stranded = {rel for rel in where.stranded if rel in files or inboxes.split(rel)[0] not in told}
    found = [rel for rel in event.files if rel not in where.returning and _is_stray(context, rel)]
    found.sort(key=where.stranded.__contains__)
    for rel in found[: MOST - len(where.returning)]:
        _put_back(context, rel)


def _is_stray(context: Context, rel: str) -> bool:
    found = outbox.of_private(rel.rpartition("/")[2])
    return found is not None and not context.ledger.is_planned(found[0])


def _put_back(context: Context, rel: str) -> None:
    where = context.recordings.whereabouts

    def then(path: str | None) -> None:
        where.returning.discard(rel)
        if path is not None:
            text = f"{printable(path)} was being filed away for a job that is not known: it is put back"
            say(Kind.REMARK, text)
            if context.inbox is not None:
                context.inbox.kick()

    def failed(error: OSError | SttdError) -> None:
        where.returning.discard(rel)
        if rel not in where.stranded and len(where.stranded) < NAMED:
            say(Kind.REMARK, f"{printable(rel)} cannot be given its name back: {printable(str(error))}")
        if len(where.stranded) < REMEMBERED:
            where.stranded.add(rel)

    where.returning.add(rel)
    work = lambda: outbox.put_back(rel, context.places)  # noqa: E731
    context.work.errands.post(f"gives {printable(rel)} its name back", work, then, failed)

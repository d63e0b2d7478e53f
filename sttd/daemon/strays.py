"""Sources under a private name that no plan knows, as after the loss of a ledger: they are new files again."""

from __future__ import annotations

from sttd import outbox
from sttd.daemon.context import Context
from sttd.errors import SttdError
from sttd.host.events import Kind, say
from sttd.inbox import Own
from sttd.text import printable


def put_back(context: Context, event: Own) -> None:
    """Give them their own names, off the loop."""
    planned = set(context.ledger.planned())
    for rel in event.files:
        found = outbox.of_private(rel.rpartition("/")[2])
        if found is not None and found[0] not in planned:
            _put_back(context, rel)


def _put_back(context: Context, rel: str) -> None:
    def then(where: str | None) -> None:
        if where is not None:
            text = f"{printable(where)} was being filed away for a job that is not known: it is put back"
            say(Kind.REMARK, text)
            if context.inbox is not None:
                context.inbox.kick()

    def failed(error: OSError | SttdError) -> None:
        say(Kind.REMARK, f"{printable(rel)} cannot be given its name back: {printable(str(error))}")

    work = lambda: outbox.put_back(rel, context.places)  # noqa: E731
    context.errands.post(f"gives {printable(rel)} its name back", work, then, failed)

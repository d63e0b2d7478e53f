"""One try to deliver to a receiver, in the way that it is configured for."""

from __future__ import annotations

from sttd.config import Receiver
from sttd.notify import apprised, command, webhook
from sttd.notify.notice import Notice


def tell(receiver: Receiver, notice: Notice, identity: str, halt: int) -> str:
    """Try once; returns the output of a command.

    Args:
        receiver: whom to deliver to.
        notice: what to deliver.
        identity: of the notice, the same at each try.
        halt: a file descriptor that is readable once the notifier is to end.

    Raises:
        NotTold: the try failed.
        CutOff: the notifier is to end.
    """
    if receiver.command:
        return command.run(receiver, identity, notice.event, notice.body(identity), halt)
    if receiver.webhook:
        webhook.send(receiver, identity, notice.body(identity))
    else:
        apprised.send(receiver, notice, halt)
    return ""

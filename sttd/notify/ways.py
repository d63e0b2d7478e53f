"""One try to tell a receiver, by whatever way it has."""

from __future__ import annotations

from sttd.config import Receiver
from sttd.notify import apprised, command, webhook
from sttd.notify.notice import Notice


def tell(receiver: Receiver, notice: Notice, identity: str, halt: int) -> str:
    """Tell it once; returns what a command printed.

    Args:
        receiver: who is told.
        notice: of what.
        identity: of the notice, the same at each try.
        halt: a handle that can be read from when the notifier ends.

    Raises:
        NotTold: in vain.
        CutOff: the notifier ends.
    """
    if receiver.command:
        return command.run(receiver, identity, notice.event, notice.body(identity), halt)
    if receiver.webhook:
        webhook.send(receiver, identity, notice.body(identity))
    else:
        apprised.send(receiver, notice, halt)
    return ""

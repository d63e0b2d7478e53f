"""Delivers to any address that Apprise knows (https://github.com/caronc/apprise, extra `sttd[notify]`). Each try is a process.

Apprise has no time limit for a whole try, and reads an answer of any size: so the process is ended at the receiver's timeout, and
its memory is limited. The address is a secret: the process reads it from standard input, and its output is thrown away.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import sys
from urllib.parse import quote

from sttd.config import Receiver
from sttd.notify import command, credentials
from sttd.notify.errors import NotTold
from sttd.notify.notice import Notice

MEMORY = 128 * 2**20  # bytes that the process may allocate; it needs 40 MiB
_TYPES = {
    "done": "success", "back": "success", "failed": "failure", "held-up": "failure", "memory-critical": "failure",
    "fallback": "warning", "warning": "warning", "test": "info",
}  # fmt: skip
_UNKNOWN, _VAIN = 10, 11  # exit codes
_WHY = {_UNKNOWN: "Apprise does not know what to do with the address", _VAIN: "Apprise could not deliver it"}
_HINT = "`apprise -vv ADDRESS` shows why; the reason may hold the address, so that it is not logged here"


def send(receiver: Receiver, notice: Notice, halt: int) -> None:
    """Try once. `halt`: a file descriptor that is readable once the notifier is to end.

    Raises:
        NotTold: the try failed.
        CutOff: the notifier ends.
    """
    if importlib.util.find_spec("apprise") is None:
        raise NotTold("Apprise is not installed: pip install 'sttd[notify]'")
    address = receiver.apprise
    if receiver.secret_file:
        address = address.replace("{secret}", quote(credentials.read(receiver.secret_file)[0], safe=""))
    message = {"title": notice.title, "body": notice.text, "notify_type": _TYPES[notice.event]}
    given = json.dumps([address, message]).encode("ascii")
    words = (sys.executable, "-P", "-m", "sttd.notify.apprised")
    try:
        code, _ = command.ended(words, {}, given, receiver.timeout, halt)
    except NotTold as error:
        raise NotTold(str(error)) from None  # without the output, which may hold the address
    if code:
        raise NotTold(f"{_WHY.get(code, 'Apprise failed')}: {_HINT}")


def main() -> int:
    """What the process of one try runs; returns its exit code."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    import apprise  # noqa: PLC0415 - an extra

    address, message = json.load(sys.stdin)
    told = apprise.Apprise(asset=apprise.AppriseAsset(app_id="sttd", app_desc="sttd", async_mode=False))
    if not told.add(address):  # it does not raise
        return _UNKNOWN
    # as text: names of recordings are no HTML and no Markdown
    return 0 if told.notify(**message, body_format=apprise.NotifyFormat.TEXT) else _VAIN


if __name__ == "__main__":
    sys.exit(main())

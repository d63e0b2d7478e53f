"""Any address that Apprise knows (https://github.com/caronc/apprise): the extra `sttd[notify]`, imported only where it is used.

Its own log stays silent, and so do those of the libraries below it: they write addresses, which are secrets.
"""

from __future__ import annotations

import logging
from urllib.parse import quote

from sttd.config import Receiver
from sttd.notify import credentials
from sttd.notify.errors import NotTold
from sttd.notify.notice import Notice

_TYPES = {
    "done": "success", "back": "success", "failed": "failure", "held-up": "failure", "memory-critical": "failure",
    "fallback": "warning", "warning": "warning", "test": "info",
}  # fmt: skip
_SILENT = ("apprise", "urllib3", "requests", "requests_oauthlib")
_HINT = "`apprise -vv ADDRESS` shows why; the reason may hold the address, so that it is not logged here"


def send(receiver: Receiver, notice: Notice) -> None:
    """Raises NotTold: it was not taken."""
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        import apprise  # noqa: PLC0415 - an extra
    except ImportError:
        raise NotTold("Apprise is not installed: pip install 'sttd[notify]'") from None
    address = receiver.apprise
    if receiver.secret_file:
        address = address.replace("{secret}", quote(credentials.read(receiver.secret_file)[0], safe=""))
    told = apprise.Apprise(asset=apprise.AppriseAsset(app_id="sttd", app_desc="sttd", async_mode=False))
    if not told.add(address):  # it does not raise
        raise NotTold(f"Apprise does not know what to do with the address: {_HINT}")
    try:
        is_told = told.notify(title=notice.title, body=notice.text, notify_type=_TYPES[notice.event])
    except Exception as error:  # noqa: BLE001 - a hundred plug-ins of other people: none may end the notifier
        raise NotTold(f"Apprise failed with {type(error).__name__}: {_HINT}") from None
    if not is_told:
        raise NotTold(f"Apprise could not deliver it: {_HINT}")

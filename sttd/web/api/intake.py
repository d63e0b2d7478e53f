"""How a received file gets into the inbox, and which ticket it has there. Everything here blocks."""

from __future__ import annotations

import contextlib
import threading
import time

from starlette.exceptions import HTTPException

from sttd.errors import LedgerError
from sttd.fs import moves
from sttd.fs.folder import Folder
from sttd.job import ENDED, Identity, State
from sttd.outbox import names
from sttd.outbox.place import place
from sttd.view import access
from sttd.web import results
from sttd.web.api.asked import Asked, make
from sttd.web.api.ticket import Ticket
from sttd.web.api.upload import Upload
from sttd.web.site import Site

_AGAIN = 86400.0  # seconds for which a finished transcript is given again to who asks for the same
_COARSE = 2 * 10**9  # nanoseconds: the coarsest clock of a file system (FAT)
_STEM = 80  # bytes of a name that a person may know a recording by
_filing = threading.Lock()  # no folder of options is removed while a recording is being put into it


def put(site: Site, upload: Upload, name: str) -> Ticket:
    """Into the inbox under its name, or ` (2)` and so on behind that.

    Raises:
        HTTPException: it is no recording, or empty.
        OSError: it cannot be put there.
    """
    identity = upload.sync()
    with contextlib.suppress(LedgerError, access.NotAllowed), site.ledger() as ledger:
        # on a file system with a coarse clock an earlier one may look the same
        while ledger.about(name, identity) is not None:
            identity = upload.touch(identity.mtime_ns + _COARSE)
    return Ticket(place(upload.folder, upload.name, upload.folder, name), identity)


def put_once(site: Site, upload: Upload, name: str, asked: Asked) -> Ticket:
    """Into the folder of its options, unless the same content is there, or was transcribed there lately.

    Whoever asks again, because the answer took too long or got lost, gets the ticket of the first time. So nothing is
    transcribed twice, also if this process or the daemon was killed in between: the name of the file holds its hash.

    Raises:
        HTTPException: it is no recording, or empty.
        OSError: it cannot be put there.
    """
    identity = upload.sync()
    base = f"{names.cut(names.stem(name), _STEM)} {upload.digest[:16]}"
    file = f"{base}.{name.rpartition('.')[2]}"
    source = f"{asked.source}/{file}"
    with _filing, make(upload.folder, asked) as target:
        there = _lies_there(target, file, source, identity) or _earlier(site, source, identity)
        if there is not None:
            return there
        try:
            moves.rename_new(upload.folder, upload.name, target, file)
        except FileExistsError:  # another process was quicker
            there = _lies_there(target, file, source, identity)
            if there is None:
                raise HTTPException(409, f"the name {source} is taken by another file: remove it") from None
            return there
        target.sync()
        upload.folder.sync()
    return Ticket(source, identity)


def _lies_there(folder: Folder, file: str, source: str, identity: Identity) -> Ticket | None:
    seen = folder.file(file)
    if seen is None or seen.st_size != identity.size:
        return None
    return Ticket(source, Identity.of(seen))


def _earlier(site: Site, source: str, identity: Identity) -> Ticket | None:
    """The ticket of the newest job about the same, if it has not ended, or has a result that is not old."""
    if not access.has_ledger(site.config):
        return None
    with site.ledger() as ledger:
        job = ledger.newest_at(source)
    if job is None or job.size != identity.size:
        return None
    is_fresh = job.state is State.DONE and time.time() - (job.finished_at or 0.0) < _AGAIN
    is_fresh = is_fresh and results.are_there(job, site.config)
    return Ticket.of(job) if is_fresh or job.state not in ENDED else None

"""Tickets: what a program keeps of a submitted file, to ask what became of it.

A ticket holds by what the ledger knows the file: its path in the inbox, its size and its time of change. So nothing needs to
be stored: no kill and no lost file of the web process can lose a ticket, and a file that somebody drops later under the same
name has another one.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass

from sttd.job import Identity, Job
from sttd.outbox.names import LIMIT

_TEXT = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})-([A-Za-z0-9_-]{2,6000})")


@dataclass(frozen=True, slots=True)
class Ticket:
    """One version of a file that lies, or lay, in the first inbox."""

    source: str  # as `Job.source`
    identity: Identity

    @classmethod
    def of(cls, job: Job) -> Ticket:
        return cls(job.source, job.identity)

    @classmethod
    def parse(cls, text: str) -> Ticket:
        """What `str` wrote.

        Raises:
            ValueError: something else did.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError("no ticket")
        changed, size, path = int(found[1], 16), int(found[2], 16), found[3]
        try:
            source = os.fsdecode(base64.b64decode(path + "=" * (-len(path) % 4), b"-_", validate=True))
        except binascii.Error:
            raise ValueError("no ticket") from None
        components = source.split("/")
        if max(changed, size) >= 2**63 or "\0" in source or not {"", ".", ".."}.isdisjoint(components):
            raise ValueError("no ticket")
        if any(len(os.fsencode(component)) > LIMIT for component in components):  # no file has such a name
            raise ValueError("no ticket")
        return cls(source, Identity(size, changed))

    def __str__(self) -> str:
        path = base64.urlsafe_b64encode(os.fsencode(self.source)).decode().rstrip("=")
        return f"{self.identity.mtime_ns:x}-{self.identity.size:x}-{path}"

    @property
    def name(self) -> str:
        """Of the file."""
        return self.source.rpartition("/")[2]

"""The plan of a commit: it is stored in the ledger, so that after a crash the next start can carry it out.

A plan names no folder: where its files lie follows from the configuration and the job's own path, each time that it is
carried out. So even somebody who could write a plan into the ledger could not point it at other people's files.
"""

from __future__ import annotations

import dataclasses
import errno
import os
from dataclasses import dataclass, field
from typing import Any

from sttd import inboxes
from sttd.errors import SttdError
from sttd.fs import folder
from sttd.fs.folder import Folder
from sttd.job import Job
from sttd.outbox import names
from sttd.outbox.places import Places

TRANSCRIPTS, BESIDE = "transcripts", "beside"  # the values of `output.place`


@dataclass(frozen=True, slots=True)
class Plan:
    job: int
    name: str  # the job's source: names the results
    language: str
    sha256: str  # of the source
    size: int  # of the source; this and
    mtime_ns: int  # must still be the same when it is filed away
    fate: str  # archive, keep or delete
    location: str | None  # as `Job.location`: where the source lies if not in the inbox
    staging: str  # name of the job's folder of staged results
    number: int  # in the results' names; it was free when they were staged
    word: str  # in the source's private name
    young: bool  # the source was changed just before it was hashed: its time may not show a further change
    hashes: dict[str, str]  # by suffix, of the staged results
    place: str = TRANSCRIPTS  # or BESIDE: where the results appear
    # names (in that folder) and hashes of earlier results of the recording: they are replaced if nobody has changed them
    replaces: dict[str, str] = field(default_factory=dict)

    @property
    def takes_source(self) -> bool:
        return self.fate != "keep"

    def source_folder(self, places: Places) -> Folder:
        """The folder that the source lies in, held open.

        Raises:
            FileNotFoundError: it is gone, or somebody put a link in its way.
        """
        return folder_of(self.name, self.location, places)

    @property
    def source_name(self) -> str:
        return os.path.basename(self.location or self.name)

    @property
    def result_name(self) -> str:
        """The name of the recording that the results are called after."""
        return names.split(self.source_name if self.place == BESIDE else self.name)[1]

    @property
    def private_name(self) -> str:
        return names.private(self.job, self.word, self.source_name)

    def aside(self, name: str) -> str:
        """The private name of an earlier result until the new ones are in place."""
        return names.private(self.job, self.word, name)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        """What `to_json` made.

        Raises:
            SttdError: something else made it.
        """
        kinds: dict[str, Any] = {
            "str": str,
            "int": int,
            "bool": bool,
            "dict[str, str]": dict,
            "str | None": (str, type(None)),
        }
        fields = {field.name: kinds[str(field.type)] for field in dataclasses.fields(cls)}
        value = {"place": TRANSCRIPTS, "replaces": {}} | value  # a plan of an older version lacks these keys
        if value.keys() != fields.keys() or not all(isinstance(value[name], kind) for name, kind in fields.items()):
            raise SttdError("what was promised about its files cannot be read: they are written again")
        plan = cls(**value)
        words = (plan.staging, *plan.hashes, *plan.replaces)
        components = (*words, *inboxes.split(plan.name)[1].split("/"))
        if any(component in ("", ".", "..") for component in components) or any("/" in word for word in words):
            raise SttdError(
                "what was promised about its files names folders that are not sttd's: they are written again"
            )
        return plan


def folder_of(name: str, location: str | None, places: Places) -> Folder:
    """The folder that a job's source lies in, held open; below the inbox and our own folders no link is followed.

    Args:
        name: the job's source.
        location: where it lies, if not there.
        places: the folders.

    Raises:
        FileNotFoundError: it is gone, or somebody put a link in its way.
    """
    if not location:
        return places.folder_of(name)
    for root in (places.paths.failed, places.paths.archive, *places.inboxes()):
        components = folder.split(os.fspath(root), location)
        if components is not None:
            with Folder.open(root) as held:
                return held.below(components[:-1])
    return Folder.open(os.path.dirname(location))


def open_source(job: Job, places: Places) -> int:
    """Open a job's source to read from, without following a link; only a regular file is opened.

    Raises:
        FileNotFoundError: it is gone, or something else is in its place. The error has the path in the ledger.
        OSError: it cannot be opened.
    """
    path = source_path(job, places)
    try:
        with folder_of(job.source, job.location, places) as held:
            return held.open_file(os.path.basename(path))
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, error.strerror, path) from None


def source_path(job: Job, places: Places) -> str:
    """The path of a job's source."""
    return job.location or places.path_of(job.source)

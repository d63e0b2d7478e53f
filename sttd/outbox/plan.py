"""What a commit has promised: kept in the ledger, so that the next start can keep it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from sttd.errors import SttdError


@dataclass(frozen=True, slots=True)
class Plan:
    job: int
    name: str  # of the source, relative to the inbox: names the results
    language: str
    sha256: str  # of the source
    size: int  # of the source, and
    mtime_ns: int  # together what it must still be when it is filed away
    source: str  # where it lies
    fate: str  # archive, keep or delete
    location: str | None  # the job's: where the source lies if not in the inbox
    inbox: str  # folder; "": the source is not in the inbox
    archive: str  # folder
    folder: str  # of the results
    staging: str  # folder
    young: bool  # the source had changed just before it was hashed: a later change may not show in its time
    hashes: dict[str, str]  # by suffix, of the staged results

    @property
    def takes_source(self) -> bool:
        return self.fate != "keep"

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
        if value.keys() != fields.keys() or not all(isinstance(value[name], kind) for name, kind in fields.items()):
            raise SttdError("what was promised about its files cannot be read: they are written again")
        return cls(**value)

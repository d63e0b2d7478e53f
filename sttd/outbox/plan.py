"""What a commit has promised: kept in the ledger, so that the next start can keep it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


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
    hashes: dict[str, str]  # by suffix, of the staged results

    @property
    def takes_source(self) -> bool:
        return self.fate != "keep"

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        return cls(**value)

"""What narrows a search on the page: the language, the folder, the days. It stands in the address, so that a search can be kept."""

from __future__ import annotations

import datetime as dt
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass

from sttd.languages import language_of
from sttd.search import Filters, Offered
from sttd.web.pages.language import Words

_LONGEST = 1000  # characters of a folder
_FOLDERS = 300  # that are offered


@dataclass(frozen=True, slots=True)
class Narrowed:
    """As it stands in the address; what is "" does not count."""

    language: str = ""  # Whisper's code
    folder: str = ""  # of the inbox
    first: str = ""  # days on which recordings came in, as ISO 8601 has them
    last: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Narrowed:
        """What makes no sense in an address is left out."""
        return cls(
            language_of(query.get("language", "")) or "",
            query.get("folder", "")[:_LONGEST].strip().strip("/"),
            _day(query.get("from", "")),
            _day(query.get("to", "")),
        )

    def __bool__(self) -> bool:
        return self != Narrowed()

    def query(self) -> dict[str, str]:
        """For the addresses of links."""
        found = {"language": self.language, "folder": self.folder, "from": self.first, "to": self.last}
        return {name: value for name, value in found.items() if value}

    def filters(self) -> Filters:
        since = _midnight(self.first, 0) if self.first else None
        until = _midnight(self.last, 1) if self.last else None  # the day counts to its end
        return Filters(self.language or None, since, until, self.folder or None)


def languages(offered: Offered, narrowed: Narrowed, words: Words) -> list[tuple[str, str]]:
    """Codes and names of the languages to choose from."""
    codes = {*offered.languages, narrowed.language} - {"", "und"}
    return sorted(((code, words.name_of(code)) for code in codes), key=lambda each: each[1])


def folders(offered: Offered) -> list[str]:
    """Those to choose from. One whose name is no text cannot be typed."""
    typed = (each for each in offered.folders if each == os.fsencode(each).decode("utf-8", "replace"))
    return list(itertools.islice(typed, _FOLDERS))


def _day(text: str) -> str:
    try:
        return dt.date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        return ""


def _midnight(day: str, after: int) -> float | None:
    """UTC seconds at which a day, or the one so many days after it, begins in the zone of this machine; None: no calendar has it."""
    try:
        begun = dt.datetime.fromisoformat(day) + dt.timedelta(days=after)
        return begun.timestamp()  # astimezone() knows no last day of the calendar from Python 3.13 on
    except (ValueError, OverflowError):
        return None

"""The names of files in the inboxes that are no jobs: left alone, or not settled yet. The daemon itself only counts them.

The inboxes are scanned, also while no daemon runs. One name of each kind is known without a scan; see `Ignored.examples`.
"""

from __future__ import annotations

import functools
import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sttd.config.hearing import FORMATS
from sttd.fs.patience import answers
from sttd.inbox.ignored import Ignored
from sttd.inbox.rules import Rules, Why
from sttd.inbox.scan import Scan
from sttd.inboxes import join
from sttd.job import Identity

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Ledger

MOST = 5  # names of a kind
_NEW = 50  # files, those changed last, among which the ones that settle are looked for
_PATIENCE = 1.0  # seconds: no names are shown of a share that is slower


class _Names(Ignored):
    """Remembers more than one name of a kind."""

    def __init__(self, inbox: str) -> None:
        super().__init__()
        self.names: list[tuple[str, str]] = []
        self._inbox = inbox

    def add(self, why: Why, rel: str) -> None:
        super().add(why, rel)
        if why is not Why.HIDDEN and sum(words == why for words, _ in self.names) < MOST:
            self.names.append((str(why), join(self._inbox, rel)))


@dataclass(frozen=True, slots=True)
class Lying:
    """Sources, some of each kind."""

    ignored: tuple[tuple[str, str], ...] = ()  # with the reason
    settling: tuple[str, ...] = ()


def look(config: Config, ledger: Ledger, found: dict[str, Any]) -> Lying:
    """The names of what a status (see `figures.status`) counts. Must be called while there are no threads.

    Hidden files are not named: programs put them there, and want them overlooked.
    """
    counted = found["inbox"]
    if counted["away"] or not (counted["settling"] or set(counted["ignored"]) - {Why.HIDDEN}):
        return Lying()
    looks = {name: functools.partial(_walk, name, each) for name, each in config.each_inbox().items()}
    walks: dict[str, Any] = answers(looks, _PATIENCE)
    ignored = [(why, name) for walk in walks.values() for why, name in walk["ignored"]]
    for words, name in counted["examples"].items():
        why = words.partition(": ")[0]
        # a walk reads no content, so it does not find what is ignored for that; other examples: if an inbox did not answer
        if (why == Why.CONTENT or len(walks) < len(looks)) and name not in {each for _, each in ignored}:
            ignored.append((why, name))
    newest = [(name, Identity(*seen)) for walk in walks.values() for name, *seen in walk["newest"]]
    return Lying(tuple(ignored), _unsettled(newest, ledger) if counted["settling"] else ())


def _walk(name: str, config: Config) -> dict[str, Any]:
    scan = Scan(
        str(config.paths.inbox), Rules(config.watch.suffixes, FORMATS if config.output.place == "beside" else ())
    )
    scan.ignored = names = _Names(name)
    newest = heapq.nlargest(_NEW, ((seen.mtime_ns, rel, seen.size) for rel, seen in scan))
    return {"ignored": names.names, "newest": [(join(name, rel), size, mtime) for mtime, rel, size in newest]}


def _unsettled(newest: list[tuple[str, Identity]], ledger: Ledger) -> tuple[str, ...]:
    """Those that the ledger does not know as they are now."""
    jobs = ledger.latest_of([name for name, _ in newest])
    return tuple(name for name, seen in newest if name not in jobs or jobs[name].identity != seen)[:MOST]

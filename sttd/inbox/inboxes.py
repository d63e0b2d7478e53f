"""All inboxes of a daemon: each has a thread of its own, and its name is in each source that it reports.

So a folder that hangs or is away holds up no other, and the daemon need not know how many there are.
"""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from sttd import inboxes
from sttd.config import Config
from sttd.inbox.events import Away, Found, Gone, Held, InboxEvent, Own, Strange
from sttd.inbox.inbox import PATIENCE, Inbox
from sttd.inbox.lock import FolderIdentity


class Inboxes:
    """The inboxes of a configuration, by name; "" is the first one, `paths.inbox`.

    Args:
        config: `each_inbox` of it is watched.
        sink: as that of `Inbox`.
        before: the `Held` folder of an earlier run, for each that had one.
        waiting: the names of those for whose files jobs wait.
    """

    def __init__(
        self,
        config: Config,
        sink: Callable[[InboxEvent], None],
        before: Mapping[str, FolderIdentity],
        *,
        waiting: Collection[str] = (),
    ) -> None:
        self._all: dict[str, Inbox] = {}
        for name, settings in config.each_inbox().items():
            setting = f"the inbox of [[watch]] {name}" if name else "paths.inbox"
            named = _named(name, sink) if name else sink
            self._all[name] = Inbox(
                settings, named, before.get(name), waiting=name in waiting, setting=setting, makes=not name
            )

    def start(self) -> None:
        """Start all. Raises what the first `Inbox.start` that fails raises; `stop` ends those that began.

        All begin together, and all are waited for together: twenty shares of a server that hangs take no longer than one.
        """
        end = time.monotonic() + PATIENCE
        for inbox in self._all.values():
            inbox.begin()
        for inbox in self._all.values():
            inbox.await_folder(max(0.0, end - time.monotonic()))

    def stop(self) -> None:
        """Stop all together, as in `start`."""
        end = time.monotonic() + PATIENCE
        for inbox in self._all.values():
            inbox.end()
        for inbox in self._all.values():
            inbox.await_end(max(0.0, end - time.monotonic()))

    def configure(self, config: Config) -> None:
        """A changed configuration with the same inboxes; see `Inbox.configure`."""
        for name, settings in config.each_inbox().items():
            self._all[name].configure(settings)

    def adopt(self, name: str, mark: str) -> None:
        """The strange folder with that mark is the inbox of this name now; see `Strange`."""
        self._all[name].adopt(mark)

    def expect(self, sources: Iterable[str]) -> None:
        """Look for the sources of waiting jobs: a Gone reports those that are not there."""
        if len(self._all) == 1:
            self._all[""].expect(source for source in sources if inboxes.BETWEEN not in source)
            return
        by_name: defaultdict[str, list[str]] = defaultdict(list)
        for source in sources:
            name, path = inboxes.split(source)
            by_name[name].append(path)
        for name in by_name.keys() & self._all.keys():
            self._all[name].expect(by_name[name])

    def forget(self, source: str) -> None:
        """The file was taken away by sttd itself: no Gone is sent for it, and the next file of this name is new."""
        name, path = inboxes.split(source)
        if name in self._all:
            self._all[name].forget(path)

    def kick(self) -> None:
        """Look through all of them now."""
        for inbox in self._all.values():
            inbox.kick()

    def is_lost(self, source: str) -> bool:
        """See `Inbox.is_lost`; may be asked by any thread."""
        name, path = inboxes.split(source)
        return name in self._all and self._all[name].is_lost(path)

    def restless(self) -> list[str]:
        """The names of those that are not idle; see `Inbox.idle`."""
        return [name for name, inbox in self._all.items() if not inbox.idle()]

    def reasons(self) -> dict[str, str | None]:
        """Why each is away, by name; None: it is not."""
        return {name: inbox.away for name, inbox in self._all.items()}

    @property
    def away(self) -> str | None:
        """Why some are away, in words; None: none is."""
        told = [f"{name}: {why}" if name else why for name, why in self.reasons().items() if why]
        return "; ".join(told) or None

    @property
    def ignored(self) -> dict[str, int]:
        """How many files and folders are no jobs, by reason."""
        found: dict[str, int] = {}
        for inbox in self._all.values():
            for reason, count in inbox.ignored.items():
                found[reason] = found.get(reason, 0) + count
        return found

    @property
    def examples(self) -> dict[str, str]:
        """One of them for each reason, by its source; see `Ignored.examples`."""
        found: dict[str, str] = {}
        for name, inbox in self._all.items():
            for reason, path in inbox.examples.items():
                found.setdefault(reason, inboxes.join(name, path))
        return found

    @property
    def settling(self) -> int:
        """How many files are being watched until they have settled, or until they are surely gone."""
        return sum(inbox.settling for inbox in self._all.values())


def _named(name: str, sink: Callable[[InboxEvent], None]) -> Callable[[InboxEvent], None]:
    """A sink that adds this inbox's name to its events."""

    def of(paths: Iterable[str]) -> tuple[str, ...]:
        return tuple(inboxes.join(name, path) for path in paths)

    def tell(event: InboxEvent) -> None:
        match event:
            case Found():
                files = tuple((inboxes.join(name, path), identity) for path, identity in event.files)
                sink(dataclasses.replace(event, files=files))
            case Gone() | Own():
                sink(dataclasses.replace(event, files=of(event.files)))
            case Strange():
                sink(dataclasses.replace(event, missing=of(event.missing), inbox=name))
            case Held():
                sink(dataclasses.replace(event, inbox=name))
            case Away():
                sink(event)

    return tell

"""Somebody who is told of what happens: one [[notify]] table, which `sttd notify` reads and the daemon does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sttd.config.key import key

# what can be told; a receiver that names none is told of all
EVENTS = ("done", "failed", "fallback", "warning", "memory-critical", "held-up", "back")


@dataclass(frozen=True, slots=True)
class Receiver:
    """One table. Exactly one of `webhook`, `command` and `apprise` is set."""

    name: str
    # not in a representation: addresses hold passwords
    webhook: str = field(default="", repr=False)  # an http or https URL
    command: tuple[str, ...] = field(default=(), repr=False)  # a program by its absolute path, and its arguments
    apprise: str = field(default="", repr=False)  # a URL as Apprise has them; {secret} stands for the secret
    secret_file: str = key("", "A file by its absolute path, or a credential of the unit by its name.", "str")
    events: tuple[str, ...] = key(EVENTS, "What is told.", "formats", choices=EVENTS)
    folders: tuple[str, ...] = key((), "Only recordings of these folders, and below them.", "names")
    names: tuple[str, ...] = key((), "Only recordings with such a name.", "names")
    languages: tuple[str, ...] = key(
        (), "Only recordings in these languages, or in one that is not known.", "languages"
    )
    timeout: float = key(
        15.0, "How long one try may take; the default is 5min for a command, 1min for Apprise.", "duration", least=1.0
    )
    give_up: float = key(86400.0, "What cannot be told for so long is dropped.", "duration", positive=True)

    @property
    def kind(self) -> str:
        """Which of the three it is."""
        return "webhook" if self.webhook else "command" if self.command else "apprise"

    @property
    def address(self) -> str:
        """Where it is, to be shown: without user, path and query, any of which may be what keeps strangers out."""
        if self.command:
            return self.command[0]
        if self.apprise:
            return f"{self.apprise.partition('://')[0]}://…"
        url = urlsplit(self.webhook)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}/…"

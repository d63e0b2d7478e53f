"""From the first byte of a command to the word that a worker is there: what a shell's profile prints before is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sttd import __version__
from sttd.pool.wire import MARK, PROTOCOL, Decoder, WireError
from sttd.text import printable

MOST = 65536  # bytes before the mark
_QUOTED = 200  # characters of what was printed instead


class NoWorker(Exception):
    """What the command runs is no worker that can be used; the message is a sentence for a person."""


class Messages:
    """The messages of the far side, from behind its mark on."""

    def __init__(self) -> None:
        self._before: bytearray | None = bytearray()  # None: the mark has come
        self._decoder = Decoder()
        self._banner = ""

    @property
    def banner(self) -> str:
        """The last line before the mark."""
        return self._banner if self._before is None else _last_line(bytes(self._before))

    def feed(self, data: bytes) -> Iterator[Any]:
        """Those that are whole now.

        Raises:
            NoWorker: so much came before the mark that none is to be waited for.
            WireError: foreign bytes came behind it.
        """
        if self._before is not None:
            searched = max(0, len(self._before) - len(MARK))
            self._before += data
            place = self._before.find(MARK, searched)
            if place < 0:
                if len(self._before) > MOST:
                    raise NoWorker(
                        f"it printed {MOST // 1024} KiB, and no worker answered; the last line: {self.banner}"
                    )
                return
            self._banner, data = _last_line(bytes(self._before[:place])), bytes(self._before[place + len(MARK) :])
            self._before = None
        yield from self._decoder.feed(data)


def check(facts: Mapping[str, Any]) -> None:
    """Whether we can speak with the far side.

    Raises:
        NoWorker: it is another version of sttd.
        WireError: these are no facts.
    """
    try:
        host, version, protocol = (str(facts[name])[:_QUOTED] for name in ("host", "version", "protocol"))
    except (KeyError, TypeError) as error:
        raise WireError("a Hello that says nothing of its sender") from error
    if (version, protocol) != (__version__, str(PROTOCOL)):
        raise NoWorker(
            f"sttd on {printable(host)} is version {printable(version)} (protocol {printable(protocol)}), and this one is"
            f" {__version__} (protocol {PROTOCOL}): install the same version on both"
        )


def _last_line(data: bytes) -> str:
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    return printable(lines[-1][:_QUOTED]) if lines else ""

"""The beginning of a command's output, up to the worker's Hello: what a shell's profile prints before it is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sttd import __version__
from sttd.pool.wire import MARK, PROTOCOL, Decoder, WireError
from sttd.text import printable

MOST = 65536  # bytes before the mark
_QUOTED = 200  # characters of what was printed instead


class NoWorker(Exception):
    """The command does not run a worker that can be used; the message is a sentence for a person."""


class Messages:
    """The messages of the far side: all that it sends after its mark."""

    def __init__(self) -> None:
        self._before: bytearray | None = bytearray()  # None: the mark has come
        self._decoder = Decoder()
        self._banner = ""

    @property
    def banner(self) -> str:
        """The last line before the mark."""
        return self._banner if self._before is None else _last_line(bytes(self._before))

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are complete now.

        Raises:
            NoWorker: more than `MOST` bytes came without a mark.
            WireError: foreign bytes came after the mark.
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
    """Check that the far side is of our version.

    Raises:
        NoWorker: it is another version of sttd.
        WireError: the facts lack what every Hello has.
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

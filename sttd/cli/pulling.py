"""How far a download is, for logs and pipes: a line for each tenth."""

from __future__ import annotations

from sttd.text import printable, sentence
from sttd.view.plain import percent, size


class Lines:
    """See `sttd.hub.pull.Show`."""

    def __init__(self) -> None:
        self._file, self._total, self._tenth = "", 0, 0

    def begin(self, file: str, have: int, total: int) -> None:
        self._file, self._total, self._tenth = printable(file), total, 10 * have // max(1, total)
        print(f"  {self._file}  {size(total)}" + (f", goes on at {size(have)}" if have else ""), flush=True)

    def at(self, have: int) -> None:
        tenth = 10 * have // max(1, self._total)
        if tenth > self._tenth:
            print(f"  {self._file}  {percent(have / self._total)}", flush=True)
        self._tenth = tenth

    def note(self, text: str) -> None:
        print(f"  {sentence(text)}", flush=True)

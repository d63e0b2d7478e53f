"""Decodes several batches at once, each in a lane (a thread) of its own.

A CPU is filled better by two batches on half of its cores each than by one on all of them: the encoder hardly cares, and
the decoder gains next to nothing from a second thread (tests/bench/LOG.md has the figures). `sttd.lanes` says how many
lanes there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from sttd.part import Chunk
from sttd.worker.decoding.decoder import Decoder
from sttd.worker.decoding.items import Prepared


class Lanes:
    """Threads that decode. A context manager: leaving it drops what has not begun, and waits for nothing.

    Args:
        decoder: of the part.
        most: lanes that the model has.
        together: windows that may be in the model at once; the lanes share them out.
    """

    def __init__(self, decoder: Decoder, most: int, together: int) -> None:
        self.count = max(1, min(most, together))
        self._share = max(1, -(-together // self.count))
        self._decoder = decoder
        self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="lane")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # a batch that is in the model cannot be cancelled: its result is dropped, and the next attempt decodes it again
        self._threads.shutdown(wait=False, cancel_futures=True)

    def shares(self) -> Iterator[int]:
        """The sizes of the batches, in windows, in order.

        With several lanes the first batches are small, so that a recording of few windows fills all lanes: 1, 1, 2, 4, 4, ...
        """
        if self.count == 1:
            return itertools.repeat(self._share)
        doubled = itertools.accumulate(itertools.repeat(0), lambda size, _: min(self._share, 2 * size), initial=1)
        return itertools.chain([1], doubled)

    def decode(self, batch: Sequence[Prepared]) -> Future[tuple[Chunk, ...]]:
        """Queue a batch; the future gives its chunks."""
        return self._threads.submit(self._decoder.decode, batch)

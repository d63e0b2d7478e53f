"""Which sample rates a recording can have. Others would ask for gigabytes of silence, or for hours of filtering."""

from __future__ import annotations

from sttd.part import SAMPLE_RATE, Cause
from sttd.worker.errors import PartFailed

LOWEST, HIGHEST = 1_000, 768_000  # Hz; telephones have 8,000, the best converters that are sold 768,000


def possible(rate: int) -> bool:
    return LOWEST <= rate <= HIGHEST


def check(rate: int | None) -> None:
    """Check the rate that the file states for its track; None or 0: it states none.

    Raises:
        PartFailed: BAD_FILE.
    """
    if rate and not possible(rate):
        text = (
            f"its sample rate is {rate:,} Hz, and no recording has that: the file is damaged, or was converted wrongly"
        )
        raise PartFailed(Cause.BAD_FILE, f"{text}; export it with {SAMPLE_RATE:,} to 48,000 Hz")

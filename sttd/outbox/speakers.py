"""The names of channels that were kept apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def names_of(channels: Collection[int], configured: Sequence[str]) -> dict[int, str]:
    """The name of each channel: as configured (`transcribe.channel_names`), else Left and Right, or `Channel 1` and so on."""
    count = max(channels, default=0)
    usual = ("Left", "Right") if count == 2 else tuple(f"Channel {number}" for number in range(1, count + 1))
    return {number: (*configured, *usual[len(configured) :])[number - 1] for number in channels}

"""Models that did not load are not tried again for a while; why is logged once, until a model loads."""

from __future__ import annotations

from collections.abc import Mapping


class ModelHolds:
    """By node and model: one that does not load on one machine may load on another. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._holds: dict[tuple[str, str], tuple[float, str]] = {}  # not before, and why
        self._logged: set[str] = set()

    def hold(self, node: str, model: str, until: float, reason: str) -> None:
        """Until then the workers of the node go straight to the fallback."""
        self._holds[node, model] = (until, reason)

    def reasons(self, model: str, now: float) -> Mapping[str, str]:
        """By node, why the model is not tried there now."""
        return {node: why for (node, name), (until, why) in self._holds.items() if name == model and now < until}

    def is_news(self, text: str) -> bool:
        """Whether the log does not have this yet, since the last model that loaded."""
        known = text in self._logged
        self._logged.add(text)
        return not known

    def loaded(self) -> None:
        """A model is there: what goes wrong with the next one is news."""
        self._logged.clear()

"""Models that did not load are not tried again for a while; why is logged once, until a model loads."""

from __future__ import annotations


class ModelHolds:
    """By model name. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._holds: dict[str, tuple[float, str]] = {}  # not before, and why
        self._logged: set[str] = set()

    def hold(self, name: str, until: float, reason: str) -> None:
        """Until then workers go straight to the fallback."""
        self._holds[name] = (until, reason)

    def reason(self, name: str, now: float) -> str:
        """Why the model is not tried now; "": it is."""
        until, reason = self._holds.get(name, (now, ""))
        return reason if now < until else ""

    def is_news(self, text: str) -> bool:
        """Whether the log does not have this yet, since the last model that loaded."""
        known = text in self._logged
        self._logged.add(text)
        return not known

    def loaded(self) -> None:
        """A model is there: what goes wrong with the next one is news."""
        self._logged.clear()

"""The words of the pages, and which language a person wants."""

from __future__ import annotations

from pathlib import Path

from sttd import phrases
from sttd.phrases import ENGLISH, OFFERED, THAI, Words

__all__ = ["ENGLISH", "OFFERED", "THAI", "Words"]

COOKIE = "sttd-language"
_FOLDER = Path(__file__).with_name("words")
_LONGEST = 200  # characters of Accept-Language that are read


def words(language: str) -> Words:
    """The words of one of `OFFERED`."""
    return phrases.words(_FOLDER, language)


def chosen(cookie: str | None, accepted: str | None) -> str:
    """Which of `OFFERED` a person wants.

    Args:
        cookie: what the switch on the page has stored.
        accepted: the header Accept-Language (RFC 9110, 12.5.4).
    """
    if cookie in OFFERED:
        return cookie
    wanted: list[tuple[float, str]] = []
    for each in (accepted or "")[:_LONGEST].split(","):
        name, _, weight = each.strip().partition(";")
        wanted.append((_weight(weight), name.split("-")[0].lower()))
    # equal ones stay in their order
    ordered = [name for weight, name in sorted(wanted, key=lambda pair: -pair[0]) if weight > 0]
    return next((name for name in ordered if name in OFFERED), ENGLISH)


def _weight(text: str) -> float:
    try:
        return float(text.strip().removeprefix("q=") or 1)
    except ValueError:
        return 0.0

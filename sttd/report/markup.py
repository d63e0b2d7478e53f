"""HTML and SVG from values: all text is escaped, unless it is `Markup`."""

from __future__ import annotations

import html


class Markup(str):
    """Text that is HTML."""

    __slots__ = ()

    def __html__(self) -> str:
        """For templates: it needs no escaping."""
        return self


def tag(name: str, *content: str | None, **attributes: str | float | None) -> Markup:
    """An element. `class_` is the attribute class, `aria_label` aria-label; one that is None is left out."""
    words = [name]
    for key, value in attributes.items():
        if value is not None:
            words.append(f'{_NAMES.get(key, key.rstrip("_").replace("_", "-"))}="{html.escape(_text(value))}"')
    inner = join(*content)
    return Markup(f"<{' '.join(words)}>{inner}</{name}>")


# SVG's names in capitals
_NAMES = {"viewBox": "viewBox", "patternUnits": "patternUnits", "patternTransform": "patternTransform"}


def join(*content: str | None) -> Markup:
    """One after the other."""
    return Markup(
        "".join(each if isinstance(each, Markup) else html.escape(each, quote=False) for each in content if each)
    )


def _text(value: str | float) -> str:
    """Places in a chart have two decimals at most."""
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)

"""One value of the configuration: read from TOML or from text, and checked.

A `kind` is the type of a value; `key(...)` in sttd/config names it for each key. Its reader gets the value and the key's
rules, and raises ValueError with the end of a sentence that begins with the key's name. From the environment and from `--set`
every value comes as text. From TOML it has a type, and a wrong type is an error.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sttd.config.service import NONE
from sttd.config.web import Address
from sttd.configfile import languages
from sttd.units import format_duration, parse_duration, parse_size

Rules = Mapping[str, Any]

MOST_TRIES = 20  # numbers in the list of temperatures: a difficult window is decoded once for each
LONGEST = 10 * 365.25 * 86400.0  # seconds; a thread cannot wait for more than some 292 years, and nobody means that


def nearest(word: str, words: Iterable[str]) -> str:
    """`; did you mean ...?` with the word that was probably meant, for the end of a sentence; "" if none is similar."""
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def read(value: Any, kind: str, rules: Rules) -> Any:
    """The value that a key of `kind` gets.

    Raises:
        ValueError: it is not one; the message is the end of a sentence, such as "must be a whole number, not 'x'".
    """
    try:
        return _READERS[kind](value, rules)
    except (OverflowError, RecursionError):  # TOML allows both: numbers of any length, tables in tables without end
        raise ValueError("is too large a number, or nested too deeply") from None


def _must(what: str, value: Any) -> ValueError:
    shown = "a table" if isinstance(value, dict) else repr(value)
    return ValueError(f"must be {what}, not {shown}")


def _text(value: Any, rules: Rules) -> str:
    if not isinstance(value, str):
        raise _must("text in quotes", value)
    if "\x00" in value:
        raise ValueError("must not hold a NUL character")
    if rules.get("filled") and not value.strip():
        raise ValueError("must not be empty")
    return value


def _words(value: Any, rules: Rules) -> str:
    """Text that must be valid UTF-8, such as a prompt or the name of a model."""
    text = _text(value, rules)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"must be UTF-8 text, not {value!r}")
    if len(text) > rules.get("most", len(text)):
        raise ValueError(f"must be at most {rules['most']:,} characters, not {len(text):,}: {rules['because']}")
    return text


def _path(value: Any, rules: Rules) -> Path:
    text = _text(value, rules)
    if not text:
        return Path()
    try:
        path = Path(text).expanduser() if text.startswith("~") else Path(text)
    except RuntimeError:
        raise ValueError(f"must name the home of somebody, not {value!r}: begin it with /") from None
    if not path.is_absolute():
        raise ValueError(f"must be an absolute path, not {value!r}: begin it with /")
    return Path("/" + os.path.normpath(path).lstrip("/"))  # two slashes in front would stay, and be another folder


def _bool(value: Any, _rules: Rules) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    found = value if isinstance(value, bool) else words.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise _must("true or false", value)
    return found


def _int(value: Any, rules: Rules) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 10**18:  # as in text
        raise _must("a whole number", value)
    return int(_within(value, rules))


def _within(value: float, rules: Rules) -> float:
    if value < rules.get("least", value):
        raise ValueError(f"must be at least {rules['least']}, not {value}")
    if value > rules.get("most", value):
        raise ValueError(f"must be at most {rules['most']}, not {value}")
    return value


def _auto(value: Any, rules: Rules) -> int:
    """A number or "auto". Returns 0 for "auto", and NONE for a 0 that the rules allow."""
    if isinstance(value, str) and value.strip().lower() == "auto":
        return 0
    try:
        return _int(value, {"least": 1, **rules}) or NONE
    except ValueError as error:
        raise ValueError(f'{error} (or "auto")') from None


def _tracks(value: Any, _rules: Rules) -> str:
    word = value.strip().lower() if isinstance(value, str) else value
    if word in ("auto", "all"):
        return str(word)
    try:
        return str(_int(word, {"least": 1, "most": 256}))
    except ValueError as error:
        raise ValueError(f'{error} (or "auto", or "all")') from None


def _duration(value: Any, rules: Rules) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _must('a duration such as "30s" or "5min"', value)
    if rules.get("never") and isinstance(value, str) and value.strip().lower() == "never":
        return math.inf
    seconds = parse_duration(value) if isinstance(value, str) else float(value)
    if seconds == math.inf and rules.get("endless"):
        return seconds
    if not seconds <= LONGEST:
        raise ValueError(f"must be at most 10 years, not {value!r}")
    if seconds < 0 or (rules.get("positive") and seconds == 0):
        raise ValueError(f"must be {'more than 0 s' if rules.get('positive') else '0 s or more'}, not {value!r}")
    if seconds < rules.get("least", 0.0):
        raise ValueError(f"must be at least {format_duration(rules['least'])}, not {value!r}")
    return round(seconds, 6)  # systemd's resolution


def _number(value: Any) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise _must("a number", value) from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _must("a number", value)
    return float(value)


def _bounded(value: Any, rules: Rules) -> float:
    return _within(_number(value), rules)


def _fraction(value: Any, _rules: Rules) -> float:
    number = _number(value)
    if not 0 < number < 1:
        raise ValueError(f"must lie between 0 and 1, not {value!r}")
    return number


def _fractions(value: Any, _rules: Rules) -> tuple[float, ...]:
    items = [item.strip() for item in value.split(",")] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise _must("a list of numbers such as [0, 0.2]", value)
    numbers = tuple(_number(item) for item in items)
    if not all(0 <= number <= 1 for number in numbers):
        raise ValueError(f"must hold numbers from 0 to 1, not {value!r}")
    if len(numbers) > MOST_TRIES:
        raise ValueError(f"must hold at most {MOST_TRIES} numbers, not {len(numbers)}")
    return numbers


def _percent(value: Any, _rules: Rules) -> float:
    number = _number(value.strip().removesuffix("%") if isinstance(value, str) else value)
    if not 0 < number <= 100:
        raise ValueError(f"must be a percentage above 0 and up to 100, not {value!r}")
    return number


def _choice(value: Any, rules: Rules) -> str:
    choices = rules["choices"]
    text = _text(value, rules).strip()
    found = next((choice for choice in choices if choice.lower() == text.lower()), None)
    if found is None:
        raise ValueError(f"must be one of {', '.join(choices)}, not {value!r}{nearest(text, choices)}")
    return str(found)


def _language(value: Any, _rules: Rules) -> str:
    code = _text(value, {}).strip().lower()
    if code and code not in languages.CODES:
        near = languages.nearest(code)
        raise ValueError(f"must be a language code that Whisper knows, such as en, th or zh, not {value!r}{near}")
    return code


def _items(value: Any) -> list[str]:
    """A list of TOML, or text with commas."""
    if isinstance(value, str):
        value = [item.strip() for item in value.split(",")] if value.strip() else []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _must("a list of texts", value)
    return list(value)


def _several(
    one: Callable[[Any, Rules], str], *, filled: bool, once: bool = True
) -> Callable[[Any, Rules], tuple[str, ...]]:
    """A reader of a list whose items are read by `one`; `once`: duplicates are dropped."""

    def reader(value: Any, rules: Rules) -> tuple[str, ...]:
        items = tuple(one(item, {"filled": True, **rules}) for item in _items(value))
        found = tuple(dict.fromkeys(items)) if once else items
        if filled and not found:
            raise ValueError("must name at least one")
        return found

    return reader


def _language_item(value: Any, rules: Rules) -> str:
    return _language(_text(value, rules), rules)


def _name(value: Any, _rules: Rules) -> str:
    name = _words(value, {"filled": True, "most": 40, "because": "it stands before all that is said"}).strip()
    if not name.isprintable():
        raise ValueError(f"must hold names of one line each, not {value!r}")
    return name


def _suffix(value: Any, rules: Rules) -> str:
    suffix = _text(value, rules).strip().removeprefix(".").lower()
    if not suffix or "/" in suffix or any(character.isspace() for character in suffix):
        raise ValueError(f'must hold suffixes such as "mp3", not {value!r}')
    return suffix


def _size(value: Any, _rules: Rules) -> float:
    """Bytes; infinity means no limit."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _must('a size such as "200G" or "512M"', value)
    return parse_size(str(value))


def _address(value: Any, rules: Rules) -> Address:
    try:
        return Address.parse(_text(value, rules))
    except ValueError:
        raise ValueError(f'must be an IP address and a port, such as "127.0.0.1:7883", not {value!r}') from None


def _host(value: Any, rules: Rules) -> str:
    name = _text(value, rules).strip().lower().removesuffix(".")
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", name):
        raise ValueError(f'must hold names such as "nas.local", without a port, not {value!r}')
    return name


def _durations(value: Any, rules: Rules) -> tuple[float, ...]:
    items = [item.strip() for item in value.split(",")] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise _must('a list of durations such as ["30s", "2min"]', value)
    return tuple(_duration(item, rules) for item in items)


_READERS: dict[str, Callable[[Any, Rules], Any]] = {
    "path": _path,
    "duration": _duration,
    "durations": _durations,
    "size": _size,
    "bool": _bool,
    "int": _int,
    "auto": _auto,
    "tracks": _tracks,
    "str": _words,
    "list": _several(_suffix, filled=True),
    "choice": _choice,
    "number": _bounded,
    "fraction": _fraction,
    "fractions": _fractions,
    "percent": _percent,
    "formats": _several(_choice, filled=True),
    "address": _address,
    "hosts": _several(_host, filled=False),
    "names": _several(_name, filled=False, once=False),
    "language": _language,
    "languages": _several(_language_item, filled=False),
}

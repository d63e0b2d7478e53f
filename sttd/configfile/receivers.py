"""[[notify]] tables: the receivers of notices. A message about a mistake never shows an address: it may hold a password."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sttd.config.receiver import Receiver
from sttd.configfile import written
from sttd.configfile.named import Kind, Naming

SECTION = "notify"
WAYS = ("webhook", "command", "apprise")
LONGEST = 64  # characters of a name
# seconds where no timeout is set: a command may ask a language model, Apprise is started for each try
PATIENCE = {"command": 300.0, "apprise": 60.0}
KEYS = {each.name: each.metadata for each in dataclasses.fields(Receiver) if each.metadata}


def _relations(chosen: Mapping[str, Any]) -> Iterator[str]:
    secret = chosen.get("secret_file", "")
    if "/" in secret and not secret.startswith("/"):
        yield "secret_file: must be an absolute path, or the name of a credential of the unit, without /"
    if "webhook" in chosen and not secret:
        yield "secret_file: is missing: make one with `openssl rand -base64 32 > FILE`; the receiver checks signatures by it"
    if "command" in chosen and secret:
        yield "secret_file: a command gets no secret from sttd: let it read its own"
    if "apprise" in chosen and bool(secret) is not ("{secret}" in chosen["apprise"]):
        yield "secret_file: goes together with {secret} in the address, where its content is put"


def _url(value: Any) -> str:
    words = 'must be an address such as "https://example.org/hook", in printable ASCII'
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
        raise ValueError(words)
    try:
        url = urlsplit(value)
        if url.scheme in ("http", "https") and url.hostname and url.port != 0:
            url.hostname.encode("idna")  # as the resolver's call does
            return value
    except ValueError:  # a bad port, brackets that do not close, or a host with an empty label or one over 63 bytes
        pass
    raise ValueError(words)


def _command(value: Any) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(word, str) and "\0" not in word for word in value)
    ):
        raise ValueError('must be a list such as ["/usr/local/bin/tell", "--quiet"]; no shell reads it')
    if not value[0].startswith("/"):
        raise ValueError("must begin with the absolute path of a program")
    return tuple(value)


def _apprise(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]+://[!-~]+", value):
        raise ValueError('must be an address as Apprise has them, such as "ntfy://example.org/topic"')
    return value


def _patterns(value: Any) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(each, str) and each.isprintable() for each in value)
    ):
        raise ValueError('must be a list of patterns such as ["meetings/*"]')
    return tuple(value)


def _lacks(table: Mapping[str, Any], chosen: dict[str, Any], is_sound: bool) -> Iterator[str]:
    """Yields what is missing; sets the timeout in `chosen` to the default of the receiver's kind."""
    ways = [key for key in WAYS if key in table]
    if len(ways) != 1:
        yield f": has {' and '.join(ways) or 'no address'}: write one of webhook, command and apprise"
        return
    if is_sound:
        yield from (f" {text}" for text in _relations(chosen))
    if ways[0] in PATIENCE:
        chosen.setdefault("timeout", PATIENCE[ways[0]])


_OWN = {"webhook": _url, "command": _command, "apprise": _apprise, "folders": _patterns, "names": _patterns}
_NAMING = Naming(
    rf"\w[\w .-]{{0,{LONGEST - 1}}}", f"letters, digits, spaces, _, - and dots, at most {LONGEST}", example="phone"
)
KIND = Kind(SECTION, Receiver, _NAMING, KEYS, _OWN, _lacks)


def lines(receivers: Sequence[Receiver]) -> Iterator[str]:
    """The tables as TOML, for people to read: of an address only the part that may be shown."""
    for each in receivers:
        yield f"\n[[{SECTION}]]"
        yield f"name = {written.write(each.name, 'str')}"
        if each.command:
            yield f"command = {written.write((each.address, '…') if each.command[1:] else (each.address,), 'list')}"
        else:
            yield f"{each.kind} = {written.write(each.address, 'str')}"
        default = Receiver(each.name)
        if each.kind in PATIENCE:
            default = dataclasses.replace(default, timeout=PATIENCE[each.kind])
        for key, rules in KEYS.items():
            if getattr(each, key) != getattr(default, key):
                yield f"{key} = {written.write(getattr(each, key), rules['kind'])}"

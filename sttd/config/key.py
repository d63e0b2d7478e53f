"""What a configuration key is."""

from __future__ import annotations

from dataclasses import field
from typing import Any

SHORTEST = 1.0  # second: what is done again and again must leave the daemon, the disk and the log in peace meanwhile


def key(default: Any, help: str, kind: str, **rules: Any) -> Any:
    """A configuration key: its default, the sentence that `etc/sttd.toml` prints, and how its value is read.

    `configfile.values` knows the kinds and the rules (least, most, positive, endless, never, filled, choices).
    """
    return field(default=default, metadata={"help": help, "kind": kind, **rules})

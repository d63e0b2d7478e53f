"""The configuration as a file: `etc/sttd.toml` is what this makes of the defaults."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Collection

from sttd.config import Config, sections
from sttd.configfile.values import write

_HEADER = """\
# The configuration of sttd. Every key stands here with its default: take away the # in front of what you change.
#
# --set section.key=value on the command line and STTD_SECTION__KEY in the environment go before what is written here.
# Durations are written as for systemd: 30s, 5min, 1h 30min. `sttd check-config` says whether all is right.
# `systemctl reload sttd` takes changes over; those in [paths] and [watch] need a restart.
"""


def render(config: Config | None = None, always: Collection[str] = ()) -> str:
    """`config` as TOML, with a sentence for each key. `load` reads it back.

    What is as the default has a # in front, but for the keys in `always`, written as `section.key`.
    """
    config = config or Config()
    lines = [_HEADER]
    for section in sections():
        lines.append(f"[{section.name}]\n")
        chosen = getattr(config, section.name)
        for key in dataclasses.fields(chosen):
            value = getattr(chosen, key.name)
            mark = "#" if value == key.default and f"{section.name}.{key.name}" not in always else ""
            lines += textwrap.wrap(key.metadata["help"], 118, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"{mark}{key.name} = {write(value, key.metadata['kind'])}\n")
    return "\n".join(lines)

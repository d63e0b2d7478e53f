"""The configuration as a file: `etc/sttd.toml` is what this makes of the defaults."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Collection

from sttd.config import Config, sections
from sttd.configfile import receivers, remotes, tables
from sttd.configfile.written import write

_HEADER = """\
# The configuration of sttd: every key with its default. To change a key, remove the # in front of it.
#
# --set section.key=value on the command line overrides the environment (STTD_SECTION__KEY), which overrides this file.
# Durations are written as for systemd: 30s, 5min, 1h 30min. `sttd check-config` reports mistakes.
# `systemctl reload sttd` applies changes; those in [paths], of polling and of suffixes need a restart.
#
# Recordings in a folder of the inbox can have options of their own, in a file .sttd.toml in that folder: [transcribe]
# without batch_size and replace, [subtitles], [output] formats and [model] name. `sttd check-config PATH` checks one.
"""
_TABLES = """\
# Further inboxes, each in a table of its own. Where there are some, write [[watch]] for [watch] above too. A table takes the keys
# of [watch] but dedupe, of [output], and of [transcribe] but batch_size and replace.
# [[watch]]
# name="movies"
# inbox="/media/movies"
# place="beside"
"""

_REMOTES = """\
# Workers on other machines, each in a table of its own: a command that runs `sttd worker` there, with the same version of sttd and
# the model (`sttd model pull`). No shell reads the command. Under systemd: `sttd install --drop-in remote` lets the service use a network.
# [[pool.remote]]
# name="gpu1"
# command=["ssh", "gpu1", "/opt/sttd/bin/sttd", "worker"]
# slots=1          # workers there: the command is started once for each
# cpu_threads="auto"  # of one worker: the cores there shared out, or as many as Slurm or Kubernetes gives
# device="auto"    # auto, cpu or cuda, there
# start_timeout="10min"  # how long the command may take until the worker answers (a cluster may let it queue)
"""

_RECEIVERS = """\
# Who is told of what happens, each in a table of its own, by `sttd notify` (sttd-notify.service), which
# `systemctl restart sttd-notify` lets read changes. A table has a name and one of
#   webhook="https://..."    gets signed JSON (HMAC-SHA256, as in standardwebhooks.com), and needs secret_file
#   command=["/path", ...]   gets the JSON on its standard input, runs in the sandbox of the unit, and ends with 0
#   apprise="ntfy://..."     any address of Apprise (pip install 'sttd[notify]'); {secret} in it stands for the content of secret_file
# secret_file is a path, or the name of a credential of the unit (LoadCredential=). Which events, of which recordings: events
# (all, or some of those below), folders and names (patterns), languages. What is not taken is tried again, after growing waits.
# [[notify]]
# name="phone"
# webhook="https://example.org/hook"
# secret_file="/etc/sttd/phone.secret"
# events=["done", "failed", "fallback", "warning", "memory-critical", "held-up", "back"]
# folders=["meetings"]
# names=["*.m4a"]
# languages=["th"]
# timeout="15s"  # where it is not set, a command has 5min and Apprise 1min
# give_up="1d"
"""


def render(config: Config | None = None, always: Collection[str] = ()) -> str:
    """`config` as TOML, with a sentence for each key. `load` can read it back, except receivers: their addresses are hidden.

    A key that has its default gets a # in front, unless it is in `always` (as `section.key`).
    """
    config = config or Config()
    lines = [_HEADER]
    for section in sections():
        is_table = section.name == "watch" and config.watched  # in TOML a name is either a section or tables
        lines.append(f"[[{section.name}]]\n" if is_table else f"[{section.name}]\n")
        chosen = section.of(config)
        for key in dataclasses.fields(chosen):
            value = getattr(chosen, key.name)
            mark = "#" if value == key.default and f"{section.name}.{key.name}" not in always else ""
            lines += textwrap.wrap(key.metadata["help"], 118, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"{mark}{key.name} = {write(value, key.metadata['kind'])}\n")
        if section.name == "watch":
            lines += tables.lines(config) if config.watched else [_TABLES]
        if section.name == remotes.SECTION:
            lines += [*remotes.lines(config.remotes), ""] if config.remotes else [_REMOTES]
    lines += receivers.lines(config.receivers) if config.receivers else [_RECEIVERS]
    return "\n".join(lines)

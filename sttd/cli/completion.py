"""What a shell offers behind Tab: numbers of jobs with their names, models, languages, keys of the configuration.

It runs at each Tab: it reads the ledger and nothing else, and no folder of recordings, which may be on a share. Where something
is wrong it offers nothing: a message would stand in the middle of a command line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

MOST = 50  # jobs that are offered, the newest
Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def complete_jobs(states: str = "") -> Complete:
    """Numbers of jobs, newest first, with their names as help. `states`: only in these, with commas between them."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from sttd.errors import SttdError
        from sttd.ledger.lists import Which
        from sttd.text import printable
        from sttd.view import access
        from sttd.view.figures import states as named

        wanted = tuple(state for word in states.split(",") if word for state in named(word))
        typed = context.params.get("numbers") or ()
        try:
            with access.reading(
                context.find_root().obj.load()
            ) as ledger:  # a `Given` of options.py, which needs this module
                found = ledger.listed(Which(wanted), MOST if not incomplete else 20 * MOST)
        except (SttdError, OSError):
            return []
        fitting = [job for job in found if str(job.id).startswith(incomplete) and job.id not in typed][:MOST]
        return [_item(str(job.id), f"{job.state}: {printable(job.source)}") for job in fitting]

    return complete


def complete_models(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The sizes that are known by name. What lies in the cache is not looked for: it may be on a share."""
    from sttd.hub.names import SIZES

    return [_item(name) for name in (*SIZES, "demo") if name.startswith(incomplete)]


def complete_languages(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from sttd.configfile.languages import CODES
    from sttd.languages import english_name

    return [_item(code, english_name(code)) for code in CODES if code.startswith(incomplete)]


def complete_settings(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`section.key=`, and behind it what a choice can be."""
    from sttd.configfile import KEYS

    name, equals, value = incomplete.partition("=")
    if not equals:
        keys = ((f"{section}.{key}=", field) for section, fields in KEYS.items() for key, field in fields.items())
        return [_item(key, field.metadata["help"]) for key, field in keys if key.startswith(name)]
    section, _, key = name.partition(".")
    field = KEYS.get(section, {}).get(key)
    choices = () if field is None else field.metadata.get("choices", ())
    if field is not None and field.metadata["kind"] == "bool":
        choices = ("true", "false")
    return [_item(f"{name}={choice}") for choice in choices if choice.startswith(value)]


def _item(value: str, help: str | None = None) -> CompletionItem:
    from click.shell_completion import CompletionItem

    return CompletionItem(value, help=help)

"""`help`: longer texts, from sttd/share/docs/*.md. A terminal gets them rendered, a pipe as they are."""

from __future__ import annotations

import os
import sys

import click

from sttd.cli.options import shared
from sttd.cli.screen import is_terminal
from sttd.errors import UsageError
from sttd.install.share import DOCS


def _complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    return [topic for topic in topics() if topic.startswith(incomplete)]


@click.command("help", short_help="Longer texts: troubleshooting, thai, ...")
@click.argument("topic", required=False, shell_complete=_complete)
@shared
def help_(topic: str | None) -> None:
    """Show the text about TOPIC; without TOPIC the list of them. On a terminal that is too low for it, in the pager."""
    known = topics()
    if topic is None:
        width = max(map(len, known))
        print("\n".join(f"{name:<{width}}  {title}" for name, title in known.items()))
        print("\nsttd help TOPIC shows one, sttd COMMAND --help explains a command, man sttd the service.")
        return
    if topic not in known:
        raise UsageError(
            f"there is no topic {topic!r}: there are {', '.join(known)}; `sttd COMMAND --help` explains commands"
        )
    text = (DOCS / f"{topic}.md").read_text("utf-8")
    if is_terminal():
        _show(text)
    else:
        sys.stdout.write(text)


def topics() -> dict[str, str]:
    """The name of each text, and its title."""
    titles = {}
    for path in sorted(DOCS.glob("*.md")):
        with path.open(encoding="utf-8") as file:
            titles[path.stem] = file.readline().removeprefix("#").strip()
    return titles


def _show(text: str) -> None:
    from sttd.cli import page, term

    screen = term.console()
    with screen.capture() as captured:
        screen.print(page.rendered(text, screen.width))
    shown = captured.get()
    if shown.count("\n") < screen.height:
        sys.stdout.write(shown)
        return
    os.environ.setdefault("LESS", "FRX")  # colours as they are, as git has it
    click.echo_via_pager(shown, color=True)

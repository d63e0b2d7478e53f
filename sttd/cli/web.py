"""`web`: the page, the API and the metrics, if the extra is installed."""

from __future__ import annotations

import sys

import click

from sttd.cli import extra
from sttd.cli.options import given, shared
from sttd.cli.screen import is_terminal


@click.command(short_help="A page to look at, an API, metrics.")
@click.option("--listen", metavar="ADDRESS:PORT", help="Instead of the configured address.")
@click.option("--link", is_flag=True, help="Only print the address that logs a browser in.")
@shared
def web(listen: str | None, link: bool) -> int:
    """Serve the page, the API and metrics until SIGTERM or Ctrl-C. Needs `pip install 'sttd[web]'`."""
    config = given().load(("--listen", "web.listen", listen))
    extra.require("sttd web", "web", extra.WEB)
    from sttd.host import log
    from sttd.web import server, token

    key = token.token(config)
    if link:
        print(server.link(config.web.listen, key))
        return 0
    log.setup(config.log.level)
    return server.serve(config, key, tell=_tell if is_terminal(sys.stdout) else None)


def _tell(link: str) -> None:
    """Print an address to click, for the person who typed the command."""
    print(f"sttd: open {link}", flush=True)

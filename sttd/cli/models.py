"""`sttd model`: which models are here, how they come here, and whether they work. Heavy libraries only where needed."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli.completion import complete_models
from sttd.cli.options import given, shared
from sttd.cli.screen import is_terminal
from sttd.errors import UsageError
from sttd.fs.model_folder import hint, is_folder
from sttd.fs.patience import answers
from sttd.hub import cache
from sttd.hub.names import SIZES, canonical, repository
from sttd.text import printable
from sttd.view.plain import size

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.hub.pull import Show

PLACES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME")


def place() -> Path:
    """Where models lie: as the environment says, else the service's where this is its configuration, else the user's."""
    state = given().service_state()
    if state is not None and not any(os.environ.get(name) for name in PLACES):
        return cache.cache({"HF_HOME": str(state / "huggingface")})  # as HF_HOME= in the unit
    return cache.cache(os.environ)


def configured() -> dict[str, str]:
    """Key and model of those that the configuration names."""
    model = given().load().model
    return {key: name for key, name in (("model.name", model.name), ("model.fallback", model.fallback)) if name}


def absent(config: Config) -> dict[str, str]:
    """The same as `missing`, in sentences that begin with the key."""
    keys = {"model": "name", "fallback": "fallback"}
    return {what: f"[model] {keys[what]}: {problem}" for what, problem in missing(config).items()}


def missing(config: Config, hub: Path | None = None) -> dict[str, str]:
    """The configured models that a worker would look for in vain: `model` or `fallback`, and why.

    A model may lie on a share: one that does not answer is absent too. `hub`: where models lie; None: see `place`.
    """
    named = {"model": config.model.name, "fallback": config.model.fallback}
    hub = hub or place()
    found = answers({what: functools.partial(cache.why_missing, name, hub) for what, name in named.items() if name})
    silence = "its folder does not answer (a network share whose server is away?)"
    problems = {what: found.get(what, silence) for what, name in named.items() if name}
    return {what: problem for what, problem in problems.items() if problem}


@click.group()
@shared
def model() -> None:
    """Models: which ones are here, download, try out.

    They lie where huggingface_hub has them (HF_HOME, HF_HUB_CACHE); with the service's configuration,
    /etc/sttd/sttd.toml, in /var/lib/sttd/huggingface.
    """


@model.command("list")
@shared
def list_() -> None:
    """The models on this machine, and the sizes that are known by name."""
    wanted, hub = configured(), place()
    found = [cache.look("demo", cache.DEMO), *cache.scan(hub)]
    found += [
        cache.look(name, Path(name))
        for name in dict.fromkeys(wanted.values())
        if is_folder(name) and Path(name).is_dir()
    ]
    rows = [_row(one, [key for key, name in wanted.items() if one.name == canonical(name)]) for one in found]
    here = {one.name for one in found}
    known = [name for name in SIZES if name not in here]
    absent = [f"{key} = {printable(name)}" for key, name in wanted.items() if canonical(name) not in here]
    if is_terminal():
        from sttd.cli import term

        screen = term.console()
        screen.print(term.models(rows, printable(str(hub)), known, absent, screen.width))
    else:
        print("\n".join(_plain(rows, printable(str(hub)), known, absent)))


def _row(one: cache.Found, roles: list[str]) -> tuple[str, str, str, str]:
    """Name, size, folder or what is missing, and which keys name it; harmless."""
    state = f"incomplete: no {', no '.join(one.missing)}" if one.missing else printable(str(one.folder))
    return printable(one.name), size(one.size), state, f"({', '.join(roles)})" if roles else ""


def _plain(rows: list[tuple[str, str, str, str]], hub: str, known: list[str], absent: list[str]) -> Iterator[str]:
    width = max(len(name) for name, *_ in rows)
    for name, bytes_, state, roles in rows:
        yield f"{name:<{width}}  {bytes_:>9}  {state}" + (f"  {roles}" if roles else "")
    yield f"\nknown by name, not in {hub}:\n  {' '.join(known)}"
    if absent:
        yield f"\nconfigured, but not on this machine: {', '.join(absent)}"


@model.command()
@click.argument("name", required=False, shell_complete=complete_models)
@shared
def path(name: str | None) -> None:
    """The folder that a worker loads for NAME; without NAME for the configured model."""
    print(printable(str(cache.find(name or configured()["model.name"], place()).folder)))


@model.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_models)
@shared
def pull(names: tuple[str, ...]) -> None:
    """Download models: sizes, or OWNER/NAME of the hub. Without NAME: the configured one and its fallback.

    Only what is missing, damaged or newer is downloaded, and an interrupted download goes on where it stopped. What came
    is compared with the sizes and hashes of the hub. HF_ENDPOINT, HF_TOKEN and HTTPS_PROXY count.

    For the service, as root: `sttd model pull`. The files belong to the owner of /var/lib/sttd then, and a worker takes
    them for its next load.
    """
    wanted = _wanted(names)
    if not wanted:
        return
    with contextlib.ExitStack() as stack:
        if is_terminal():
            from sttd.cli.bars import Bars

            show: Show = stack.enter_context(Bars())
        else:
            from sttd.cli.pulling import Lines

            show = Lines()
        _pull(wanted, show)


def _pull(wanted: dict[str, str], show: Show) -> None:
    from sttd.hub.session import pull_all

    show.note("asks the hub for " + ", ".join(wanted))
    for name, pulled in pull_all(wanted, place(), show):
        came = f"{pulled.fetched} files came" if pulled.fetched else "nothing was missing"
        show.note(f"{name} is whole ({came}): {pulled.folder}")


def _wanted(names: tuple[str, ...]) -> dict[str, str]:
    """Name and repository of each model to pull. One that is never pulled (demo, a folder) is looked at, and that is printed.

    Raises:
        NotHere: a folder that was named here is none, or holds no whole model.
        UsageError: the hub can have nothing of that name.
    """
    wanted: dict[str, str] = {}
    for name in names or configured().values():
        if name != "demo" and not is_folder(name):
            wanted.setdefault(_repository(name), name)
            continue
        problem = cache.why_missing(name, place())
        if problem and names:
            raise cache.NotHere(problem)
        print(problem or f"{printable(name)} is on this machine: there is nothing to pull")
    return {name: where for where, name in wanted.items()}


def _repository(name: str) -> str:
    try:
        return repository(name)
    except UsageError as error:
        raise UsageError(f"{error}{hint(name)}") from None


@model.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_models)
@shared
def verify(names: tuple[str, ...]) -> int:
    """Load models as a worker does, and let them hear the spoken samples of the demo.

    Without NAME: the configured model and its fallback. Ends with 1 where one cannot be loaded within model.load_timeout,
    or hears nothing.
    """
    from sttd.cli import trial

    config, hub = given().load(), place()
    well = True
    for name in dict.fromkeys(names or configured().values()):
        well &= trial.trial(config, name, hub)
    return 0 if well else 1

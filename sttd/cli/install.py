"""`install`: the service, its user and its folders on this machine; `--uninstall` takes all but the data away again."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli.options import given, shared
from sttd.cli.shells import script
from sttd.errors import SttdError, UsageError
from sttd.text import sentence

if TYPE_CHECKING:
    from sttd.install.effects import Machine
    from sttd.install.items import Item


FOLDER = "folder"  # the drop-in that takes paths


class NotRoot(SttdError):
    """Only root may install."""


def _drop_in_names() -> list[str]:
    from sttd.install import share

    return [*share.drop_ins(), FOLDER]


@click.command(short_help="Install the service: unit, user, folders.")
@click.option("--dry-run", is_flag=True, help="Only list what would be done.")
@click.option("--uninstall", is_flag=True, help="Remove what was installed. Recordings, results and the ledger stay.")
@click.option("--drop-in", "drop_ins", multiple=True, type=click.Choice(_drop_in_names()),
              help="Also: an NVIDIA GPU, an inbox that is a mount of its own, a network for workers on other machines, "
              "or a FOLDER outside of /srv/sttd.")  # fmt: skip
@click.option("--instance", metavar="NAME", help="Also: folders and configuration of a second service, sttd@NAME.")
@click.option("--destdir", metavar="DIR", default="/", type=click.Path(path_type=Path),
              help="For packagers: write below DIR, and run nothing.")  # fmt: skip
@click.argument("folders", metavar="[FOLDER]...", nargs=-1)
@shared
def install(
    *,
    dry_run: bool,
    uninstall: bool,
    drop_ins: tuple[str, ...],
    instance: str | None,
    destdir: Path,
    folders: tuple[str, ...],
) -> int:
    """Install this sttd as a service: units, user, folders, configuration, completion and man page.

    `--drop-in folder FOLDER ...` lets the service write to folders that its unit closes: outside of /srv/sttd, or in a home.

    It can be run again at any time, after an update too. A configuration that is there is never overwritten.
    """
    from sttd.cli import extra
    from sttd.install import effects, items, reach

    words = given()
    if words.config or words.root or words.sets:
        raise UsageError(f"the service is configured in {items.CONFIGS}, not by the options of its installation")
    if instance is not None and not items.is_instance(instance):
        raise UsageError(
            f"--instance {instance}: choose a name of small letters, digits and _ that is not sttd, web or notify"
        )
    machine = effects.Machine(destdir.absolute(), dry=dry_run, tell=_tell)
    program = reach.program(machine.top)
    refusals = _refusals(program, uninstall=uninstall) if machine.live else []
    if refusals and not dry_run:
        raise refusals[0]
    names = [name for name in drop_ins or (_drop_in_names() if uninstall else ()) if name != FOLDER]
    web, ray = (uninstall or not extra.missing(modules) for modules in (extra.WEB, extra.RAY))
    wanted = items.items(program, names, instance, _completions(), web=web, ray=ray)
    wanted += _opened(folders, instance, asked=FOLDER in drop_ins, web=web)
    if uninstall:
        _remove(machine, wanted)
    else:
        _install(machine, wanted, instance)
    return _refused(refusals)


def _completions() -> dict[str, str]:
    from sttd.install import items

    return {shell: script(shell) for shell in items.COMPLETIONS}


def _refusals(program: list[str], *, uninstall: bool) -> list[SttdError]:
    """Why nothing would be done."""
    from sttd.install import reach

    found: list[SttdError] = []
    if os.geteuid() != 0:
        found.append(NotRoot("only root may do this: sudo " + click.get_current_context().command_path))
    try:
        if not uninstall:
            reach.require(program)
    except reach.NotReadable as error:
        found.append(error)
    return found


def _refused(refusals: Sequence[SttdError]) -> int:
    """Say after a preview what would not be done; returns its exit code. A preview is anybody's, not only root's."""
    for refusal in refusals:
        print(f"sttd: without --dry-run this is refused: {sentence(str(refusal))}", file=sys.stderr)
    return int(any(not isinstance(refusal, NotRoot) for refusal in refusals))


def _opened(folders: tuple[str, ...], instance: str | None, *, asked: bool, web: bool) -> list[Item]:
    """The drop-ins for folders. Raises UsageError where one cannot be opened, or none is named."""
    from sttd.install import items, opened

    if asked is not bool(folders):
        raise UsageError("name the folders: sttd install --drop-in folder FOLDER ...")
    units = ["sttd.service" if instance is None else f"sttd@{instance}.service"]
    if web and instance is None:
        units.append(items.WEB)  # it may be an inbox, or hold results
    return [opened.drop_in(folder, unit) for folder in folders for unit in units]


_NETWORKS = {
    "remote.conf": "the commands of [[pool.remote]] tables; ssh's keys are in /var/lib/sttd/.ssh",
    "ray.conf": "the cluster of [pool.ray]; this machine is a node of it by sttd-ray-head or sttd-ray-node",
}


def _install(machine: Machine, wanted: list[Item], instance: str | None) -> None:
    from sttd.install import effects, items

    for item in wanted:
        machine.put(item)
    paths = [item.path for item in wanted]
    for path in (path for path in paths if path.name in _NETWORKS):
        print(f"{path.parent.name.removesuffix('.d')} has a network from its next start on, for {_NETWORKS[path.name]}")
    machine.run("systemd-sysusers", *(str(path) for path in paths if path.parent == items.SYSUSERS.parent))
    for path in (path for path in paths if path.parent == items.TMPFILES):
        machine.run("systemd-tmpfiles", "--create", str(path))
    machine.run("journalctl", "--update-catalog")
    if effects.systemd_runs():
        machine.run("systemctl", "daemon-reload")
    if machine.live:
        name = "sttd" if instance is None else f"sttd@{instance}"
        running = effects.running_services(machine)
        print("\nGo on with:")
        if running:
            print(f"  systemctl restart {' '.join(running)}")
        if name not in running:
            print("  systemctl start sttd-models         fetches the configured model and its fallback")
            print(f"  systemctl enable --now {name}")
        if items.SYSTEM / items.WEB in paths and items.WEB.removesuffix(".service") not in running:
            print(
                "  systemctl enable --now sttd-web     serves a page; `sttd web --link` prints its address, with the token"
            )


def _remove(machine: Machine, wanted: list[Item]) -> None:
    from sttd.install import effects, items, opened

    more = items.left_by_instances(machine.top)
    extras = effects.installed_extras(machine)
    rays = [unit for unit in items.RAY if machine.at(items.SYSTEM / unit).exists()]
    instances = effects.enabled_instances(machine, items.SYSTEM)
    if machine.live and effects.systemd_runs():
        machine.run("systemctl", "disable", "--now", "sttd.service", *extras, *rays, *instances)
        machine.run("systemctl", "stop", "sttd-models.service", "sttd@*.service")
    for item in [*wanted, *more, *opened.left(machine.top)]:
        machine.take(item)
    machine.run("journalctl", "--update-catalog")
    if effects.systemd_runs():
        machine.run("systemctl", "daemon-reload")
    also = "".join(f", {unit.removesuffix('.service')}" for unit in extras)
    print(
        f"\nStays: /srv/sttd* and /var/lib/sttd* with all that is in them, and the user sttd{also}, to whom it belongs."
    )


def _tell(what: str, path: str) -> None:
    print(f"{what:<10} {path}")

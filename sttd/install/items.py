"""Which files an installation consists of. Reads the shipped files; nothing is written here."""

from __future__ import annotations

import dataclasses
import enum
import re
from dataclasses import dataclass
from pathlib import Path

from sttd import configfile
from sttd.config import Config, Paths
from sttd.install import manual, share

SHIPPED = "/opt/sttd/bin/sttd"  # the program in the units as they are shipped
WEB = "sttd-web.service"  # of the extra sttd[web]
NOTIFY = "sttd-notify.service"
RAY = ("sttd-ray-head.service", "sttd-ray-node.service")  # of the extra sttd[ray]; a person enables at most one
_RAY = "/opt/sttd/bin/ray"  # Ray's program in these units, as they are shipped
EXTRAS = (WEB, NOTIFY)  # services apart from the daemon, with a network; a person enables them if wanted
UNITS = ("sttd.service", "sttd@.service", "sttd-models.service", NOTIFY)
SYSTEM = Path("/etc/systemd/system")
SYSUSERS = Path("/usr/lib/sysusers.d/sttd.conf")
WEB_SYSUSERS = Path("/usr/lib/sysusers.d/sttd-web.conf")
TMPFILES = Path("/usr/lib/tmpfiles.d")
CATALOGUES = Path("/usr/lib/systemd/catalog")
CONFIGS = Path("/etc/sttd")
COMMAND = Path("/usr/local/bin/sttd")
MAN = Path("/usr/local/share/man")
COMPLETIONS = {  # click's shells, and where each looks for what an administrator has installed
    "bash": Path("/usr/local/share/bash-completion/completions/sttd"),
    "zsh": Path("/usr/local/share/zsh/site-functions/_sttd"),
    "fish": Path("/usr/local/share/fish/vendor_completions.d/sttd.fish"),
}


class Kind(enum.Enum):
    """What happens if another file has the name already."""

    FILE = "it is ours, and replaced"
    CONFIG = "it is a person's, and stays; ours goes beside it as `.new`"
    LINK = "it stays, unless it is a link of ours"


@dataclass(frozen=True, slots=True)
class Item:
    path: Path  # absolute; below DESTDIR where there is one
    content: str  # of a file, or the target of a link
    kind: Kind = Kind.FILE


def items(
    program: list[str],
    drop_ins: list[str],
    instance: str | None,
    completions: dict[str, str],
    *,
    web: bool,
    ray: bool,
) -> list[Item]:
    """Everything that is installed, in the order in which it is listed.

    Args:
        program: the words that run sttd, with an absolute path first.
        drop_ins: names, as `share.drop_ins` gives them.
        instance: of `sttd@.service`, whose configuration and folders are made too.
        completions: scripts by shell.
        web: include the service of `sttd web`.
        ray: include the services of a Ray cluster.
    """
    found = [Item(SYSTEM / unit, unit_text(unit, program)) for unit in UNITS]
    found += [_drop_in(name, unit) for name in drop_ins for unit in _takers(name, instance)]
    found += [Item(SYSUSERS, share.text("sttd.sysusers")), Item(TMPFILES / "sttd.conf", share.text("sttd.tmpfiles"))]
    if web:
        found += [Item(SYSTEM / WEB, unit_text(WEB, program)), Item(WEB_SYSUSERS, share.text("sttd-web.sysusers"))]
    if ray or "ray" in drop_ins:
        found += [Item(TMPFILES / "sttd-ray.conf", share.text("sttd-ray.tmpfiles"))]
    if ray:
        found += [Item(SYSTEM / unit, unit_text(unit, program)) for unit in RAY]
    found += [Item(CONFIGS / "sttd.toml", config_text("sttd"), Kind.CONFIG)]
    if instance is not None:
        found += [Item(TMPFILES / f"sttd@{instance}.conf", _instance_folders(instance))]
        found += [Item(CONFIGS / f"{instance}.toml", config_text(f"sttd-{instance}"), Kind.CONFIG)]
    found += [Item(CATALOGUES / path.name, path.read_text("utf-8")) for path in share.catalogues()]
    found += [Item(COMPLETIONS[shell], script) for shell, script in completions.items()]
    found += [Item(MAN / "man8" / "sttd.8", share.text("sttd.8"))]
    found += [Item(MAN / "man7" / f"sttd-{topic}.7", page) for topic, page in manual.topics(share.DOCS).items()]
    if len(program) == 1 and program[0] != str(COMMAND):
        found += [Item(COMMAND, program[0], Kind.LINK)]
    return found


def unit_text(unit: str, program: list[str]) -> str:
    """A unit that runs this sttd (systemd.service(5), COMMAND LINES)."""
    beside = (
        [str(Path(program[0]).with_name("ray"))] if len(program) == 1 else [program[0], "-m", "ray.scripts.scripts"]
    )
    text = share.text(unit).replace(_RAY, " ".join(map(_quoted, beside)))
    return text.replace(SHIPPED, " ".join(map(_quoted, program)))


def _quoted(word: str) -> str:
    word = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    if re.search(r"[\s\"';]", word):
        return '"' + word.replace('"', '\\"') + '"'
    return word


_OWN = ("inbox-mount", "ray", "remote")


def _takers(name: str, instance: str | None) -> list[str]:
    """The units that get a drop-in. An inbox's mount or a network is for one service; a GPU is for the instances too."""
    if name in _OWN:
        return ["sttd.service" if instance is None else f"sttd@{instance}.service"]
    return ["sttd.service", "sttd@.service"]


def _drop_in(name: str, unit: str) -> Item:
    text = share.text(f"drop-ins/{name}.conf")
    instance = re.fullmatch(r"sttd@(.+)\.service", unit)
    if instance:
        text = text.replace("/srv/sttd", f"/srv/sttd-{instance[1]}")
    return Item(SYSTEM / f"{unit}.d" / f"{name}.conf", text)


def _instance_folders(instance: str) -> str:
    text = share.text("sttd.tmpfiles")
    return text.replace("/srv/sttd", f"/srv/sttd-{instance}").replace("/var/lib/sttd", f"/var/lib/sttd-{instance}")


def config_text(folder: str) -> str:
    """The configuration with the service's folders in it, so that a command finds the ledger without systemd's help."""
    paths = Paths(root=Path("/srv", folder), state=Path("/var/lib", folder))
    return configfile.render(dataclasses.replace(Config(), paths=paths), always=("paths.root", "paths.state"))


def is_instance(name: str) -> bool:
    """Whether this can be the name of an instance: it is a valid file name everywhere, and needs no escape in a unit's name.

    An instance `web` would share the state folder of `sttd web`, and an instance `notify` that of `sttd notify`.
    """
    return re.fullmatch(r"[a-z0-9][a-z0-9_]{0,30}", name) is not None and name not in ("sttd", "web", "notify")


def left_by_instances(top: Path) -> list[Item]:
    """What was installed for instances below `top`, to be removed; `Machine.take` leaves a configuration that was changed."""
    found = []
    for path in sorted((top / TMPFILES.relative_to("/")).glob("sttd@*.conf")):
        instance = path.stem.removeprefix("sttd@")
        found += [Item(TMPFILES / path.name, "")]
        found += [_drop_in(name, f"sttd@{instance}.service") for name in _OWN]
        found += [Item(CONFIGS / f"{instance}.toml", config_text(f"sttd-{instance}"), Kind.CONFIG)]
    news = sorted((top / CONFIGS.relative_to("/")).glob("*.toml.new"))
    return found + [Item(CONFIGS / path.name, "") for path in news]

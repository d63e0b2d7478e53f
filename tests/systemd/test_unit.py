"""The units as systemd reads them."""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sttd.install import items, share

UNITS = Path(__file__).parent.parent.parent / "systemd"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd reads it")


def settings(name: str = "sttd.service") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def written(name: str, folder: Path) -> Path:
    """The unit as it is installed for a program that exists."""
    copy = folder / name
    copy.write_text(items.unit_text(name, ["/bin/true"]).replace("/bin/ray ", "/bin/true "))
    return copy


@needs_systemd
@pytest.mark.parametrize(
    ("name", "drop_in"),
    [
        *((name, drop_in) for name in (*items.UNITS, items.WEB) for drop_in in (None, *share.drop_ins())),
        *((name, None) for name in items.RAY),
    ],
)
def test_systemd_understands_every_line(tmp_path, name, drop_in):
    unit = written(name, tmp_path)
    if drop_in is not None:
        (tmp_path / f"{name}.d").mkdir()
        (tmp_path / f"{name}.d" / "x.conf").write_text(share.text(f"drop-ins/{drop_in}.conf"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("sttd.service", 0.7),
        ("sttd@.service", 0.7),
        ("sttd-models.service", 1.7),
        (items.WEB, 1.6),
        (items.NOTIFY, 1.7),
        *((name, 1.8) for name in items.RAY),
    ],
)
def test_the_services_are_hardly_exposed(tmp_path, name, most):
    """Those that fetch models, serve a page and tell people have a network, and are worse by that alone."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", written(name, tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert found, done.stdout + done.stderr
    print(found[0])
    assert float(found[1]) <= most


@needs_systemd
def test_systemd_understands_the_users(tmp_path):
    """A colon in the description of one stopped the installation."""
    paths = [UNITS / "sttd.sysusers", UNITS / "sttd-web.sysusers"]
    command = ["systemd-sysusers", f"--root={tmp_path}", "--dry-run", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "Creating user 'sttd-web'" in done.stdout + done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize("name", ["sttd.service", "sttd@.service"])
def test_what_people_do_on_the_machine_comes_first(name):
    unit = settings(name)
    assert (unit["Nice"], unit["CPUWeight"], unit["IOSchedulingClass"]) == (["10"], ["20"], ["idle"])


def test_the_life_of_the_service_is_as_the_daemon_expects_it():
    unit = settings()
    assert unit["Type"] == ["notify"]
    assert unit["NotifyAccess"] == ["main"]
    assert unit["KillMode"] == ["mixed"]
    assert unit["OOMPolicy"] == ["continue"]
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == ["2 6"]
    assert unit["WatchdogSec"] == ["60"]
    assert unit["StartLimitIntervalSec"] == ["0"]


def test_an_instance_differs_from_the_service_in_its_names_alone():
    one, other = ((UNITS / name).read_text().splitlines() for name in ("sttd.service", "sttd@.service"))
    changed = [line[2:] for line in difflib.ndiff(one, other) if line[0] == "+"]
    assert {line.partition("=")[0] for line in changed} == {
        "Description", "ExecStart", "ExecReload", "RuntimeDirectory", "StateDirectory", "ReadWritePaths", "NoExecPaths",
    }  # fmt: skip
    assert all("%i" in line for line in changed)


def test_what_a_recording_asks_for_costs_the_rest_of_the_machine_nothing():
    """A bomb then costs workers and its own file. PrivateUsers= is left out: whose a dropped file is would not be seen."""
    unit = settings()
    limits = {name: unit[name] for name in ("MemoryMax", "TasksMax", "LimitCORE")}
    assert limits == {"MemoryMax": ["85%"], "TasksMax": ["4096"], "LimitCORE": ["0"]}
    assert {"-/srv/sttd", "/var/lib/sttd", "/tmp", "/var/tmp", "/dev/shm"} == set(unit["NoExecPaths"][0].split())
    assert "~@privileged @resources" in unit["SystemCallFilter"]
    assert "PrivateUsers" not in unit


def test_folders_are_open_only_to_whom_they_are_meant_for():
    """The inbox is sticky: nobody removes what others dropped. The state is the service's, but for a box for requests."""
    lines = [line.split() for line in (UNITS / "sttd.tmpfiles").read_text().splitlines() if line[:1] in "dZ"]
    modes = {path.removeprefix("/"): mode for kind, path, mode, *_ in lines}
    assert modes == {
        **dict.fromkeys(("srv/sttd", "srv/sttd/transcripts", "srv/sttd/archive", "srv/sttd/failed"), "2750"),
        "srv/sttd/inbox": "3770", "var/lib/sttd": "2750", "var/lib/sttd/requests": "3730",
        "var/lib/sttd/huggingface": "~0750",
    }  # fmt: skip
    for name in ("sttd.service", "sttd@.service", "sttd-models.service"):
        assert settings(name)["StateDirectoryMode"] == ["2750"]


def test_inbox_and_archive_are_one_mount():
    """Two entries would be two mounts, and a source could not be renamed from one to the other."""
    assert settings()["ReadWritePaths"] == ["-/srv/sttd"]


def test_the_model_may_compile_its_kernels():
    """With MemoryDenyWriteExecute= every transcription ends in `could not create a primitive` (seen in a real systemd)."""
    assert "MemoryDenyWriteExecute" not in settings()


def test_a_bad_configuration_is_refused_before_the_daemon_is_told_to_reload():
    first, second = settings()["ExecReload"]
    assert first.endswith(" check-config")
    assert second == "/bin/kill -HUP $MAINPID"
    program = settings()["ExecStart"][0].removesuffix(" run")
    assert first == f"{program} check-config"


def test_an_unmounted_inbox_does_not_stop_the_service():
    """The daemon waits for its inbox; whoever wants the mount before the start takes the drop-in, which is told."""
    assert not {"RequiresMountsFor", "BindsTo", "Requires"} & set(settings())


def test_the_remote_drop_in_opens_the_network_and_nothing_else():
    """A reset of IPAddressDeny= and two families more (systemd.exec(5)); whatever else the unit closes stays closed."""
    assert {key: value for key, value in settings("drop-ins/remote.conf").items() if key not in ("Wants", "After")} == {
        "PrivateNetwork": ["no"],
        "IPAddressDeny": [""],
        "RestrictAddressFamilies": ["AF_INET AF_INET6"],
    }


def test_the_gpu_drop_in_opens_the_nvidia_nodes_and_no_others():
    drop_in = settings("drop-ins/gpu.conf")
    assert drop_in["DevicePolicy"] == ["closed"]
    assert drop_in["DeviceAllow"] == ["char-nvidia* rw"]

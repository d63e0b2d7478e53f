"""The image and its Quadlet agree with the configuration, with each other, and with the unit."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from sttd.configfile import load
from tests.systemd.test_unit import settings

PROJECT = Path(__file__).parents[1]
QUADLET = Path("/usr/libexec/podman/quadlet")
CONTAINERFILE = (PROJECT / "systemd" / "Containerfile").read_text().replace("\\\n", " ")


def steps(word: str) -> list[str]:
    """What stands behind a word of the Containerfile, line by line."""
    return re.findall(rf"^{word} (.*)$", CONTAINERFILE, re.MULTILINE)


def environment() -> dict[str, str]:
    return dict(each.split("=", 1) for line in steps("ENV") for each in shlex.split(line))


def test_all_of_the_daemon_is_in_the_one_volume():
    """So that it is one mount, and what is outside can be read-only."""
    paths = load(None, environ=environment()).paths
    (volume,) = steps("VOLUME")
    assert str(paths.root) == volume
    for each in (
        paths.inbox,
        paths.transcripts,
        paths.archive,
        paths.failed,
        paths.state,
        Path(environment()["HF_HOME"]),
    ):
        assert each.is_relative_to(volume)
    assert settings("sttd.container")["Volume"] == [f"{volume}:{volume}:Z"]


def test_what_the_wheel_is_made_of_is_copied():
    copied = {word for line in steps("COPY") if not line.startswith("--from") for word in line.split()[:-1]}
    assert all((PROJECT / each).exists() for each in copied)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    assert needed | set(wheel["packages"]) | set(wheel["force-include"]) <= copied


def test_the_container_lives_as_the_service_does():
    """Its end, its restarts, and what comes first on the machine."""
    unit, quadlet = settings(), settings("sttd.container")
    for key in ("RestartPreventExitStatus", "Nice", "CPUWeight", "IOSchedulingClass", "MemoryMax", "LimitCORE"):
        assert quadlet[key] == unit[key], key
    assert (quadlet["Notify"], quadlet["Network"], quadlet["ReadOnly"]) == (["true"], ["none"], ["true"])
    (stop,) = (each for each in quadlet["PodmanArgs"] if each.startswith("--stop-timeout="))
    assert int(stop.partition("=")[2]) >= int(unit["TimeoutStopSec"][0])
    assert int(quadlet["TimeoutStopSec"][0]) > int(unit["TimeoutStopSec"][0])
    assert steps("STOPSIGNAL") == ["SIGTERM"]


def test_the_health_of_the_container_is_what_status_says():
    (check,) = re.findall(r"CMD (\[.*\])", *steps("HEALTHCHECK"))
    assert settings("sttd.container")["HealthCmd"] == ["sttd status --json"]
    assert eval(check) == ["sttd", "status", "--json"]


def test_the_daemon_in_the_container_sees_the_memory_limit_of_its_service():
    """It is the limit of a cgroup above the container's own, and a cgroup namespace hides what is above."""
    quadlet = settings("sttd.container")
    assert "MemoryMax" in quadlet
    assert "--cgroupns=host" in quadlet["PodmanArgs"]


def test_the_container_has_no_network_and_waits_for_none():
    assert settings("sttd.container")["DefaultDependencies"] == ["false"]


def test_the_group_of_the_container_can_drop_files():
    """The inbox is made as the service's is: one that the daemon made, under podman's umask, is closed to the group."""
    modes = dict(
        re.findall(r"^d (\S+) (\d+) sttd sttd$", (PROJECT / "systemd" / "sttd.tmpfiles").read_text(), re.MULTILINE)
    )
    for text in (CONTAINERFILE, (PROJECT / "systemd" / "sttd.container").read_text()):
        made = {folder: mode for mode, folder in re.findall(r"install -d -o \S+ -g \S+ -m (\d+) (\S+)", text)}
        assert made == {folder: modes[folder] for folder in ("/srv/sttd", "/srv/sttd/inbox")}


def test_the_worker_in_a_container_is_started_by_a_command_that_the_image_has():
    """The image's entry point is sttd: its name again is taken for a command of sttd."""
    (entry,) = steps("ENTRYPOINT")
    assert Path(eval(entry)[0]).name == "sttd"
    text = (PROJECT / "sttd" / "share" / "docs" / "machines.md").read_text()
    commands = [eval(each) for each in re.findall(r"^    command = (\[.*?\])$", text, re.MULTILINE | re.DOTALL)]
    (command,) = (each for each in commands if "podman" in each)
    assert command[command.index("localhost/sttd") :] == ["localhost/sttd", "worker"]


@pytest.mark.skipif(not QUADLET.exists(), reason="no Podman 5 here: it reads the Quadlet")
def test_podmans_own_generator_makes_a_unit_of_the_quadlet(tmp_path):
    shutil.copy(PROJECT / "systemd" / "sttd.container", tmp_path)
    done = subprocess.run(
        [QUADLET, "-dryrun"], env={"QUADLET_UNIT_DIRS": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (start,) = re.findall(r"^ExecStart=(.*)$", done.stdout, re.MULTILINE)
    assert {"--cgroupns=host", "--read-only", "--sdnotify=container", "--stop-timeout=90"} <= set(shlex.split(start))
    assert "network-online" not in done.stdout

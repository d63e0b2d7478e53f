"""The unit as systemd reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parent.parent / "systemd" / "sttd.service"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd reads it")


def settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@needs_systemd
def test_systemd_understands_every_line(tmp_path):
    """Verified with a program that exists: /opt/sttd is made by the installation."""
    copy = tmp_path / "sttd.service"
    copy.write_text(UNIT.read_text().replace("/opt/sttd/bin/sttd", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_the_service_is_hardly_exposed():
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for sttd.service: (\d+\.\d)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= 1.0


def test_the_life_of_the_service_is_as_the_daemon_expects_it():
    unit = settings()
    assert unit["Type"] == ["notify"]
    assert unit["NotifyAccess"] == ["main"]
    assert unit["KillMode"] == ["mixed"]
    assert unit["OOMPolicy"] == ["continue"]
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == ["2 6"]
    assert unit["WatchdogSec"] == ["60"]


def test_inbox_and_archive_are_one_mount():
    """Two entries would be two mounts, and a source could not be renamed from one to the other."""
    assert settings()["ReadWritePaths"] == ["/srv/sttd"]


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
    """The daemon waits for its inbox; a dependency on the mount would have systemd end it."""
    assert not {"RequiresMountsFor", "BindsTo", "Requires"} & set(settings())

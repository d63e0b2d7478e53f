"""One systemd for each process of the suite, in which sttd is installed once, by the words of the README."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.box import PYTHON, Box, booted, why_not
from tests.systemd.service import Service

PROJECT = Path(__file__).parent.parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.systemd)
            if (reason := why_not()) and "box" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A booted systemd with an sttd in /opt/sttd that is not yet installed as a service, and the people who use it."""
    with booted(tmp_path_factory.mktemp("box")) as box:
        box.do(PYTHON, "-m", "venv", "--without-pip", "/opt/sttd")
        library = next(box.path("/opt/sttd/lib").glob("python3.*")) / "site-packages"
        # dependencies, and pip with what builds a wheel, come from the Python that runs the tests: there is no network here
        (library / "tests.pth").write_text("/opt/library\n")
        # a copy: the checkout may lie below /tmp, which is another one in there
        shutil.copytree(PROJECT, box.path("/opt/checkout"), ignore=shutil.ignore_patterns(".*", "tests"))
        box.do(
            "/opt/sttd/bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
            "--ignore-installed", "--root-user-action=ignore", "/opt/checkout",
        )  # fmt: skip
        for name in ("alice", "bob"):
            box.run("userdel", "--remove", name)  # this machine may have one of that name
            box.do("useradd", "--create-home", "--user-group", name)
        yield box


@pytest.fixture(scope="session")
def installed(box: Box) -> Box:
    """The box with the service installed, and alice in its group."""
    box.do("/opt/sttd/bin/sttd", "install")
    box.do("usermod", "--append", "--groups", "sttd", "alice")
    return box


@pytest.fixture
def service(installed: Box) -> Service:
    """The service, stopped, with empty folders; what the test before has changed is taken back."""
    service = Service(installed)
    service.reset()
    return service

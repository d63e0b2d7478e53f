"""What is released: the sdist holds all that a wheel is built of, and the wheel all that an installation needs."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import sttd

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A folder with the sdist, and the wheel that was built from it. Takes a few seconds."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(PROJECT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist) -> zipfile.ZipFile:
    (path,) = dist.glob("*.whl")
    with zipfile.ZipFile(path) as file:
        yield file


def test_the_wheel_holds_unit_configuration_and_demo_model(wheel):
    names = set(wheel.namelist())
    assert {
        "sttd/share/systemd/sttd.service",
        "sttd/share/etc/sttd.toml",
        "sttd/demo/model/model.bin",
        "sttd/demo/model/tokenizer.json",
        "sttd/demo/samples/thai.flac",
        "sttd/demo/samples/words.json",
        "sttd/demo/README.md",
        "sttd/worker/model.py",
    } <= names
    assert wheel.read("sttd/share/etc/sttd.toml") == (PROJECT / "etc" / "sttd.toml").read_bytes()
    assert wheel.read("sttd/share/systemd/sttd.service") == (PROJECT / "systemd" / "sttd.service").read_bytes()


def test_the_wheel_holds_no_tests_no_caches_and_every_file_of_the_package(wheel):
    names = set(wheel.namelist())
    assert all(name.startswith(("sttd/", f"sttd-{sttd.__version__}.dist-info/")) for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    files = [path for path in (PROJECT / "sttd").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(PROJECT)) for path in files} <= names


def test_the_wheel_is_small_enough_to_travel(wheel):
    assert sum(entry.compress_size for entry in wheel.infolist()) < 15 * 2**20


def test_the_metadata_names_licence_python_and_command(wheel):
    folder = f"sttd-{sttd.__version__}.dist-info"
    metadata = wheel.read(f"{folder}/METADATA").decode()
    assert "License-Expression: MIT\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    assert "MIT License" in wheel.read(f"{folder}/licenses/LICENSE").decode()
    assert "sttd = sttd.cli:main" in wheel.read(f"{folder}/entry_points.txt").decode()


def test_what_is_in_the_wheel_runs(wheel, tmp_path):
    """Unpacked elsewhere, it is complete without the project's folder."""
    wheel.extractall(tmp_path)
    code = "import sttd.cli, sttd.daemon, sttd.configfile; print(sttd.__file__, sttd.__version__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(tmp_path / "sttd" / "__init__.py"), sttd.__version__], done.stderr


def test_the_sdist_holds_tests_and_documents(dist):
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "tests/test_packaging.py", "tests/demo_model/train.py"} <= names
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_an_empty_environment_needs_nothing_else(dist, tmp_path, kind):
    """Installed from the wheel or the sdist alone, with what these name: the demo hears both languages.

    Takes a few minutes: most of it is the installation of 430 MB.
    """
    (archive,) = dist.glob(kind)
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "STTD_", "VIRTUAL_"))
    }

    def run(*words: str | Path) -> str:
        done = subprocess.run(
            words, cwd=tmp_path, env=environ, capture_output=True, encoding="utf-8", timeout=600, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "venv", tmp_path / "venv")
    binaries = tmp_path / "venv" / "bin"
    run(binaries / "pip", "install", "--quiet", archive)
    run(binaries / "pip", "check")
    assert run(binaries / "sttd", "--version").split() == ["sttd", sttd.__version__]
    run(binaries / "sttd", "--root", tmp_path / "root", "check-config")
    assert str(tmp_path / "venv") in run(binaries / "sttd", "model", "path", "demo")
    said = run(binaries / "sttd", "demo", "--root", tmp_path / "demo")
    assert "hello world" in said
    assert "สวัสดี" in said


def test_the_changelog_tells_of_this_version():
    assert f"\n## {sttd.__version__}" in (PROJECT / "CHANGELOG.md").read_text("utf-8")

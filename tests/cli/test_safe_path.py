"""Nothing that lies in the current folder, or beside the script, is run: an inbox is a folder that anybody may fill."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import speech
from tests.harness import PATIENCE

OURS = Path(__file__).parent.parent.parent
DEPENDENCIES = (
    "av click ctranslate2 faster_whisper huggingface_hub logging_journald loguru numpy onnxruntime psutil rich sdnotify "
    "tokenizers watchdog"
).split()
POISON = 'import os, sys\nprint("POISON", __name__, sys.orig_argv, file=open(os.environ["POISONED"], "a"))\n'
SCRIPT = "import sys\nfrom sttd.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"  # as pip writes it
DEMO = ("--set", "model.name=demo", "--set", "model.fallback=", "--set", "pool.workers=1", "--set", "watch.settle=0s")


def poison(folder: Path) -> None:
    """Modules of Python, of the dependencies and of sttd itself, by every name that could be imported."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted({*sys.stdlib_module_names, *DEPENDENCIES, "sttd"}):
        if name == "json":
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text(POISON)
        else:
            (folder / f"{name}.py").write_text(POISON)


@pytest.fixture
def typed(tmp_path: Path):
    """Commands typed in a folder full of poison, with the script in another one; returns which poison was run."""
    here, bin_, log = tmp_path / "here", tmp_path / "bin", tmp_path / "poisoned"
    poison(here)
    poison(bin_)
    script = bin_ / "sttd"
    script.write_text(SCRIPT)

    def run(
        *words: str, python: tuple[str, ...] = (), by: tuple[str, ...] = (str(script),), code: int = 0, more: str = ""
    ) -> list[str]:
        environ = os.environ | {"POISONED": str(log), "PYTHONPATH": f"{more}{OURS}", "TMPDIR": str(tmp_path)}
        environ |= {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, *python, *by, *words]
        done = subprocess.run(
            command, cwd=here, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == code, done.stderr
        return log.read_text().splitlines() if log.exists() else []

    # the script itself imports `sttd` before anything of ours has run
    (bin_ / "sttd.py").unlink()
    return run


def test_a_worker_and_its_helper_run_nothing_of_the_current_folder(typed, tmp_path):
    sample = str(speech.SAMPLES / "english.flac")
    assert typed(*DEMO, "transcribe", sample, "-o", str(tmp_path / "out")) == []
    assert typed(*DEMO, "--root", str(tmp_path / "root"), "run", "--drain") == []


@pytest.mark.ci
def test_the_daemon_of_a_demo_and_the_process_that_tries_a_model_run_nothing_of_the_current_folder(typed, tmp_path):
    assert typed("--root", str(tmp_path / "demo"), "demo") == []
    assert typed("model", "verify", "demo") == []


def test_a_pull_runs_nothing_of_the_current_folder(typed):
    """It ends at once: this machine is offline; by then all that speaks to the hub is imported."""
    assert typed("model", "pull", "tiny", code=1) == []


@pytest.mark.ci
def test_python_with_m_and_p_runs_nothing_of_the_current_folder(typed, tmp_path):
    sample = str(speech.SAMPLES / "english.flac")
    by = ("-P", "-m", "sttd")
    assert typed(*DEMO, "transcribe", sample, "-o", str(tmp_path / "out"), by=by) == []


@pytest.mark.parametrize("relative", ["", pytest.param(".:mine", marks=pytest.mark.ci)])
def test_a_relative_folder_of_pythonpath_is_not_used(typed, tmp_path, relative):
    """An empty one is the current folder: what `PYTHONPATH=$PYTHONPATH:/mine` makes of a variable that was not set."""
    here = tmp_path / "here"
    shutil.rmtree(here)  # Python itself takes its first modules from there, before we are asked
    for folder in (here, here / "mine"):
        (folder / "json").mkdir(parents=True)
        (folder / "json" / "__init__.py").write_text(POISON)
        for name in ("av", "click", "multiprocessing", "numpy", "psutil", "tempfile"):
            (folder / f"{name}.py").write_text(POISON)
    sample = str(speech.SAMPLES / "english.flac")
    assert typed(*DEMO, "transcribe", sample, "-o", str(tmp_path / "out"), more=f"{relative}:") == []


def test_a_python_that_ignores_the_environment_starts_again_with_a_safe_path(tmp_path):
    """-E would have the children ignore PYTHONSAFEPATH, too."""
    code = "import sys; from sttd.cli import main; main()"
    start = f"import sys; sys.path.insert(1, {str(OURS)!r}); {code}"
    command = [sys.executable, "-E", "-c", start, "--version"]
    poison(tmp_path)
    (tmp_path / "sttd.py").unlink()
    (tmp_path / "linecache.py").unlink()  # from 3.13 on Python itself imports it for -c, before any code of ours
    environ = os.environ | {"POISONED": str(tmp_path / "poison.log")}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:5]) == (0, "sttd "), done.stderr
    assert not (tmp_path / "poison.log").exists()

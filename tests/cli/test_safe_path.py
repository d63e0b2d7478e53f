"""Nothing that lies in the current folder, or beside the script, is run: an inbox is a folder that anybody may fill."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests import speech
from tests.harness import PATIENCE, wait_for
from tests.notify.conftest import World
from tests.remote.tables import ELSEWHERE, table

OURS = Path(__file__).parent.parent.parent
DEPENDENCIES = (
    "apprise av budoux click ctranslate2 faster_whisper huggingface_hub jinja2 logging_journald loguru multipart numpy "
    "onnxruntime prometheus_client psutil python_multipart ray requests rich sdnotify starlette tokenizers uvicorn watchdog"
).split()
POISON = 'import os, sys\nprint("POISON", __name__, sys.orig_argv, file=open(os.environ["POISONED"], "a"))\n'
DRIVER = """
import time
from sttd.pool.ray.link import Link
from sttd.pool.ray.wire import Cluster
link = Link(Cluster("127.0.0.1:1", "", 1, "cpu"))  # nobody listens there
while not link.is_over:
    time.sleep(0.02)
print(link.post_mortem())
"""
ACTOR = """
from sttd.pool.ray.actor import Runner
runner = Runner()
print(runner.read())
runner.kill()
while runner.read()[2] is None:
    pass
"""
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


class Typed:
    """Commands typed in a folder full of poison, with the script in another one."""

    def __init__(self, folder: Path) -> None:
        self.here, bin_, self.log, self.said = (folder / name for name in ("here", "bin", "poisoned", "said"))
        poison(self.here)
        poison(bin_)
        self.script = bin_ / "sttd"
        self.script.write_text(SCRIPT)
        (bin_ / "sttd.py").unlink()  # the script itself imports `sttd` before anything of ours has run
        self.environ = os.environ | {"POISONED": str(self.log), "PYTHONPATH": str(OURS), "TMPDIR": str(folder)}
        self.environ |= {"HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "1"}

    def start(self, *words: str, by: tuple[str, ...] = (), more: str = "") -> subprocess.Popen[bytes]:
        command = [sys.executable, *(by or (str(self.script),)), *words]
        environ = self.environ | {"PYTHONPATH": f"{more}{OURS}"}
        with self.said.open("wb") as said:
            return subprocess.Popen(
                command, cwd=self.here, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    def says(self, text: str) -> bool:
        return text in self.said.read_text()

    def poisoned(self, process: subprocess.Popen[bytes], code: int = 0) -> list[str]:
        """Wait for its end; returns which poison was run."""
        try:
            assert process.wait(PATIENCE) == code, self.said.read_text()
        finally:
            process.kill()
        return self.log.read_text().splitlines() if self.log.exists() else []

    def __call__(self, *words: str, code: int = 0, **how: Any) -> list[str]:
        return self.poisoned(self.start(*words, **how), code)


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    return Typed(tmp_path)


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
def test_a_far_worker_runs_nothing_of_the_folder_that_its_command_is_started_in(typed, tmp_path):
    """ssh starts it in a home folder, without the environment of the daemon."""
    words = f"unset PYTHONSAFEPATH; cd '{typed.here}' && exec '{sys.executable}' '{typed.script}' worker"
    config, root = tmp_path / "far.toml", tmp_path / "root"
    config.write_text(ELSEWHERE + table("far", "sh", "-c", words))
    (root / "inbox").mkdir(parents=True)
    shutil.copy(speech.SAMPLES / "english.flac", root / "inbox")
    demo = ("--set", "model.name=demo", "--set", "model.fallback=", "--set", "watch.settle=0s")
    assert typed("--config", str(config), "--root", str(root), *demo, "run", "--drain") == []
    assert (root / "transcripts" / "english.en.txt").exists()


@pytest.mark.ci
def test_the_web_page_runs_nothing_of_the_current_folder(typed, tmp_path):
    web = typed.start("--root", str(tmp_path / "root"), "web", "--listen", "127.0.0.1:0")
    wait_for(lambda: typed.says("listens on"), "it listens")
    address = re.search(r"http://\S+?:\d+", typed.said.read_text())[0]
    with urllib.request.urlopen(f"{address}/login", timeout=PATIENCE) as page:
        assert page.read()
    web.terminate()
    assert typed.poisoned(web) == []


@pytest.mark.ci
def test_the_notifier_and_what_it_starts_run_nothing_of_the_current_folder(typed, tmp_path):
    """A command, and Apprise in a process of its own, which comes as far as a connection that is refused."""
    pytest.importorskip("apprise", reason="pip install 'sttd[notify]'")
    config, root = tmp_path / "notify.toml", tmp_path / "root"
    root.mkdir()
    world = World(root)
    receiver = '[[notify]]\nname = "{}"\nevents = ["failed"]\n{}\n'
    command = receiver.format("command", f'command = ["{sys.executable}", "-P", "-c", "import json"]')
    config.write_text(command + receiver.format("apprise", 'apprise = "json://127.0.0.1:1"'))
    notifier = typed.start("--config", str(config), "--root", str(root), "notify")
    wait_for(lambda: world.record.place() is not None, "the first look")
    world.fail(world.add())
    for text in ("command was told", "Apprise could not deliver it"):
        wait_for(lambda text=text: typed.says(text), text)
    world.close()
    notifier.terminate()
    assert typed.poisoned(notifier) == []


@pytest.mark.parametrize(("code", "said"), [(DRIVER, "nobody answers at 127.0.0.1:1"), (ACTOR, "sttd")])
def test_what_is_started_for_ray_runs_nothing_of_the_current_folder(typed, code, said):
    """The driver beside the daemon, and the far side beside an actor, in whose environment nothing of ours may be."""
    assert typed(by=("-P", "-c", code)) == []
    assert typed.says(said)


@pytest.mark.ci
def test_python_with_m_and_p_runs_nothing_of_the_current_folder(typed, tmp_path):
    sample = str(speech.SAMPLES / "english.flac")
    by = ("-P", "-m", "sttd")
    assert typed(*DEMO, "transcribe", sample, "-o", str(tmp_path / "out"), by=by) == []


@pytest.mark.parametrize("relative", ["", pytest.param(".:mine", marks=pytest.mark.ci)])
def test_a_relative_folder_of_pythonpath_is_not_used(typed, tmp_path, relative):
    """An empty one is the current folder: what `PYTHONPATH=$PYTHONPATH:/mine` makes of a variable that was not set."""
    here = typed.here
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

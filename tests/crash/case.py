"""One case: a run that is hurt at one step, a start after it, and what the invariants say."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from sttd.job import State
from sttd.rules.policy import AT_FAULT
from tests import invariants, speech
from tests.crash.disk import VARIANTS, Disk, Image, clear, digest, restore
from tests.crash.steps import LINKED, Step, Stepped
from tests.harness import QUICK
from tests.invariants import Begun, Expected, Folders

# every window a checkpoint, nothing left to chance; two formats are as good as five, and faster
SETTINGS = QUICK | {"transcribe.batch_size": "1", "transcribe.temperatures": "0", "output.formats": "txt,json"}
SETTINGS |= {"transcribe.beam_size": "1"}  # decoding is most of a case's time, and its words do not matter here
# file systems; "linked": one, that knows no RENAME_NOREPLACE; "beside": one, and "library": two, with results beside the
# sources; "parts": one, and the long recording is shared out. Of one worker, so that its steps come in the same order again:
# the other one, which makes it worth while, is behind a command that never answers
COLUMNS = ("one", "many", "linked", "beside", "library", "parts")
MOUNTED = {"many": ("inbox", "transcripts", "archive", "failed"), "library": ("inbox",)}  # file systems of their own
BESIDE = ("beside", "library")
PARTS = {"pool.split_after": "20s", "pool.part_length": "10s"}
_SILENT = """[[pool.remote]]
name = "silent"
command = ["sh", "-c", "cat > /dev/null; :"]
"""
_NOT_OURS = ("pwrite64 state/ledger.db", "ftruncate state/ledger.db-shm")  # SQLite's pages: only its fsyncs count
_PATIENCE = 300.0  # seconds
T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    made: bool  # False: the step did not come, or nobody was there to be killed
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """An undisturbed run."""

    steps: list[str]
    images: dict[str, tuple[str, Image]]  # by what it is: the step after which the power was cut, and what was left
    expected: dict[str, Expected]


def make_sources(template: Path, *, small: bool = False) -> None:
    """The recordings: of several chunks, of one, and one that fails; each in a folder of its own."""
    for name in ("short",) if small else ("long", "short", "bad"):
        (template / name).mkdir(parents=True, exist_ok=True)  # of a walk that was killed meanwhile
    speech.encode(template / "short" / "short.flac", speech.sample("english"))
    if not small:
        speech.encode(template / "long" / "long.flac", speech.compose(seconds=32, language="en", seed=11).audio)
        (template / "bad" / "bad.flac").write_bytes(b"no sound")


class Scene:
    """A folder that is set up and run again and again."""

    def __init__(self, root: Path, template: Path, log: Path, column: str = "one") -> None:
        linked = column == "linked"
        self.root, self.template, self.log, self.linked = root, template, log, linked
        self.folders = Folders(root)
        self.expected: dict[str, Expected] = {}
        settings = SETTINGS | ({"output.place": "beside"} if column in BESIDE else {})
        settings |= PARTS if column == "parts" else {}
        sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        self.command = [sys.executable, "-P", "-m", "sttd", "--root", str(root), *sets, "run", "--drain"]
        if column == "parts":
            file = log.with_suffix(".toml")
            file.write_text(_SILENT, encoding="utf-8")
            self.command += ["--config", str(file)]
        self.env = dict(os.environ)

    def run_plain(self) -> dict[str, Expected]:
        """Run undisturbed; returns what comes of it."""
        self.root.mkdir(exist_ok=True)
        self._set_up()
        with self.log.open("ab") as log:
            subprocess.run(self.command, stdout=log, stderr=log, env=self.env, timeout=_PATIENCE, check=False)
        return invariants.expected(self.folders)

    def record(self) -> Record:
        """Run undisturbed; remember the steps, and what a power cut would have left after each."""
        stepped = self._start()
        disk, names = Disk(self.root), []
        images: dict[str, tuple[str, Image]] = {}
        for step in stepped:
            disk.follow(step)
            if is_ours(step):
                names.append(step.name)
                for variant in VARIANTS:
                    image = disk.image(variant)
                    images.setdefault(digest(image), (f"{step.name} [{variant}]", image))
        stepped.finish()
        return Record(names, images, invariants.expected(self.folders))

    def kill_daemon(self, name: str, expected: dict[str, Expected]) -> Outcome:
        stepped = self._start()
        if not self._until(stepped, lambda step: step.name == name):
            stepped.finish()
            return Outcome(made=False)
        workers = workers_of(stepped.daemon)
        stepped.kill()
        _, left = psutil.wait_procs(workers, timeout=_PATIENCE)
        if left:
            return Outcome(True, ("a worker lives on after its daemon",))
        return self.restart(expected)

    def kill_worker(self, name: str, expected: dict[str, Expected]) -> Outcome:
        """The daemon goes on, and the same run comes to its end.

        A worker that dies before it could begin, or while it loads the model, is the machine's fault: the drain ends with
        all that waits still waiting, and the next start is to go on.
        """
        stepped, begun, killed = self._start(), {}, 0
        for step in stepped:
            if step.name == name and not killed:
                workers = workers_of(stepped.daemon)
                begun = self.begun()
                for worker in workers:
                    worker.kill()
                killed = len(workers)
        code = stepped.finish()
        if not killed:
            return Outcome(made=False)
        if any(job.state is State.QUEUED and job.cause in AT_FAULT for job in self.folders.jobs()):
            return self.restart(expected)
        return self._judge(code, expected, begun)

    def end_at(self, name: str, expected: dict[str, Expected]) -> Outcome:
        """One run for all ends of a daemon: killed at a step, and the power cut there with each kind of disk left."""
        stepped = self._start()
        disk, images = Disk(self.root), {}
        for step in stepped:
            disk.follow(step)
            if step.name == name:
                images = {digest(image): image for image in map(disk.image, VARIANTS)}
                stepped.kill()
                break
        else:
            stepped.finish()
            return Outcome(made=False)
        outcomes = [self.restart(expected), *(self.cut_power(image, expected) for image in images.values())]
        return Outcome(True, tuple(problem for outcome in outcomes for problem in outcome.problems))

    def cut_power(self, image: Image, expected: dict[str, Expected]) -> Outcome:
        restore(image, self.root)
        return self.restart(expected)

    def restart(self, expected: dict[str, Expected]) -> Outcome:
        begun, apart = self.begun(), self._asked(lambda folders: list(invariants.of_parts(folders)))
        traced = ["strace", "-f", "--detach-on=execve", "-o", "/dev/null", "-e", "trace=renameat2", "-e", LINKED]
        traced = traced if self.linked else []
        with self.log.open("ab") as log:
            try:
                code = subprocess.run(
                    [*traced, *self.command], stdout=log, stderr=log, env=self.env, timeout=_PATIENCE, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                return Outcome(True, ("the start after it does not come to its end",))
        outcome = self._judge(code, expected, begun)
        return Outcome(True, (*(apart or ()), *outcome.problems))

    def begun(self) -> Begun:
        return self._asked(invariants.begun) or {}

    def _asked(self, question: Callable[[Folders], T]) -> T | None:
        """Asked of a copy: opening the ledger would do the next start's work. None: there is none yet."""
        if not self.folders.state.is_dir():
            return None
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(self.folders.state, Path(copy) / "state")
            return question(Folders(Path(copy)))

    def _set_up(self) -> None:
        clear(self.root)
        shutil.copytree(self.template, self.folders.inbox, dirs_exist_ok=True)

    def _start(self) -> Stepped:
        self._set_up()
        return Stepped(self.command, self.root, self.env, self.log, linked=self.linked)

    def _until(self, stepped: Stepped, wanted: Callable[[Step], bool]) -> bool:
        return any(wanted(step) for step in stepped)

    def _judge(self, code: int, expected: dict[str, Expected], begun: Begun) -> Outcome:
        found = invariants.problems(self.folders, expected, begun)
        if code not in (0, 1):
            found.append(f"the exit code is {code}")
        return Outcome(True, tuple(found))


def is_ours(step: Step) -> bool:
    return not step.name.startswith(_NOT_OURS)


def workers_of(daemon: int | None) -> list[psutil.Process]:
    try:
        children = psutil.Process(daemon).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    except psutil.NoSuchProcess:
        return []


def run(scene: Scene, kind: str, what: str | Path, expected: dict[str, Expected]) -> Outcome:
    """`kind` is what it hits: daemon or worker at a step, power with an image, or daemon and power at a step."""
    try:
        if kind == "power":
            return scene.cut_power(pickle.loads(Path(what).read_bytes()), expected)
        hurt = {"daemon": scene.kill_daemon, "worker": scene.kill_worker, "both": scene.end_at}[kind]
        return hurt(str(what), expected)
    except subprocess.TimeoutExpired:
        return Outcome(True, ("somebody lives on after the kill",))

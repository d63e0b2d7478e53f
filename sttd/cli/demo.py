"""`sttd demo`: a spoken sample in English and one in Thai through the whole path, offline, in a folder of its own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from sttd.cli.options import Given, given, shared
from sttd.cli.progress import Picture, look
from sttd.cli.screen import Plain, Screen, is_terminal
from sttd.errors import INTERRUPTED, SttdError, UsageError
from sttd.job import Job, State
from sttd.text import printable, sentence
from sttd.view import access

if TYPE_CHECKING:
    from sttd.config import Config

SAMPLES = Path(__file__).resolve().parent.parent / "demo" / "samples"
SPOKEN = {"english.flac": "English", "thai.flac": "Thai"}
SETTINGS = ("model.name=demo", "model.fallback=", "watch.settle=0s", "watch.settle_closed=0s")
REFRESH = 0.1  # seconds
LAST_LINES = 12  # of the daemon's log, where it fails


@click.command(short_help="Two spoken samples through the whole path.")
@shared
def demo() -> int:
    """A spoken English and a spoken Thai sample through the whole path, with the demo model, offline."""
    words = given()
    settings = [*SETTINGS, *words.sets]
    root = words.root or Path(tempfile.mkdtemp(prefix="sttd-demo-"))
    config = Given(words.config, root, settings).load()
    before = _prepare(config)
    command = [sys.executable, "-P", "-m", "sttd", *([] if words.config is None else ["--config", str(words.config)])]
    command += ["--root", str(root), *(word for one in settings for word in ("--set", one)), "run", "--drain"]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as daemon:
        try:
            _follow(config, before, daemon)
        except KeyboardInterrupt:
            daemon.terminate()  # where Ctrl-C was not sent to all: it stops at its next checkpoint
            return INTERRUPTED
        finally:
            code = daemon.wait()
        jobs = look(config, before).jobs
        if code == 0 and len(jobs) == len(SPOKEN):
            _close(config, root)
            return 0
        _explain(jobs, log, root)
    return code or 1


def _prepare(config: Config) -> int:
    """Put the samples into the inbox; returns the number of the newest job that is there already.

    Raises:
        UsageError: the folder is in use for something else: the demo model would transcribe what is in it.
    """
    inbox = config.paths.inbox
    others = [path.name for path in inbox.iterdir() if path.name[0] != "."] if inbox.is_dir() else []
    if set(others) - set(SPOKEN):
        raise UsageError(
            f"{inbox} holds recordings, which are not for the demo model: choose an empty folder for --root"
        )
    before = 0
    if access.has_ledger(config):
        with access.reading(config) as ledger:
            before = max((job.id for job in ledger.jobs(limit=1)), default=0)
            if ledger.counts()[State.QUEUED]:
                raise UsageError(f"jobs wait in {config.paths.state}: choose an empty folder for --root")
    inbox.mkdir(parents=True, exist_ok=True)
    for name in SPOKEN:
        shutil.copyfile(SAMPLES / name, inbox / f".{name}")
        (inbox / f".{name}").rename(inbox / name)
    return before


def _follow(config: Config, before: int, daemon: subprocess.Popen[bytes]) -> None:
    """Until the daemon ends, show bars on a terminal, and each text as soon as it is there."""
    print(f"{len(SPOKEN)} recordings dropped into {printable(str(config.paths.inbox))}", flush=True)
    screen, heading = _screen(lambda: look(config, before))
    told: set[str] = set()
    try:
        over = False
        while not over:
            over = daemon.poll() is not None
            with contextlib.suppress(SttdError):  # the ledger is being made this very moment, or put away
                for job in look(config, before).jobs:
                    if job.state is State.DONE and job.source not in told:
                        told.add(job.source)
                        screen.write(_report(job, heading))
            screen.draw()
            time.sleep(0 if over else REFRESH)
    finally:
        screen.close()


def _screen(take: Callable[[], Picture]) -> tuple[Screen, Callable[[str, str], str]]:
    """Where it is shown, and how a heading looks there."""
    if not is_terminal():
        return Plain(), _plain_heading
    from sttd.cli import term

    if not is_terminal(sys.stderr):
        return Plain(), term.heading
    from sttd.cli import live

    return live.Bars(take, _rows), term.heading


def _rows(picture: Picture) -> list[tuple[str, Job | None]]:
    """The recordings whose text is not there yet."""
    jobs = {job.source: job for job in picture.jobs}
    rows = [(name, jobs.get(name)) for name in SPOKEN]
    return [(name, job) for name, job in rows if job is None or job.state is not State.DONE]


def _report(job: Job, heading: Callable[[str, str], str]) -> str:
    """What was heard, and where it lies."""
    lines = [f"  {printable(words_of(job))}", *(f"    {printable(output)}" for output in job.outputs)]
    about = f"{SPOKEN[job.source]}, heard as {job.language!r} by the {job.model} model"
    return heading(job.source, about) + "".join(f"{line}\n" for line in lines)


def _close(config: Config, root: Path) -> None:
    """What to do now."""
    print(f"\nThe sources lie in {printable(str(config.paths.archive))}")
    print("The demo model knows a short list of words; a real one: `sttd model pull`.")
    print(f"All of it is in {printable(str(root))}: look at it, and delete it when you like.")


def _plain_heading(name: str, about: str) -> str:
    return f"\n{printable(name)} ({sentence(about)})\n"


def words_of(job: Job) -> str:
    """The words of a result, on one line."""
    path = next((output for output in job.outputs if output.endswith(".txt")), None)
    return "" if path is None else " ".join(Path(path).read_text(encoding="utf-8").split())


def _explain(jobs: tuple[Job, ...], log: IO[bytes], root: Path) -> None:
    """Why there is no result: what the jobs say, and the last lines of the daemon's log."""
    log.seek(0)
    for line in log.read().decode(errors="replace").splitlines()[-LAST_LINES:]:
        print(line, file=sys.stderr)
    for job in jobs:
        if job.error:
            print(f"sttd: {printable(job.source)}: {sentence(job.error)}", file=sys.stderr)
    print(f"sttd: the demo failed; its folder is {printable(str(root))}", file=sys.stderr)

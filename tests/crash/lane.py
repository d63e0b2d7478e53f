"""Cases one after the other, with file systems and process numbers of their own: two lanes may run side by side.

`Lane` is the end that hands cases in; this module as a program is the other one. Every lane sees its files under the
same path, because ledgers hold absolute ones and the image of one run is started again in another lane.
"""

from __future__ import annotations

import functools
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.crash import case
from tests.crash.case import COLUMNS, MOUNTED, Outcome, Record, Scene
from tests.harness import PATIENCE
from tests.machine import no_trace


def unshare() -> list[str]:
    words = ["unshare", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [*words, "--propagation", "private"]


@functools.cache
def why_not() -> str | None:
    """Why no lane can run here."""
    if reason := no_trace():
        return reason
    if shutil.which("unshare") is None:
        return "unshare (util-linux) is not installed"
    tried = subprocess.run(
        [*unshare(), "strace", "-q", "-f", "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, check=False
    )
    return None if tried.returncode == 0 else "no mount namespace, or no ptrace in it, may be made here"


class Lane:
    """Recordings are taken from `shared`/template; what lanes hand each other lies in `shared`.

    No Ctrl-C reaches it: a case that is under way is not to be hurt by anything else.
    """

    def __init__(self, shared: Path, number: int = 0) -> None:
        (shared / "disk").mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [*unshare(), sys.executable, "-m", "tests.crash.lane", str(shared), str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def record(self, column: str) -> Record:
        return self._ask("record", column)  # type: ignore[no-any-return]

    def run(self, column: str, victim: str, what: str | Path, expected: dict) -> Outcome:
        """`victim` and `what` as `case.run` has them."""
        return self._ask("run", column, victim, what, expected)  # type: ignore[no-any-return]

    def _ask(self, *words: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(words, self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE / 10)
        except subprocess.TimeoutExpired:  # in mid-case, and not wanted any more
            self._process.kill()  # and with it everything in its namespace
            self._process.wait()


def main(shared: Path, number: str) -> None:
    disk = shared / "disk"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "sttd", disk], check=True)
    scenes = {}
    for column in COLUMNS:
        (disk / column).mkdir()
        for name in MOUNTED.get(column, ()):
            (disk / column / name).mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", name, disk / column / name], check=True)
        log = shared / f"log-{number}"
        scenes[column] = Scene(disk / column, shared / "template", log, column)
    answers = sys.stdout.buffer
    while True:
        try:
            task, column, *rest = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        scenes[column].log.write_bytes(b"")
        answer = scenes[column].record() if task == "record" else case.run(scenes[column], *rest)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

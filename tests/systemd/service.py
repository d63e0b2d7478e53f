"""The installed service in the box, as an operator and the people of the group meet it."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any, NamedTuple

from sttd.install.items import config_text
from tests.harness import PATIENCE, wait_for
from tests.systemd.box import Box

SETTINGS = {
    "model": 'name = "demo"\nfallback = ""\ncpu_threads = 1',
    "watch": 'settle = "300ms"\nsettle_closed = "100ms"',
    "pool": 'workers = 1\nretry_waits = ["100ms"]\nmachine_wait = "1s"',
}
FOLDERS = ("inbox", "transcripts", "archive", "failed")
HARNESS = "zz-test.conf"  # the drop-in of one test


class Seen(NamedTuple):
    """A job, as the ledger has it."""

    id: int
    source: str
    state: str
    resumes: int
    attempts: int
    batch_size: int | None
    language: str | None


COLUMNS = ", ".join("CAST(source AS TEXT)" if name == "source" else name for name in Seen._fields)
PEEK = f"""
import json, sqlite3, sys
for line in sys.stdin:
    try:
        ledger = sqlite3.connect(f"file:{{line.strip()}}?mode=ro", uri=True)
        rows = ledger.execute("SELECT {COLUMNS} FROM jobs ORDER BY id").fetchall()
        ledger.close()
    except sqlite3.Error:  # there is none yet, or it is being made or closed in this moment
        rows = []
    print(json.dumps(rows), flush=True)
"""  # a process that stays: to start a Python for each look would cost the two cores more than the service does

STOP = f"""
import os, pathlib, signal, sys, time
for line in sys.stdin:
    daemon, checkpoint = line.split()
    end, chunks = time.monotonic() + {PATIENCE}, pathlib.Path(checkpoint)
    while not (chunks.exists() and chunks.read_bytes().count(b"\\n") > 1):
        assert time.monotonic() < end, "no chunk"
        time.sleep(0.002)
    for child in pathlib.Path(f"/proc/{{daemon}}/task/{{daemon}}/children").read_text().split():
        if b"spawn_main" in pathlib.Path(f"/proc/{{child}}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGSTOP)
            print(child, flush=True)
"""  # inside, where it is not kept waiting while the worker goes on


class Service:
    """`sttd.service`, or an instance of `sttd@.service` with folders of its own."""

    def __init__(self, box: Box, instance: str | None = None) -> None:
        self.box = box
        self.name = "sttd" if instance is None else f"sttd@{instance}"
        self.unit = f"{self.name}.service"
        folder = "sttd" if instance is None else f"sttd-{instance}"
        self.config = f"/etc/sttd/{instance or 'sttd'}.toml"
        self.root, self.state = f"/srv/{folder}", f"/var/lib/{folder}"
        self.original = config_text(folder)  # as it was installed

    def reset(self) -> None:
        """Stopped, as it was installed, with the demo model and nothing in its folders."""
        folders = " ".join([self.state, *(f"{self.root}/{name}" for name in FOLDERS)])
        self.box.do("sh", "-c", f"""
            systemctl kill --signal=SIGKILL {self.unit} 2>/dev/null  # a worker that hangs would be waited for
            systemctl stop {self.unit}
            rm -rf /run/{Path(self.root).name}  # the kill counts as a failed start
            rm -rf /etc/systemd/system/{self.unit}.d
            systemctl daemon-reload
            systemctl reset-failed {self.unit} 2>/dev/null
            find {folders} -mindepth 1 -delete
        """)  # fmt: skip
        self.since = self.box.do("date", "+%s.%N").strip()
        self.configure()

    def configure(self, more: dict[str, str] | None = None) -> None:
        """The installed configuration with the tests' settings, and `more` of them, by section."""
        text = self.original
        for section in {**SETTINGS, **(more or {})}:
            lines = "\n".join(filter(None, [SETTINGS.get(section), (more or {}).get(section)]))
            text = text.replace(f"\n[{section}]\n", f"\n[{section}]\n{lines}\n")
        self.box.write(self.config, text)

    def drop_in(self, text: str) -> None:
        self.box.write(f"/etc/systemd/system/{self.unit}.d/{HARNESS}", text)
        self.box.do("systemctl", "daemon-reload")

    def start(self) -> None:
        self.box.do("systemctl", "start", self.unit)

    def stop(self) -> None:
        self.box.do("systemctl", "stop", self.unit)

    def show(self, name: str) -> str:
        return self.box.show(self.unit, name)

    @property
    def pid(self) -> int:
        return int(self.show("MainPID"))

    def sttd(self, *words: str, user: str = "alice") -> Any:
        """What a command of a member of the group prints with `--json`."""
        done = self.box.as_user(user, "sttd", "--config", self.config, *words, "--json")
        assert done.returncode in ((0, 1) if words == ("status",) else (0,)), done.stderr
        return json.loads(done.stdout)

    def jobs(self) -> list[Seen]:
        """What the ledger says."""
        return [Seen(*row) for row in json.loads(self.box.ask(PEEK, f"{self.state}/ledger.db"))]

    def drop(self, recording: Path, name: str, user: str = "alice") -> None:
        """Copy a file into the inbox as somebody does who works with it."""
        box = self.box
        box.path(f"/home/{user}/drop").write_bytes(recording.read_bytes())
        done = box.as_user(user, "cp", f"/home/{user}/drop", f"{self.root}/inbox/{name}")
        assert done.returncode == 0, done.stderr

    def wait_job(self, state: str, resumes: int = 0, source: str = "") -> Seen:
        """Until there is a job in `state`, of `source` if that is named, which has gone on so many times."""

        def reached() -> Seen | None:
            wanted = (job for job in self.jobs() if job.state == state and job.resumes >= resumes)
            return next((job for job in wanted if source in ("", job.source)), None)

        try:
            return wait_for(reached, f"the job is {state}", pause=0.05)  # type: ignore[no-any-return]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.jobs()}\n{self.log()}") from None

    def stop_worker(self) -> int:
        """Stop the one worker, with SIGSTOP, behind the first chunk of the first job; its process id."""
        return int(self.box.ask(STOP, f"{self.pid} {self.state}/work/1/0.jsonl"))

    def checkpointed(self) -> int:
        """Chunks in the checkpoint of the first job now."""
        path = self.box.path(f"{self.state}/work/1/0.jsonl")
        try:
            return max(0, path.read_bytes().count(b"\n") - 1)
        except FileNotFoundError:
            return 0

    def workers(self) -> list[int]:
        """Process ids of the workers, as the box counts them."""
        pids = self.box.run("pgrep", "--parent", str(self.pid), "--full", "spawn_main").stdout.split()
        return [int(pid) for pid in pids]

    def log(self) -> str:
        return self.box.log(self.unit, f"--since=@{self.since}")

    def wait_log(self, pattern: str) -> str:
        """The line of the journal, once it is there, that `pattern` is found in."""
        words = ("journalctl", f"--unit={self.unit}", f"--since=@{self.since}", "--output=cat", "--follow", "--no-tail")
        with self.box.opened(*words) as follower:
            end = functools.partial(os.killpg, follower.pid, signal.SIGKILL)
            timer = threading.Timer(PATIENCE, end)
            timer.start()
            try:
                for line in follower.stdout or ():
                    if re.search(pattern, line):
                        return line
            finally:
                timer.cancel()
                if follower.poll() is None:
                    end()
        raise AssertionError(f"the journal does not say {pattern!r}:\n{self.log()}")

    def wait_status(self, pattern: str) -> str:
        def shown() -> str | None:
            text = self.show("StatusText")
            return text if re.search(pattern, text) else None

        return wait_for(shown, f"the status line says {pattern!r}")  # type: ignore[no-any-return]

    def text(self, name: str, user: str = "alice") -> str:
        """A result, as somebody of the group reads it."""
        done = self.box.as_user(user, "cat", f"{self.root}/transcripts/{name}")
        assert done.returncode == 0, done.stderr
        return done.stdout

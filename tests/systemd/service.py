"""The installed service in the box, as an operator and the people of the group meet it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sttd.install.items import config_text
from tests.harness import wait_for
from tests.systemd.box import Box

SETTINGS = {
    "model": 'name = "demo"\nfallback = ""\ncpu_threads = 1',
    "watch": 'settle = "0s"',
    "pool": 'workers = 1\nretry_waits = ["100ms"]',
}
FOLDERS = ("inbox", "transcripts", "archive", "failed")
HARNESS = "zz-test.conf"  # the drop-in of one test


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
        box = self.box
        box.run("systemctl", "stop", self.unit)
        box.run("rm", "-rf", f"/etc/systemd/system/{self.unit}.d")
        box.do("systemctl", "daemon-reload")
        box.run("systemctl", "reset-failed", self.unit)
        box.do("find", self.state, *(f"{self.root}/{name}" for name in FOLDERS), "-mindepth", "1", "-delete")
        box.do("journalctl", "--rotate")
        self.since = box.do("date", "+%s.%N").strip()
        self.configure()

    def configure(self, more: dict[str, str] | None = None) -> None:
        """The installed configuration with the tests' settings, and `more` of them, by section."""
        text = self.original
        for section in {**SETTINGS, **(more or {})}:
            lines = "\n".join(filter(None, [SETTINGS.get(section), (more or {}).get(section)]))
            text = text.replace(f"[{section}]\n", f"[{section}]\n{lines}\n")
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
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def jobs(self) -> list[dict[str, Any]]:
        if not self.box.path(f"{self.state}/ledger.db").exists():
            return []
        jobs = self.sttd("jobs")
        assert isinstance(jobs, list)
        return jobs

    def drop(self, recording: Path, name: str, user: str = "alice") -> None:
        """Copy a file into the inbox as somebody does who works with it."""
        box = self.box
        box.path(f"/home/{user}/drop").write_bytes(recording.read_bytes())
        done = box.as_user(user, "cp", f"/home/{user}/drop", f"{self.root}/inbox/{name}")
        assert done.returncode == 0, done.stderr

    def wait_job(self, state: str, number: int = 1) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            return next((job for job in self.jobs() if job["id"] == number and job["state"] == state), None)

        try:
            return wait_for(reached, f"job {number} is {state}")  # type: ignore[no-any-return]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.jobs()}\n{self.log()}") from None

    def wait_chunks(self, number: int = 1) -> None:
        """Until the job has a checkpoint that is worth something."""
        wait_for(lambda: self.checkpointed(number), f"job {number} has a chunk")

    def checkpointed(self, number: int = 1) -> int:
        """Chunks in the checkpoint of a job now."""
        path = self.box.path(f"{self.state}/work/{number}/0.jsonl")
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
        def found() -> str | None:
            return next((line for line in self.log().splitlines() if re.search(pattern, line)), None)

        try:
            return wait_for(found, f"the journal says {pattern!r}")  # type: ignore[no-any-return]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

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

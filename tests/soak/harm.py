"""What is done to the daemon and its workers, and what the daemon needs meanwhile."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil

from tests.harness import PATIENCE, Daemon
from tests.soak.share import Share


@dataclass
class Life:
    """Samples of one daemon process, about one a second: those with all workers there, each of which costs some files."""

    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    rss: list[int] = field(default_factory=list)  # bytes
    files: list[int] = field(default_factory=list)  # open ones
    threads: list[int] = field(default_factory=list)


class Harm:
    """Kills and stops at random; its own thread. After `calm` the daemon is left alone, so that one life is long."""

    def __init__(self, daemon: Daemon, workers: int, seed: int, share: Share | None = None) -> None:
        self.daemon = daemon
        self.share = share
        self.workers = workers
        self.acts: Counter[str] = Counter()
        self.lives: list[Life] = []
        self._draw = random.Random(seed)

    def run(self, calm: threading.Event, stop: threading.Event) -> None:
        self._begin()
        wait = self._draw.uniform(1, 4)
        while not stop.wait(1.0):
            with contextlib.suppress(psutil.NoSuchProcess):  # a worker that ends in this moment
                self._sample()
            wait -= 1.0
            if wait <= 0:
                acts = [self._kill_worker, self._stop_worker, self._end_worker]
                acts += [] if self.share is None else [self._hang_share]
                acts += [] if calm.is_set() else [self._kill_daemon, self._end_daemon, self._stop_daemon]
                with contextlib.suppress(psutil.NoSuchProcess):  # it ended by itself meanwhile
                    self._draw.choice(acts)(stop)
                wait = self._draw.uniform(1, 4)

    def _begin(self) -> None:
        self.daemon.start()
        self.lives.append(Life())

    def _sample(self) -> None:
        assert self.daemon.process is not None
        process, life = psutil.Process(self.daemon.process.pid), self.lives[-1]
        life.seconds = time.monotonic() - life.began
        if len(self.daemon.children()) != self.workers:
            return
        life.rss.append(process.memory_info().rss)
        life.files.append(process.num_fds())
        life.threads.append(process.num_threads())

    def _worker(self) -> psutil.Process | None:
        workers = self.daemon.children()
        return self._draw.choice(workers) if workers else None

    def _kill_worker(self, _stop: threading.Event) -> None:
        if worker := self._worker():
            worker.kill()
            self.acts["worker killed"] += 1

    def _end_worker(self, _stop: threading.Event) -> None:
        if worker := self._worker():
            worker.terminate()
            self.acts["worker terminated"] += 1

    def _stop_worker(self, stop: threading.Event) -> None:
        """For a moment, or for longer than its job may take."""
        if worker := self._worker():
            worker.suspend()
            self.acts["worker stopped"] += 1
            stop.wait(self._draw.choice([0.2, 1.0, 1.0, 25.0]))
            worker.resume()

    def _hang_share(self, stop: threading.Event) -> None:
        """The archive's file system answers nobody, and comes back."""
        assert self.share is not None
        self.share.hang()
        self.acts["share hung"] += 1
        stop.wait(self._draw.choice([1.0, 5.0, 15.0]))
        self.share.go_on()

    def _stop_daemon(self, stop: threading.Event) -> None:
        assert self.daemon.process is not None
        self.daemon.process.send_signal(signal.SIGSTOP)
        stop.wait(self._draw.choice([0.2, 2.0, 6.0]))
        self.daemon.process.send_signal(signal.SIGCONT)
        self.acts["daemon stopped"] += 1

    def _kill_daemon(self, _stop: threading.Event) -> None:
        workers = self.daemon.children()
        self.daemon.stop(signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
        assert not alive, f"workers outlive their daemon: {alive}"
        self.acts["daemon killed"] += 1
        self._begin()

    def _end_daemon(self, _stop: threading.Event) -> None:
        code = self.daemon.stop(signal.SIGTERM)
        # one that has only begun to start knows of no signals yet, and has nothing to finish
        assert code in (0, -signal.SIGTERM), f"SIGTERM ended it with {code}"
        self.acts["daemon ended"] += 1
        self._begin()

"""Web, notifier and daemon are killed with kill -9 at random under load: nothing that was promised is lost or doubled.

Some two minutes a seed, on demand: `pytest -m slow tests/web/test_storm.py -n 0 -s` prints a table.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import re
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from sttd.job import ENDED, State
from sttd.search import INDEX, Search
from tests import speech
from tests.harness import PATIENCE, Daemon, wait_for
from tests.notify.conftest import Hook, Notifier, hook, secret  # noqa: F401 - fixtures
from tests.web import NO_WEB
from tests.web.served import Served

pytest.importorskip("starlette", reason=NO_WEB)

from tests.web.test_api_intake import put
from tests.web.test_api_transcripts import clip, clip_of, done

KILLS, FILES, SENDERS = 30, 24, 3
SETTINGS = {"watch.settle_closed": "0s", "pool.machine_wait": "1s"}
# of the daemon's own states none is told: how long they last depends on the kills
TABLE = '[[notify]]\nname = "hook"\nwebhook = "{url}"\nsecret_file = "{secret}"\nevents = ["done", "failed"]\n'


class Storm:
    """The three processes over one root."""

    def __init__(self, root: Path, tables: str) -> None:
        self.root = root
        self.kills: Counter[str] = Counter()
        self.daemon = Daemon(root, SETTINGS).start()
        self.daemon.wait_log("watches")
        self.notifier = Notifier(root, tables).start()
        self.notifier.wait_log("tells")
        self.served = Served(root)

    def kill(self, which: str) -> None:
        """And start it again."""
        self.kills[which] += 1
        if which == "web":
            self.served.close()
            self.served = Served(self.root)
        elif which == "notify":
            self.notifier.stop(signal.SIGKILL)
            self.notifier.start()
        else:
            self.daemon.close()
            self.daemon = Daemon(self.root, SETTINGS).start()

    def close(self) -> None:
        self.served.close()
        self.notifier.stop(signal.SIGKILL)
        self.daemon.close()


class Senders:
    """Threads that submit files, each until it is answered, as clients do whose server goes away."""

    def __init__(self, storm: Storm, seed: int) -> None:
        self.answers: dict[int, str] = {}  # the address of each file that was answered with 202
        self.in_vain = 0
        self._storm = storm
        self._numbers = iter(range(FILES))
        self._threads = [threading.Thread(target=self._run, args=(seed + n,)) for n in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _run(self, seed: int) -> None:
        draw = random.Random(seed)
        for number in self._numbers:
            while number not in self.answers:
                try:
                    data = clip(number % 32)
                    pieces = (data[at : at + 4096] for at in range(0, len(data), 4096))
                    answer = put(self._storm.served, f"{number}.flac", pieces, **{"Content-Length": str(len(data))})
                    if answer.status == 202:
                        self.answers[number] = answer.headers["location"]
                        break
                except (OSError, http.client.HTTPException):
                    pass
                self.in_vain += 1
                time.sleep(0.05)
            time.sleep(draw.uniform(0, 3))  # so that there is something to kill from the first kill to the last

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
        assert len(self.answers) == FILES


@pytest.fixture
def storm(tmp_path, hook, secret) -> Iterator[Storm]:  # noqa: F811
    made = Storm(tmp_path, TABLE.format(url=hook.url, secret=secret))
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_or_doubled_whatever_is_killed(storm, hook, seed):  # noqa: F811
    """No submit that was answered with 202, no notice; and the search index is right afterwards."""
    draw = random.Random(seed)
    senders = Senders(storm, seed)
    for _ in range(KILLS):
        time.sleep(draw.uniform(0, 2))  # a moment by chance; nothing is waited for
        storm.kill(draw.choice(["web", "notify", "daemon"]))
    senders.join()
    wait_for(lambda: _is_over(storm, senders), "all jobs end", 3 * PATIENCE)
    for number, address in senders.answers.items():
        found = done(storm.served, address)
        assert found["state"] == "done", found
        assert clip_of(storm.served.get(found["results"]["txt"]).text) == number % 32
    jobs = storm.daemon.jobs()
    told = _told(storm, hook, {job.id for job in jobs if job.state in (State.DONE, State.FAILED)})
    words, wrong = _compared(storm, sum(job.state is State.DONE for job in jobs))
    print(
        f"\nseed {seed}: killed {dict(sorted(storm.kills.items()))}; {len(senders.answers)} submits answered, "
        f"{senders.in_vain} tries in vain, {len(jobs)} jobs; {len(told)} notices, "
        f"{len(hook.got) - len(told)} of them taken again with the same id; {words} words searched, {len(wrong)} wrong"
    )
    assert wrong == []
    assert len(jobs) >= FILES


def _is_over(storm: Storm, senders: Senders) -> bool:
    """Whether all files were taken, also those whose answer was lost, and all jobs have ended."""
    jobs = storm.daemon.jobs()
    is_taken = len(jobs) >= len(senders.answers) and not list(storm.daemon.inbox.glob("[!.]*.flac"))
    return is_taken and all(job.state in ENDED for job in jobs)


def _told(storm: Storm, hook: Hook, wanted: set[int]) -> dict[str, int]:  # noqa: F811
    """The job that each delivery ID is about: every job has one, and what came again is the same."""
    wait_for(lambda: wanted <= {body["data"]["id"] for body in hook.bodies()}, "all are told")
    storm.notifier.stop()
    assert not hook.forged
    bodies = defaultdict(set)
    for identity, body in hook.got:
        bodies[identity].add(json.dumps(body, sort_keys=True))
    assert all(len(each) == 1 for each in bodies.values())
    about = {identity: body["data"]["id"] for identity, body in hook.got}
    assert sorted(about.values()) == sorted(wanted)
    storm.notifier.start()
    return about


def _compared(storm: Storm, count: int) -> tuple[int, list[str]]:
    """How many words were searched, and those that the index finds elsewhere than a look at each transcript does."""
    wait_for(lambda: f"{count} transcripts can be searched" in storm.served.get("/search").text, "the index is whole")
    texts = {}
    for job in storm.daemon.jobs():
        if job.state is State.DONE:
            record = json.loads(Path(next(each for each in job.outputs if each.endswith(".json"))).read_text())
            texts[job.id] = " ".join(segment["text"] for segment in record["segments"]).casefold()
    vocabulary = {word for name in speech.names() for word in speech.words(name)}
    search = Search(storm.root / "state-web" / INDEX)
    wrong = []
    for word in sorted(vocabulary):
        found = {hit.job for hit in search.find(f'"{word}"', limit=100).hits}
        scanned = {job for job, text in texts.items() if _has(text, word.casefold())}
        wrong += [word] if found != scanned else []
    return len(vocabulary), wrong


def _has(text: str, word: str) -> bool:
    """Words in Latin letters as a whole, Thai anywhere."""
    if word.isascii():
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
    return word in "".join(itertools.chain.from_iterable(text.split()))

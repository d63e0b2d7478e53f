"""Nothing that was accepted over HTTP is lost or transcribed twice, whatever is killed meanwhile."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.harness import PATIENCE, Daemon, wait_for
from tests.web import NO_WEB
from tests.web.served import Served

pytest.importorskip("starlette", reason=NO_WEB)

from tests.web.test_api_intake import form, put
from tests.web.test_api_transcripts import clip, clip_of, done

CLIPS = (0, 1, 2, 4, 6, 8, 9, 10)
QUICK = {"watch.settle_closed": "0s", "pool.machine_wait": "1s"}


class Kept:
    """A daemon and a server over one root, which are killed and started again."""

    def __init__(self, root) -> None:
        self.root = root
        self.daemon = Daemon(root, QUICK).start()
        self.daemon.wait_log("watches")
        self.served = Served(root)

    def kill(self, *, web: bool, daemon: bool) -> None:
        if web:
            self.served.close()
        if daemon:
            self.daemon.close()
            self.daemon = Daemon(self.root, QUICK).start()
        if web:
            self.served = Served(self.root)

    def close(self) -> None:
        self.served.close()
        self.daemon.close()


@pytest.fixture
def kept(tmp_path) -> Iterator[Kept]:
    kept = Kept(tmp_path)
    yield kept
    kept.close()


def slowly(data: bytes) -> Iterator[bytes]:
    """In pieces, so that a kill may come between two of them."""
    for start in range(0, len(data), 4096):
        yield data[start : start + 4096]
        time.sleep(0.002)


def until(send: Callable[[], str | None]) -> str:
    """Send until there is an answer, as clients do whose server goes away."""

    def once() -> str | None:
        try:
            return send()
        except (OSError, http.client.HTTPException):
            return None

    return wait_for(once, "there is an answer")


def run(kept: Kept, seed: int, kills: int) -> None:
    draw = random.Random(seed)
    answers: dict[int, str] = {}

    def submit(number: int) -> None:
        """All have the same name. What was sent in vain is sent again."""

        def send() -> str | None:
            data = clip(number)
            answer = put(kept.served, "talk.flac", slowly(data), **{"Content-Length": str(len(data))})
            return answer.headers["location"] if answer.status == 202 else None

        answers[number] = until(send)

    def ask(number: int) -> None:
        """Like OpenAI's client: the answer is waited for, and asked for again."""

        def send() -> str | None:
            body, headers = form({"language": "en"}, "file", "asked.flac", clip(number))
            answer = kept.served.ask("POST", "/v1/audio/transcriptions", body, kept.served.bearer() | headers)
            return answer.json()["text"] if answer.status == 200 else None

        answers[number] = until(send)

    threads = [threading.Thread(target=ask if number in CLIPS[:2] else submit, args=(number,)) for number in CLIPS]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        time.sleep(draw.uniform(0, 0.5))  # a moment by chance; nothing is waited for
        kept.kill(web=draw.random() < 0.8, daemon=draw.random() < 0.8)
    for thread in threads:
        thread.join(PATIENCE)
    assert answers.keys() == set(CLIPS)
    check(kept, answers)


def check(kept: Kept, answers: dict[int, str]) -> None:
    jobs = {}
    for number in CLIPS[2:]:
        found = done(kept.served, answers[number])
        assert found["state"] == "done", found
        assert clip_of(kept.served.get(found["results"]["txt"]).text) == number
        jobs[found["job"]] = number
    assert len(jobs) == len(CLIPS[2:])
    assert [clip_of(answers[number]) for number in CLIPS[:2]] == [*CLIPS[:2]]
    sources = [job.source for job in kept.daemon.jobs() if job.source.startswith("api/")]
    assert len(sources) == len(set(sources)) == 2, sources
    assert wait_for(lambda: not list(kept.daemon.inbox.rglob("*.flac")), "the inbox is empty")


@pytest.mark.ci
@pytest.mark.parametrize("seed", [pytest.param(0), *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 20))])
def test_no_submit_is_lost_over_kills_of_web_and_daemon(kept, seed):
    """Each accepted file comes to its own transcript, each asked one to one job; half received ones leave nothing."""
    run(kept, seed, 1 if seed == 0 else 6)

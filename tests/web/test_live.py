"""The events of the first page."""

from __future__ import annotations

import asyncio

import pytest

from tests.web import NO_WEB

pytest.importorskip("starlette", reason=NO_WEB)

from sttd.job import Job, Shared, State
from sttd.view import figures
from sttd.web.pages import live, overview
from sttd.web.pages.job import standing
from sttd.web.pages.language import Words, words


def test_a_fault_of_one_look_ends_no_stream(monkeypatch):
    """Whoever follows already hears of the next look."""
    monkeypatch.setattr(live, "_SIGN_OF_LIFE", 0.01)
    monkeypatch.setattr(live, "LOOK", 0.01)
    looks = 0

    def look() -> live.Snapshot:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise RuntimeError("a fault")
        return live.Snapshot(figures.status(None, running=False), (looks,))

    async def follow() -> None:
        async for shot in live.Live(look).follow():
            if shot is not None and shot.ledger > (2,):
                return

    asyncio.run(asyncio.wait_for(follow(), 60))


def test_a_recording_in_parts_is_one_bar_on_its_page():
    """All of its workers together; each has a line of its own on the first page."""
    job = Job(
        1, "long.mp3", 10, 5, state=State.RUNNING, progress=600.0, audio_seconds=2400.0, shared=Shared(4, 1200.0, 600.0)
    )
    common = dict.fromkeys(figures._worker({})) | {
        "pid": 7,
        "state": "running",
        "job": 1,
        "source": "long.mp3",
        "done": 10.0,
    }
    common |= {"total": 600.0, "progress": 0.02, "attempt": 3, "left": 50.0, "job_left": 900.0, "parts": 4}
    workers = [common | {"part": number, "begins": 600.0 * (number - 1), "ends": 600.0 * number} for number in (2, 3)]
    shot = live.Snapshot(figures.status(None, running=False) | {"workers": workers, "waiting": []})
    shown = standing(job, shot, 0, Words("en", {}), may_ask=False, said=None)
    assert (shown["share"], shown["at"], shown["left"], shown["again"]) == (0.25, "10:00 / 40:00", 900.0, "")
    assert [each.again for each in overview.workers(shot, Words("en", {}))] == [
        "part 2 of 4 (10:00 to 20:00)",
        "part 3 of 4 (20:00 to 30:00)",
    ]
    workers[1]["resumed_at"] = 60.0
    thai = [each.again for each in overview.workers(shot, words("th"))]
    assert thai == ["ส่วนที่ 2 จาก 4 (10:00 ถึง 20:00)", "ส่วนที่ 3 จาก 4 (20:00 ถึง 30:00), ครั้งที่ 3 ตั้งแต่ 21:00"]

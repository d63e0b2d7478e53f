"""One daemon with two inboxes, one of them a library that goes away and comes back."""

from __future__ import annotations

import signal

import pytest

from sttd.job import State
from tests import speech
from tests.harness import wait_for

TABLES = """
[[watch]]
rescan_interval = "1s"

[[watch]]
name = "movies"
inbox = "{media}"
place = "beside"
formats = ["srt"]
"""


@pytest.mark.ci
def test_each_inbox_has_its_own_keys_and_troubles(make_daemon, tmp_path):
    media, away = tmp_path / "media", tmp_path / "away"
    (media / "Show").mkdir(parents=True)
    (tmp_path / "sttd.toml").write_text(TABLES.format(media=media), encoding="utf-8")
    daemon = make_daemon({"pool.machine_wait": "1s"}, "--config", str(tmp_path / "sttd.toml"))
    speech.encode(daemon.inbox / "a.flac", speech.sample("clip01"))
    episode = speech.encode(media / "Show" / "ep.flac", speech.sample("english"))
    daemon.start()
    wait_for(lambda: [job.state for job in daemon.jobs()] == [State.DONE] * 2, "both are done")
    assert sorted(path.name for path in episode.parent.iterdir()) == ["ep.en.srt", "ep.flac"]
    assert speech.says(daemon.text("a.flac", "en"), "clip01")
    assert (daemon.archive / "a.flac").is_file()
    daemon.sttd("pause")
    speech.encode(media / "b.flac", speech.sample("clip02"))
    daemon.wait_state(State.QUEUED, 3)
    media.rename(away)
    speech.encode(daemon.inbox / "c.flac", speech.sample("clip04"))
    wait_for(
        lambda: "movies: " in (daemon.json("status")["inbox"]["away"] or ""), "the status names the inbox that is away"
    )
    daemon.sttd("resume")
    daemon.wait_state(State.DONE, 4)
    assert (daemon.job(3).state, daemon.job(3).error) == (State.QUEUED, "its inbox movies is away")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    speech.encode(daemon.inbox / "d.flac", speech.sample("clip06"))
    daemon.wait_state(State.DONE, 5)
    assert daemon.job(3).state is State.QUEUED
    away.rename(media)
    daemon.wait_state(State.DONE, 3)
    assert (media / "b.en.srt").is_file()
    wait_for(lambda: daemon.json("status")["inbox"]["away"] is None, "the status says that it is back")
    assert daemon.stop() == 0
    assert {job.source for job in daemon.jobs()} == {
        "a.flac",
        "movies//Show/ep.flac",
        "movies//b.flac",
        "c.flac",
        "d.flac",
    }
    assert not [job for job in daemon.jobs() if job.state is not State.DONE or job.attempts]

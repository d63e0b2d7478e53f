"""A folder of the inbox has options of its own; a bad file there costs its recordings their turn until it is put right."""

from __future__ import annotations

import os

import pytest

from sttd.job import State
from tests import speech
from tests.harness import wait_for


@pytest.mark.ci
def test_folders_have_their_own_options_and_a_bad_one_holds_its_own_recordings(make_daemon):
    daemon = make_daemon({"pool.machine_wait": "1s"})
    good, bad = daemon.inbox / "ประชุม" / "2026", daemon.inbox / "bad"
    good.mkdir(parents=True)
    bad.mkdir()
    written = good.parent / ".sttd.toml"
    written.write_text('[transcribe]\nlanguage = "th"\nhotwords = "ประชุม"\n[output]\nformats = ["json", "md"]\n')
    os.mkfifo(bad / ".sttd.toml")
    speech.encode(good / "thai.flac", speech.compose(seconds=5, language="th", seed=1).audio)
    speech.encode(bad / "held.flac", speech.compose(seconds=3, language="en", seed=2).audio)
    speech.encode(daemon.inbox / "plain.flac", speech.compose(seconds=4, language="en", seed=3).audio)
    daemon.start()
    daemon.wait_log("bad/.sttd.toml: is not a regular file")
    for job in wait_for(lambda: len(daemon.jobs()) == 3 and daemon.jobs(), "all are queued"):
        if job.source != "bad/held.flac":
            daemon.wait_state(State.DONE, job.id)
    jobs = {job["source"]: job for job in daemon.json("jobs")}
    held, thai = jobs["bad/held.flac"], jobs["ประชุม/2026/thai.flac"]
    assert (held["state"], held["attempts"], held["cause"]) == ("queued", 0, "configuration")
    assert held["error"].startswith("bad/.sttd.toml: is not a regular file")
    assert thai["folder_options"]["files"] == ["ประชุม/.sttd.toml"]
    assert thai["folder_options"]["set"]["transcribe.language"] == "th"
    assert sorted(os.path.basename(path) for path in thai["outputs"]) == ["thai.th.json", "thai.th.md"]
    assert len(jobs["plain.flac"]["outputs"]) == 5
    found = daemon.result("ประชุม/2026/thai.flac", "th")
    assert (found["options"]["hotwords"], found["options_from"]) == ("ประชุม", ["ประชุม/.sttd.toml"])
    shown = daemon.sttd("show", str(thai["id"])).stdout
    assert 'transcribe.language = "th"' in shown
    assert "ประชุม/.sttd.toml" in shown
    assert "waits until the options of its folder are put right" in daemon.sttd("show", str(held["id"])).stdout
    status = wait_for(lambda: (now := daemon.json("status"))["trouble"] and now, "status has it")
    assert any("bad/.sttd.toml" in text for text in status["trouble"])
    assert status["inbox"]["ignored"] == {}, "these files are no recordings that are left alone"
    (bad / ".sttd.toml").unlink()
    (bad / ".sttd.toml").write_text('[output]\nformats = ["txt"]\n')
    assert daemon.wait_state(State.DONE, held["id"]).outputs == (str(daemon.transcripts / "bad" / "held.en.txt"),)
    wait_for(lambda: not daemon.json("status")["trouble"], "status has it no more")
    assert daemon.stop() == 0
    assert written.exists()

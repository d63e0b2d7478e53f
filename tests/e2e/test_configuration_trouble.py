"""What the configuration asks for in vain waits, and costs no recording."""

from __future__ import annotations

import signal

import pytest

from sttd.job import State
from tests import speech
from tests.harness import wait_for


@pytest.mark.ci
def test_a_language_that_the_model_does_not_know_costs_nobody_an_attempt_and_is_over_with_a_reload(
    make_daemon, tmp_path
):
    """`yue` came with large-v3: each recording cost three loads of the model, and went to failed/."""
    config = tmp_path / "sttd.toml"
    config.write_text('[transcribe]\nlanguage = "yue"\n')
    daemon = make_daemon({"pool.machine_wait": "1s"}, "--config", str(config))
    for number in (1, 2, 3, 4):
        speech.encode(daemon.inbox / f"{number}.flac", speech.sample("english")[: 40_000 + number])
    daemon.start()
    daemon.wait_log("the model does not know the language 'yue': set transcribe.language")
    daemon.wait_log("next try")
    wait_for(lambda: [text for text in daemon.json("status")["trouble"] if "'yue'" in text], "status says so")
    assert daemon.json("status")["jobs"]["failed"] == 0
    config.write_text('[transcribe]\nlanguage = "en"\n')
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_state(State.DONE, 4)
    assert {job.attempts for job in daemon.jobs()} == {0}
    assert len([line for line in daemon.log if "'yue'" in line and " WARNING " in line]) == 1
    assert len([line for line in daemon.log if "is ready after" in line]) == 1
    assert daemon.stop() == 0

"""Recordings whose writers are still at work."""

from __future__ import annotations

import pytest

from sttd.job import State
from tests import speech
from tests.harness import wait_for


def test_a_recorder_that_pauses_with_its_file_open_gets_one_transcript_of_the_whole(make_daemon):
    """It pauses for longer than `settle`, while another recording is transcribed; an empty open file waits meanwhile."""
    daemon = make_daemon({"watch.settle": "0.3s"}).start()
    daemon.wait_log("watches")
    whole = speech.encode(daemon.root / "whole.wav", speech.sample("english")).read_bytes()
    other = speech.encode(daemon.root / "other.flac", speech.sample("clip01"))
    recorder = (daemon.inbox / "paused.wav").open("wb", buffering=0)
    late = (daemon.inbox / "late.wav").open("wb", buffering=0)
    with recorder, late:
        recorder.write(whole[: len(whole) // 2])
        (daemon.inbox / "link.flac").hardlink_to(other)  # has no writer: settles after the recorder's pause has begun
        assert daemon.wait_state(State.DONE).source == "link.flac"
        assert len(daemon.jobs()) == 1
        recorder.write(whole[len(whole) // 2 :])
        late.write(other.read_bytes())
    wait_for(lambda: [job.state for job in daemon.jobs()] == [State.DONE] * 3, "all are done")
    assert speech.says(daemon.text("paused.wav", "en"), "english")
    assert speech.says(daemon.text("late.wav", "en"), "clip01")
    assert daemon.stop() == 0
    assert not any(daemon.failed.glob("[!.]*"))


@pytest.mark.ci
def test_a_writer_of_whom_nothing_was_heard_and_who_goes_on_in_the_archive_gets_a_transcript_of_the_whole(make_daemon):
    """It had its file open before the daemon started; the same in failed/, from where the whole recording is archived."""
    daemon = make_daemon({"watch.settle": "0.3s", "watch.patience": "3s"})
    whole = speech.encode(daemon.root / "whole.wav", speech.sample("english")).read_bytes()
    movie = speech.encode(daemon.root / "whole.mp4", speech.sample("clip01")).read_bytes()
    with (daemon.inbox / "a.wav").open("wb", buffering=0) as recorder, (daemon.inbox / "b.mp4").open("wb", 0) as camera:
        recorder.write(whole[: len(whole) // 2])
        camera.write(movie[: len(movie) // 3])
        daemon.start()
        wait_for(lambda: sorted(job.state for job in daemon.jobs()) == [State.DONE, State.FAILED], "both have ended")
        wait_for(
            lambda: (daemon.archive / "a.wav").exists() and (daemon.failed / "b.mp4").exists(), "and are filed away"
        )
        recorder.write(whole[len(whole) // 2 :])
        camera.write(movie[len(movie) // 3 :])
    wait_for(lambda: len([job for job in daemon.jobs() if job.state is State.DONE]) == 3, "the new jobs are done")
    assert speech.says((daemon.transcripts / "a (2).en.txt").read_text(), "english")
    assert speech.says(daemon.text("b.mp4", "en"), "clip01")
    assert (daemon.archive / "b.mp4").read_bytes() == movie
    assert not any(daemon.failed.glob("[!.]*"))
    assert daemon.stop() == 0

"""`sttd demo`: see tests/e2e for what it hears; here is what it does not touch, and what it says where it fails."""

from __future__ import annotations

from tests.cli.conftest import SOUND


def test_a_folder_with_recordings_is_left_alone(sttd, root):
    """The demo model is not let loose on somebody's recordings."""
    (root / "inbox").mkdir()
    (root / "inbox" / "mine.mp3").write_bytes(b"sound")
    done = sttd("demo")
    assert done.code == 2
    assert "choose an empty folder" in done.err
    assert [path.name for path in (root / "inbox").iterdir()] == ["mine.mp3"]


def test_a_folder_with_jobs_that_wait_is_left_alone(sttd, ledger, root):
    ledger.add("mine.mp3", SOUND, 1.0)
    assert sttd("demo").code == 2
    assert not (root / "inbox").exists()


def test_a_demo_that_fails_shows_the_end_of_the_log(process):
    """Here for want of a model."""
    done = process("demo", "--set", "model.name=/nowhere")
    assert done.returncode == 1
    assert "/nowhere" in done.stderr
    assert "sttd: the demo failed" in done.stderr
    assert "Traceback" not in done.stderr

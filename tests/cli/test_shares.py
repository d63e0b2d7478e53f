"""Commands while the share of the inbox, the archive and the results hangs: they answer from the ledger."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from sttd.fs.patience import answers
from tests.cli.conftest import failed, finished
from tests.harness import PATIENCE
from tests.shares import hanging

COMMANDS = (
    ["status"], ["status", "--json"], ["jobs"], ["jobs", "--json"], ["show", "1"], ["pause"], ["resume"],
    ["retry", "2"], ["redo", "1"], ["check-config"],
)  # fmt: skip


def test_every_command_answers_while_the_folders_hang(root, ledger, tmp_path):
    """And `check-config` says which folder it is; it is no mistake of the configuration."""
    share = tmp_path / "share"
    share.mkdir()
    finished(ledger, "a.mp3", location=str(share / "archive" / "a.mp3"))
    failed(ledger, "b.mp3")
    sets = [f"paths.{name}={share / name}" for name in ("inbox", "archive", "transcripts", "failed")]
    sets += ["model.name=demo", "model.fallback="]
    shared = ["--root", str(root), *(word for one in sets for word in ("--set", one))]
    with hanging(share):
        running = {
            tuple(words): subprocess.Popen(
                [sys.executable, "-m", "sttd", *shared, *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for words in COMMANDS
        }
        told = {words: process.communicate(timeout=PATIENCE) for words, process in running.items()}
    for words, process in running.items():
        assert process.returncode == 0 or words[0] == "status", (words, told[words])
    assert all("Traceback" not in errors for _, errors in told.values())
    out, errors = told["check-config",]
    assert f"[paths] inbox: {share}/inbox does not answer" in errors
    assert "good" in out


def test_a_question_that_gets_no_answer_is_not_waited_for_and_the_others_are_heard():
    began = time.monotonic()
    questions = {"silent": lambda: time.sleep(3600), "here": lambda: ["\udcff", 1], "raises": lambda: 1 / 0}
    assert answers(questions, 4.0) == {"here": ["\udcff", 1]}
    assert time.monotonic() - began < PATIENCE


def test_two_folders_that_are_one_by_a_link_are_refused(root, sttd):
    """Also by the daemon, before it takes anything."""
    (root / "inbox").mkdir()
    (root / "out").symlink_to(root / "inbox")
    for command in ("check-config", "run"):
        done = sttd("--set", f"paths.transcripts={root}/out", command)
        assert done.code == 2
        assert "inbox and transcripts are the same folder" in done.err


@pytest.mark.parametrize(
    ("name", "fallback", "said"), [("tiny", "", "its model"), ("tiny", "base", "its model and fallback")]
)
def test_check_config_does_not_call_a_configuration_good_without_its_model(
    sttd, tmp_path, monkeypatch, name, fallback, said
):
    """No mistake of the configuration: a reload goes on. How the model comes here is said."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "models"))
    done = sttd("--set", f"model.name={name}", "--set", f"model.fallback={fallback}", "check-config")
    assert done.code == 0
    assert "good" not in done.out
    assert f"no mistakes, but {said} cannot be used" in done.out
    assert f"sttd model pull {name}" in done.err


def test_children_that_answered_are_reaped():
    """The daemon asks at its start too, and would keep them as zombies for as long as it runs."""
    for _ in range(20):
        assert answers({"here": lambda: True}, PATIENCE) == {"here": True}
    assert not [each for each in psutil.Process().children() if each.status() == psutil.STATUS_ZOMBIE]

"""What `show` tells of a job's life, its text, `wait`, `logs`, and what a shell completes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from sttd.cli.app import main
from sttd.cli.shells import SHELLS
from sttd.job import State
from tests.cli.conftest import HOSTILE, SOUND, THAI, failed, finished
from tests.harness import PATIENCE


def test_show_tells_the_life_of_a_job_in_its_order(sttd, ledger):
    """Each attempt with why it ended, and where the source is at the end."""
    job = ledger.update(ledger.add(THAI, SOUND, 1000.0), state=State.RUNNING, attempt=1, started_at=1001.0)
    ledger.begin_attempt(job, 1001.0)
    ledger.end_attempt(job, 1801.0, "timeout", "⏰ Job timed out after 800 seconds", 41)
    job = ledger.update(job, state=State.QUEUED)
    job = ledger.update(job, state=State.RUNNING, attempt=2, model="base", requested_model="small")
    ledger.begin_attempt(job, 1900.0)
    ledger.end_attempt(job, 1960.0, None, None, 42)
    job = ledger.update(job, fallback_reason="small: load timed out", warnings=("the file ends early",))
    job = ledger.update(job, state=State.COMMITTING, plan={})
    ledger.update(
        job, state=State.DONE, finished_at=1961.0, plan=None, location=f"/archive/{THAI}", outputs=("/o.txt",)
    )
    lines = [line.partition("  ")[2] for line in sttd("show", "1").out.splitlines() if line.startswith("1970")]
    assert lines[0].startswith("found in the inbox and queued, 12.3 MB")
    assert lines[1] == "attempt 1 begins in worker 41"
    assert lines[2] == "attempt 1 ends after 13min 20s: killed after job_timeout: ⏰ Job timed out after 800 seconds"
    assert lines[3].startswith("attempt 2 begins in worker 42")
    assert lines[4] == "attempt 2 ends after 1min: transcribed"
    assert lines[5] == f"done: 1 results are in place; the source is now /archive/{THAI}"
    assert "fallback     small: load timed out" in sttd("show", "1").out


def test_show_says_on_which_machine_an_attempt_ran(sttd, ledger):
    job = ledger.update(ledger.add("a.mp3", SOUND, 1000.0), state=State.RUNNING, attempt=1, model="base")
    ledger.begin_attempt(job, 1001.0)
    ledger.end_attempt(job, 1061.0, "line", "the worker on gpu1/2 is lost", None, worker="gpu1/2")
    ledger.update(job, state=State.QUEUED)
    lines = [line.partition("  ")[2] for line in sttd("show", "1").out.splitlines() if line.startswith("1970")]
    assert lines[1] == "attempt 1 begins on gpu1/2 with model base"
    assert lines[2] == "attempt 1 ends after 1min: the line to the worker broke: the worker on gpu1/2 is lost"
    (attempt,) = json.loads(sttd("show", "1", "--json").out)["history"]
    assert attempt["worker"] == "gpu1/2"


def test_show_text_reads_nothing_that_was_put_in_place_of_a_result(sttd, ledger, tmp_path):
    """Neither a link, which root would follow to what others may not read, nor a FIFO."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "a.txt").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "b.txt")
    for number, name in enumerate(("a", "b"), 1):
        ledger.update(finished(ledger, f"{name}.mp3"), outputs=(str(tmp_path / f"{name}.txt"),))
        refused = sttd("show", str(number), "--text")
        assert (refused.code, refused.out) == (1, "")
        assert f"{name}.txt: not a regular file" in refused.err


def test_show_text_prints_the_transcript(sttd, ledger, tmp_path):
    """Of the txt, or what there is; what has none says why."""
    text, record = tmp_path / "a.en.txt", tmp_path / "b.en.json"
    text.write_text("สวัสดี\nhello\n", "utf-8")
    record.write_text('{"segments": [{"text": " one"}, {"text": " two"}]}', "utf-8")
    ledger.update(finished(ledger, "a.mp3"), outputs=(str(record), str(text)))
    ledger.update(finished(ledger, "b.mp3"), outputs=(str(record),))
    ledger.update(finished(ledger, "c.mp3"), outputs=(str(tmp_path / "gone.txt"),))
    failed(ledger, "d.mp3", "the file holds no audio")
    assert sttd("show", "1", "--text").out == "สวัสดี\nhello\n"
    assert sttd("show", "2", "--text").out == "one\ntwo\n"
    gone = sttd("show", "3", "--text")
    assert gone.code == 1
    assert "gone.txt: No such file or directory" in gone.err
    assert "redo 3" in gone.err
    assert "job 4 is failed, and has no transcript: the file holds no audio" in sttd("show", "4", "--text").err
    assert sttd("show", "1", "--text", "--json").code == 2


def test_wait_ends_with_the_last_job_and_says_how_each_ended(root, sttd, ledger, daemon):
    """0 where all are done; 1 where one is not."""
    finished(ledger, "a.mp3")
    failed(ledger, "b.mp3", "no\naudio")
    done = sttd("wait", "1")
    assert (done.code, done.out) == (0, "job 1 (a.mp3) is done\n")
    done = sttd("wait", "1", "2")
    assert done.code == 1
    assert done.out.splitlines()[1] == "job 2 (b.mp3) is failed: no\\x0aaudio"
    assert sttd("wait", "3").code == 2
    ledger.add("c.mp3", SOUND, 1.0)
    command = [sys.executable, "-m", "sttd", "--root", str(root), "wait", "1", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout.readline() == "job 1 (a.mp3) is done\n"
        ledger.update(ledger.get(3), state=State.CANCELLED)
        assert waiting.stdout.readline() == "job 3 (c.mp3) is cancelled\n"
        assert waiting.wait(PATIENCE) == 1


def test_wait_for_what_has_ended_needs_no_daemon(process, ledger):
    finished(ledger, "a.mp3")
    done = process("wait", "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "job 1 (a.mp3) is done\n", "")


def test_wait_goes_on_while_the_daemon_makes_the_ledger_anew(root, ledger, daemon):
    job = ledger.add("c.mp3", SOUND, 1.0)
    ledger.update(job, error="the disk is full", not_before=time.time() + 60)
    path, command = ledger.path, [sys.executable, "-m", "sttd", "--root", str(root), "wait", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        assert "waits: the disk is full" in waiting.stderr.readline()
        path.rename(path.with_name("aside"))
        assert waiting.stderr.readline().startswith(f"sttd: waits for the daemon: there is no ledger at {path}")
        path.with_name("aside").rename(path)
        ledger.update(ledger.get(1), state=State.CANCELLED)
        assert waiting.stdout.readline() == "job 1 (c.mp3) is cancelled: the disk is full\n"
        assert waiting.wait(PATIENCE) == 1


def test_wait_says_why_it_waits(root, ledger):
    """No daemon runs; the machine is at fault. Ctrl-C ends it, with its code."""
    job = ledger.add("c.mp3", SOUND, 1.0)
    ledger.update(job, error="the disk is full", not_before=time.time() + 60)
    command = [sys.executable, "-m", "sttd", "--root", str(root), "wait", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr.readline() == f"sttd: no daemon runs: the wait goes on until `sttd --root {root} run`\n"
        assert waiting.stderr.readline() == "sttd: job 1 (c.mp3) waits: the disk is full\n"
        waiting.send_signal(signal.SIGINT)
        assert (waiting.wait(PATIENCE), waiting.stderr.read().strip()) == (130, "")


JOURNAL = """
import sys
from pathlib import Path
from sttd.cli import app, logs, options
options.INSTALLED = logs.INSTALLED = Path(sys.argv[1])
app.main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (["42", "-f"], "_SYSTEMD_UNIT=sttd.service STTD_JOB=42 -f"),
        (["-n", "5", "-o", "json"], "_SYSTEMD_UNIT=sttd.service -n 5 -o json"),
        (["42", "--config", "{there}/meeting.toml"], "_SYSTEMD_UNIT=sttd@meeting.service STTD_JOB=42"),
    ],
)
def test_logs_opens_the_journal_at_the_job(tmp_path, words, passed):
    """With what else was typed, for the service of this configuration."""
    journalctl = tmp_path / "journalctl"
    journalctl.write_text('#!/bin/sh\necho "$@"\n')
    journalctl.chmod(0o755)
    for name in ("sttd.toml", "meeting.toml"):
        (tmp_path / name).write_text(f'[paths]\nroot = "{tmp_path}"\n')
    words = [word.format(there=tmp_path) for word in words]
    done = subprocess.run(
        [sys.executable, "-c", JOURNAL, str(tmp_path / "sttd.toml"), "logs", *words],
        capture_output=True, text=True, check=True, env=os.environ | {"PATH": f"{tmp_path}:/bin"},
    )  # fmt: skip
    assert done.stdout == f"{passed}\n"


def test_logs_without_systemd_says_where_the_log_is(sttd, ledger, root):
    done = sttd("logs", "1")
    assert done.code == 1
    assert f"not run by systemd: its log is what `sttd --root {root} run` prints" in done.err


@pytest.fixture
def completed(root, capsys, monkeypatch):
    """What a shell offers for the last of some words."""

    def complete(*words: str, shell: str = "bash") -> list[str]:
        line = ["sttd", "--root", str(root), *words]
        monkeypatch.setenv("_STTD_COMPLETE", f"{shell}_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(line))
        monkeypatch.setenv("COMP_CWORD", str(len(line) - 1))
        with pytest.raises(SystemExit):
            main([])
        out, err = capsys.readouterr()
        assert not err
        return out.split("\n")[:-1]

    return complete


def test_numbers_of_jobs_are_completed_with_their_names(completed, ledger):
    """Those about which a command can do something, newest first, and each once."""
    finished(ledger, THAI)
    failed(ledger, HOSTILE)
    failed(ledger, "b.mp3")
    assert completed("show", "") == ["plain,3", "plain,2", "plain,1"]
    assert completed("retry", "") == ["plain,3", "plain,2"]
    assert completed("retry", "3", "") == ["plain,2"]
    assert completed("redo", "", shell="zsh")[-3:] == ["plain", "1", f"done: {THAI}"]
    assert completed("redo", "") == ["plain,3", "plain,2", "plain,1"]
    assert "evil\\x1b[31m\\x0aname" in completed("show", "2", shell="zsh")[2]


def test_models_languages_states_and_keys_are_completed(completed):
    """Behind `=` what a choice can be. A bad configuration or a missing ledger offers nothing, and says nothing."""
    assert completed("redo", "--model", "large-v3") == ["plain,large-v3", "plain,large-v3-turbo"]
    assert completed("transcribe", "--language", "th", shell="zsh") == ["plain", "th", "Thai"]
    assert completed("jobs", "--state", "done,fa") == ["plain,done,failed"]
    assert completed("--set", "pool.w") == ["plain,pool.workers=", "plain,pool.when_unreachable="]
    assert completed("--set", "output.source=") == [
        f"plain,output.source={one}" for one in ("archive", "keep", "delete")
    ]
    assert completed("--set", "pool.workers=many", "show", "") == [""]


def test_completion_touches_the_ledger_alone(root, ledger):
    """No folder of recordings or results, which may be on a share."""
    finished(ledger, "a.mp3")
    code = f"""
import os, sys
from sttd.cli.app import main
sys.addaudithook(lambda event, words: print("looked at", words[0]) if event in ("os.listdir", "os.scandir", "open")
                 and str(words[0]).startswith({str(root)!r}) and "/state/" not in str(words[0]) else None)
main()
"""
    line = ["sttd", "--root", str(root), "show", ""]
    env = {"_STTD_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(line), "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | env
    )
    assert done.stdout == "plain,1\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_is_printed(sttd, shell):
    assert f"_STTD_COMPLETE={shell}_complete" in sttd("completion", shell).out


# as each shell does behind Tab; zsh's own functions stand for its line editor, which needs a terminal
TAB = {
    "bash": "COMP_WORDS=(sttd --set pool.wor); COMP_CWORD=2; _sttd_completion sttd; echo ${COMPREPLY[@]}",
    "zsh": "words=(sttd --set pool.wor) CURRENT=3; _sttd_completion",
    "fish": "complete --do-complete 'sttd --set pool.wor'",
}
ZSH = """compdef() { }
_describe() { print -r -- ${(P)3%%:*} "${@[4,-1]}" }
"""


@pytest.mark.parametrize(
    "shell", [pytest.param(each, marks=pytest.mark.skipif(not shutil.which(each), reason=f"no {each}")) for each in TAB]
)
def test_each_shell_completes(sttd, tmp_path, shell):
    """With its own functions; behind a key there is no space."""
    (tmp_path / "sttd").write_text(f'#!/bin/sh\nexec {sys.executable} -m sttd "$@"\n')
    (tmp_path / "sttd").chmod(0o755)
    script = sttd("completion", shell).out
    begin = ZSH if shell == "zsh" else ""
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [shell, "-c", f"{begin}{script}\n{TAB[shell]}"], capture_output=True, text=True, check=False, env=env
    )
    assert done.stdout.split("\t")[0].strip() == {"zsh": "pool.workers= -U -S"}.get(shell, "pool.workers="), done.stderr
    assert shell != "bash" or "compopt -o nospace" in script

"""`sttd notify` as it is run: a process of its own, over a ledger that goes on, killed at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from sttd import configfile
from sttd.config import Receiver
from sttd.configfile import render
from sttd.errors import ConfigError
from sttd.ledger import Ledger
from sttd.notify import place, trial
from tests.harness import PATIENCE, wait_for
from tests.notify.conftest import World

# without those of the daemon: none runs here, which is told where a test takes a minute
EVENTS = 'events = ["done", "failed"]\n'
HOOK = '[[notify]]\nname = "hook"\nwebhook = "{url}/geheim?token=geheim"\nsecret_file = "{secret}"\n' + EVENTS


@pytest.fixture
def hooked(notifier, hook, secret, world):
    return notifier(HOOK.format(url=hook.url.replace("://", "://user:geheim@"), secret=secret))


def test_what_happens_is_told_and_show_says_so(hooked, hook, world: World):
    world.done(world.add("old.mp3"))
    hooked.start()
    wait_for(lambda: world.record.place() is not None, "the first look")
    world.done(world.add("new.mp3"), language="th", outputs=("/t/new.th.txt",))
    wait_for(lambda: hook.got, "it is told")
    ((identity, body),) = hook.got
    assert (body["type"], body["id"], body["data"]["id"]) == ("done", identity, 2)
    assert (body["data"]["source"], body["data"]["outputs"], body["data"]["host"]) == (
        "new.mp3",
        ["/t/new.th.txt"],
        os.uname().nodename,
    )
    hooked.wait_log("hook was told: job 2 done")
    assert hooked.stop() == 0
    assert hooked.sttd("show", "2").stdout.count("  notice of done to hook: delivered\n") == 1
    (told,) = json.loads(hooked.sttd("show", "2", "--json").stdout)["notices"]
    assert (told["receiver"], told["event"], told["state"], told["tries"]) == ("hook", "done", "delivered", 1)
    assert (world.state.with_name("state-notify") / "notify.db").stat().st_mode & 0o777 == 0o640


@pytest.mark.ci
def test_kill_at_any_moment_loses_no_notice_and_none_has_two_ids(hooked, hook, world: World, secret, tmp_path):
    """Jobs end while it is killed again and again. A command and a webhook are told of each; what comes twice has one id."""
    told = tmp_path / "told"
    table = f'[[notify]]\nname = "command"\ncommand = ["/bin/sh", "-c", "echo $STTD_EVENT_ID >> {told}"]\n{EVENTS}'
    hooked.config.write_text(hooked.config.read_text() + table)
    chance = random.Random(7)
    hooked.start()
    wait_for(lambda: world.record.place() is not None, "the first look")
    jobs = []
    for round_ in range(8):
        for _ in range(5):
            jobs.append(world.add(f"{len(jobs)}.mp3"))
            (world.done if chance.random() < 0.7 else world.fail)(jobs[-1])
        if round_ % 2:
            wait_for(lambda seen=hook.requests: hook.requests > seen, "it is at work")
        time.sleep(chance.random() * 0.1)  # any moment
        hooked.stop(signal.SIGKILL)
        hooked.start()
    wait_for(lambda: not world.record.counts()["waiting"] and len(set(hook.ids())) == len(jobs), "all are told")
    hooked.stop()
    assert not hook.forged
    by_id = dict(hook.got)
    assert sorted(body["data"]["id"] for body in by_id.values()) == [job.id for job in jobs], "each job has one id"
    assert all(body == by_id[identity] for identity, body in hook.got), "and what came twice is the same"
    assert set(told.read_text().split()) == set(by_id)


def test_no_secret_is_in_a_log_line_or_on_a_screen(hooked, hook, world: World, secret, tmp_path):
    """Not of an address, not the key, whatever goes wrong."""
    hook.answer = 500
    hooked.start()
    wait_for(lambda: world.record.place() is not None, "the first look")
    world.done(world.add("new.mp3"))
    hooked.wait_log("HTTP 500 Internal Server Error; it is tried again in 5s")
    secret.rename(tmp_path / "away")
    shown = [hooked.sttd(*words) for words in (("notify", "test"), ("show", "1"), ("check-config",), ("status",))]
    assert [done.returncode for done in shown][:3] == [1, 0, 0]
    assert "hook (webhook http://127.0.0.1" in shown[0].stdout
    assert "secret: No such file or directory" in shown[0].stdout
    assert "waiting" in shown[1].stdout
    hooked.stop()
    said = "\n".join([*hooked.log, *(done.stdout + done.stderr for done in shown)])
    assert "geheim" not in said + render(configfile.load(hooked.config, environ={}))
    assert (tmp_path / "away").read_text().strip() not in said


def test_test_sends_each_a_sample_and_ends_with_1_where_one_failed(hooked, hook, secret):
    hooked.config.write_text(
        hooked.config.read_text()
        + '[[notify]]\nname = "c"\ncommand = ["/bin/sh", "-c", "cat >&2; exit 3"]\nevents = ["back"]\n'
    )
    done = hooked.sttd("notify", "test")
    assert done.returncode == 1
    lines = sorted(done.stdout.splitlines())
    assert lines[0].startswith('c (command /bin/sh): failed: exit code 3; it said: {"type": "test"')
    assert lines[1].startswith("hook (webhook http://127.0.0.1")
    assert "was told in" in lines[1]
    assert hook.bodies()[0]["type"] == "test"
    assert hooked.sttd("notify", "test", "hook").returncode == 0
    missing = hooked.sttd("notify", "test", "nobody")
    assert (missing.returncode, missing.stderr) == (
        2,
        "sttd: there is no receiver nobody: the configuration has hook, c\n",
    )


def test_ctrl_c_ends_the_commands_of_a_test(notifier, tmp_path):
    made = notifier(
        f'[[notify]]\nname = "c"\ncommand = ["/bin/sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 1000"]\n'
    )
    process = subprocess.Popen(made.command("notify", "test"))
    number = wait_for(
        lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), "the command runs"
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert not psutil.pid_exists(int(number))


def test_ctrl_c_ends_a_command_that_has_only_just_begun(tmp_path, monkeypatch):
    """It came while the thread of the command was being started, and the command went on for as long as it liked."""
    start, pid = threading.Thread.start, tmp_path / "pid"

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        wait_for(lambda: pid.exists() and pid.read_text().strip(), "the command runs")
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    receiver = Receiver("c", command=("/bin/sh", "-c", f"echo $$ > {pid}; exec sleep 1000"), timeout=PATIENCE)
    with pytest.raises(KeyboardInterrupt):
        list(trial.trial([receiver], time.time()))
    assert not psutil.pid_exists(int(pid.read_text()))


def test_the_end_of_the_service_ends_a_command_which_is_run_again(notifier, world: World, tmp_path):
    script = f"echo $$ >> {tmp_path}/pids; exec sleep 1000"
    service = notifier(
        f'[[notify]]\nname = "slow"\ncommand = ["/bin/sh", "-c", "{script}"]\ntimeout = "1000s"\n'
    ).start()
    wait_for(lambda: world.record.place() is not None, "the first look")
    world.done(world.add())
    wait_for((tmp_path / "pids").exists, "it runs")
    assert service.stop(signal.SIGINT) == 130
    assert world.record.counts() == {"waiting": 1, "delivered": 0, "dropped": 0}
    service.start()
    wait_for(lambda: len((tmp_path / "pids").read_text().split()) == 2, "it runs again")
    service.stop()  # by the fixture's SIGKILL its command would go on


def test_it_needs_a_table_and_is_alone(hooked, notifier, world: World):
    bare = notifier("")
    done = bare.sttd("notify")
    assert (done.returncode, done.stderr) == (
        2, "sttd: there is no [[notify]] table in the configuration: write one for each who is to be told\n",
    )  # fmt: skip
    bare.config.write_text(bare.config.read_text() + '[[notify]]\nname = "c"\ncommand = ["/bin/true"]\n')
    bare.start()
    bare.wait_log("tells c (/bin/true)")
    second = bare.sttd("notify")
    assert (second.returncode, "another sttd holds the notifier's folder" in second.stderr) == (3, True)


def damage(path: Path, pid: int) -> None:
    """Make nonsense of the file of a notifier, which is to read it again: not from its memory, and not from the WAL.

    It stands still meanwhile. Another one's write makes it forget what it has in memory.
    """
    notifier = psutil.Process(pid)
    with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as db:
        is_read = True
        while is_read:  # it may stand still in the middle of its reading, which keeps the WAL
            notifier.resume()
            db.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT OR REPLACE INTO facts VALUES ('test', ?)", (str(time.time()),))
            notifier.suspend()
            wait_for(lambda: notifier.status() == psutil.STATUS_STOPPED, "the notifier stands still")
            db.execute("COMMIT")
            db.execute("PRAGMA busy_timeout = 100")
            is_read = bool(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
    with path.open("r+b") as file:
        file.write(b"nonsense" * (path.stat().st_size // 8))
    notifier.resume()


def test_a_file_that_is_damaged_while_it_runs_is_set_aside_by_the_next_start(hooked, hook, world: World):
    """Until it were opened anew nothing would be told any more."""
    hooked.start()
    wait_for(lambda: world.record.place() is not None, "the first look")
    damage(place.folder(world.state) / place.NAME, hooked.process.pid)
    world.done(world.add())
    hooked.wait_log("is damaged: the next start sets it aside")
    assert hooked.process.wait(PATIENCE) == 1
    hooked.start().wait_log("is damaged and set aside as")
    hooked.wait_log("tells")
    assert hooked.stop() == 0


def test_it_opens_the_ledger_while_the_daemon_is_away_and_when_it_comes_back(hooked, hook, world: World):
    """A ledger at rest has no WAL, and is read as it lies."""
    world.ledger.close()
    hooked.start()
    wait_for(lambda: world.record.place() is not None, "the first look")
    world.ledger = Ledger.open(world.state / "ledger.db")
    world.done(world.add())
    wait_for(lambda: hook.got, "it is told")
    world.ledger.close()
    world.ledger = Ledger.open(world.state / "ledger.db")
    world.fail(world.add())
    wait_for(lambda: len(hook.got) == 2, "it is told")


TABLE = '[[notify]]\nname = "r"\n'


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[[notify]]\nwebhook = "http://x"', "[[notify]]: has no name"),
        (TABLE, "[[notify]] r: has no address: write one of webhook, command and apprise"),
        (f'{TABLE}webhook = "http://x"\ncommand = ["/x"]', "r: has webhook and command: write one of"),
        (f'{TABLE}webhook = "ftp://u:geheim@x"', "webhook: must be an address such as"),
        (f'{TABLE}webhook = "http://geheim:99999"', "webhook: must be an address such as"),
        (f'{TABLE}webhook = "http://geheim..x"', "webhook: must be an address such as"),
        (f'{TABLE}webhook = "http://{"geheim" * 11}"', "webhook: must be an address such as"),
        (f'{TABLE}webhook = "http://x/\\ngeheim"', "webhook: must be an address such as"),
        (f'{TABLE}webhook = "http://x"', "secret_file: is missing: make one with `openssl rand -base64 32 > FILE`"),
        (f'{TABLE}webhook = "http://x"\nsecret_file = "a/b"', "secret_file: must be an absolute path, or the name"),
        (f'{TABLE}webhook = "http://x"\nsecret = "geheim"', "secret: there is no such key; did you mean secret_file?"),
        (f'{TABLE}command = "/x"', "command: must be a list such as"),
        (f'{TABLE}command = ["x"]', "command: must begin with the absolute path"),
        (f'{TABLE}command = ["/x"]\nsecret_file = "s"', "a command gets no secret from sttd"),
        (f'{TABLE}apprise = "geheim"', "apprise: must be an address as Apprise has them"),
        (f'{TABLE}apprise = "ntfy://x"\nsecret_file = "s"', "goes together with {secret} in the address"),
        (f'{TABLE}command = ["/x"]\nevents = ["done", "fail"]', "events: must be one of done, failed"),
        (f'{TABLE}command = ["/x"]\nfolders = "a"', "folders: must be a list of patterns"),
        (f'{TABLE}command = ["/x"]\nlanguages = ["xx"]', "languages: must be a language code"),
        (f'{TABLE}command = ["/x"]\n{TABLE}command = ["/x"]', "another table has that name"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused_without_what_it_keeps_secret(tmp_path, table, said):
    (tmp_path / "sttd.toml").write_text(table)
    with pytest.raises(ConfigError) as error:
        configfile.load(tmp_path / "sttd.toml", environ={})
    assert any(said in problem for problem in error.value.problems), error.value.problems
    assert "geheim" not in str(error.value)


def test_the_daemon_imports_nothing_of_it():
    code = "import sys, sttd.daemon, sttd.cli.app; print([n for n in sys.modules if n.startswith(('sttd.notify', 'apprise', 'http.'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "[]\n"

"""From nothing to a transcript, and what people of the group and others may do."""

from __future__ import annotations

import re

from tests import speech

THAI = "บันทึกเสียง.flac"


def test_a_member_of_the_group_drops_a_file_and_reads_its_transcript(service):
    """Installed by the README's words; alice has no other right than her group's.

    A subfolder that she makes with the umask 077 is filed away too: the inbox's default ACL opens it to the group.
    """
    box = service.box
    box.as_user("alice", "sh", "-c", "umask 077; mkdir -p /srv/sttd/inbox/a/b")
    service.start()
    service.drop(speech.SAMPLES / "thai.flac", THAI)
    service.drop(speech.SAMPLES / "english.flac", "a/b/talk.flac")
    assert service.wait_job("done", source=THAI).language == "th"
    service.wait_job("done", source="a/b/talk.flac")
    assert speech.says(service.text("บันทึกเสียง.th.txt"), "thai")
    assert speech.says(service.text("a/b/talk.en.txt"), "english")
    found = box.as_user("alice", "sh", "-c", "cd /srv/sttd; find inbox archive -name '*.flac'")
    assert sorted(found.stdout.split()) == ["archive/a/b/talk.flac", f"archive/{THAI}"]
    assert service.sttd("status")["daemon"]["pid"] == service.pid


def test_nobody_else_may_drop_read_or_ask(service):
    service.start()
    box = service.box
    for command in ("ls /srv/sttd/inbox", "touch /srv/sttd/inbox/x.flac", "ls /srv/sttd/transcripts", "ls /var/lib/sttd", "sttd status",
                    "sttd jobs", "sttd retry --failed"):  # fmt: skip
        done = box.as_user("bob", "sh", "-c", command)
        assert done.returncode != 0, command
    assert "join the group sttd" in done.stderr


def test_members_ask_for_what_the_daemon_does(service):
    """`pause` and `cancel`, which write to the ledger, while the daemon runs and while it does not."""
    service.start()
    box = service.box
    assert box.as_user("alice", "sttd", "pause").returncode == 0
    service.wait_log("paused")
    service.drop(speech.SAMPLES / "english.flac", "talk.flac")
    service.wait_job("queued")
    service.stop()
    assert box.as_user("alice", "sttd", "cancel", "1").returncode == 0
    service.start()
    service.wait_job("cancelled")


def test_daemon_and_workers_have_no_capability_and_see_nothing_of_others(service):
    """No capability in any set, no home folders, no shadow file, no file of another user, no other process; and nothing that
    lies where the service may write can be run."""
    box = service.box
    box.write("/var/lib/private-of-bob/secret", "x")
    box.do("chown", "-R", "bob:bob", "/var/lib/private-of-bob")
    box.do("chmod", "-R", "go=", "/var/lib/private-of-bob")
    service.configure({"log": 'level = "DEBUG"'})
    service.start()
    service.drop(speech.SAMPLES / "english.flac", "talk.flac")
    service.wait_job("done")
    pids = [service.pid, *service.workers()]
    assert len(pids) == 2
    for pid in pids:
        status = box.path(f"/proc/{pid}/status").read_text()
        assert re.findall(r"^Cap(\w+):\t(\w+)", status, re.MULTILINE) == [
            (name, "0" * 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")
        ]
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        for path in ("/home/alice", "/root", "/etc/shadow", "/var/lib/private-of-bob/secret", "/proc/1/status"):
            done = box.run("nsenter", f"--target={pid}", "--mount", "setpriv", "--reuid=sttd", "--regid=sttd",
                           "--clear-groups", "sh", "-c", f"ls {path}/* || cat {path}")  # fmt: skip
            assert done.returncode != 0, path
        interfaces = box.do("nsenter", f"--target={pid}", "--net", "cat", "/proc/net/dev")
        assert re.findall(r"^\s*(\w+):", interfaces, re.MULTILINE) == ["lo"]
    service.wait_log(r"confined by Landlock|not confined: (Function not implemented|Operation not supported)")
    for folder in (f"{service.root}/archive", service.state, "/tmp", "/dev/shm"):
        words = ("nsenter", f"--target={service.pid}", "--mount", "sh", "-c")
        done = box.run(
            *words, f"cp /bin/true {folder}/program && {folder}/program; code=$?; rm -f {folder}/program; exit $code"
        )
        assert (done.returncode, "Permission denied" in done.stderr) == (126, True), (folder, done.stderr)


def test_systemd_finds_nothing_to_blame_in_what_is_installed(installed):
    """`systemd-analyze verify` says nothing, and the exposure is at most 0.7."""
    done = installed.run(
        "systemd-analyze",
        "verify",
        "--man=no",
        "sttd.service",
        "sttd@x.service",
        "sttd-models.service",
        "sttd-notify.service",
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    found = re.search(
        r"exposure level for sttd.service: (\d+\.\d)", installed.run("systemd-analyze", "security", "sttd").stdout
    )
    assert found
    print(f"exposure {found[1]}")
    assert float(found[1]) <= 0.7

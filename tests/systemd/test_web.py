"""The service of `sttd web`: a user of its own, in the group."""

from __future__ import annotations

import http.client
import json
import re

import pytest

from tests.harness import PATIENCE, wait_for
from tests.web import NO_WEB

pytest.importorskip("starlette", reason=NO_WEB)


def test_the_page_reads_the_ledger_and_can_write_into_inbox_and_requests_alone(service):
    """Not even root could write elsewhere from within it."""
    box = service.box
    service.configure({"web": 'listen = "127.0.0.1:0"'})
    service.start()
    box.do("systemctl", "start", "sttd-web")
    port = wait_for(lambda: re.findall(r"http://127\.0\.0\.1:(\d+)", box.log("sttd-web")), "it says where it listens")[
        -1
    ]
    token = box.path("/var/lib/sttd-web/token").read_text().strip()
    answers = []
    for path in ("/healthz", "/metrics"):
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answers.append(connection.getresponse().read().decode())
        connection.close()
    assert json.loads(answers[0])["status"] == "ok"
    assert "\nsttd_daemon_running 1.0\n" in answers[1]
    assert "\nsttd_ledger_readable 1.0\n" in answers[1]
    pid = box.show("sttd-web", "MainPID")
    status = box.path(f"/proc/{pid}/status").read_text()
    assert set(re.findall(r"^Cap\w+:\t(\w+)", status, re.MULTILINE)) == {"0" * 16}
    writable = []
    for folder in ("/srv/sttd", "/srv/sttd/inbox", "/srv/sttd/transcripts", "/srv/sttd/archive", "/var/lib/sttd",
                   "/var/lib/sttd/requests", "/var/lib/sttd-web", "/etc", "/usr", "/var/lib"):  # fmt: skip
        file = f"{folder}/.test"
        if box.run("nsenter", f"--target={pid}", "--mount", "sh", "-c", f"touch {file} && rm {file}").returncode == 0:
            writable.append(folder)
    assert writable == ["/srv/sttd/inbox", "/var/lib/sttd/requests", "/var/lib/sttd-web"]
    dropped = ("setpriv", "--reuid=sttd-web", "--regid=sttd-web", "--init-groups", "sh", "-c")
    for folder, code in (("/srv/sttd/inbox", 0), ("/srv/sttd/transcripts", 1), ("/var/lib/sttd", 1)):
        done = box.run("nsenter", f"--target={pid}", "--mount", *dropped, f"touch {folder}/.test && rm {folder}/.test")
        assert done.returncode == code, (folder, done.stderr)
    box.do("systemctl", "stop", "sttd-web")
    assert box.show("sttd-web", "Result") == "success"

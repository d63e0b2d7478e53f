"""The service of `sttd notify`: a user of its own, and a sandbox that is also that of the commands which it runs."""

from __future__ import annotations

import json

from tests import speech
from tests.harness import wait_for

OWN = "/var/lib/sttd-notify"
COMMAND = f"""#!/bin/sh
cat > {OWN}/body
id -un > {OWN}/tried
for path in /srv/sttd/transcripts/talk.en.txt /srv/sttd/archive/talk.flac /etc/shadow /proc/1/status; do
    cat $path > /dev/null 2>&1 && echo read $path >> {OWN}/tried
done
ls /srv/sttd/inbox > /dev/null 2>&1 && echo read inbox >> {OWN}/tried
for path in /srv/sttd/transcripts /srv/sttd/inbox /var/lib/sttd /var/lib/sttd/requests /etc /usr; do
    touch $path/.test 2> /dev/null && echo written $path >> {OWN}/tried
done
cp /bin/true {OWN}/program && {OWN}/program && echo run >> {OWN}/tried
rm {OWN}/program
mv {OWN}/tried {OWN}/told
"""


def test_a_command_reads_transcripts_and_can_change_nothing(service):
    """It hears of a recording that is done, and `sttd show` says so to the group."""
    box = service.box
    box.write("/opt/tell", COMMAND)
    box.do("chmod", "755", "/opt/tell")
    table = '\n[[notify]]\nname = "tells"\ncommand = ["/opt/tell"]\nevents = ["done"]\n'
    box.write(service.config, box.path(service.config).read_text() + table)
    service.start()
    box.do("systemctl", "start", "sttd-notify")
    pid = box.show("sttd-notify", "MainPID")
    wait_for(lambda: "0 waiting" in box.show("sttd-notify", "StatusText"), "the first look")
    service.drop(speech.SAMPLES / "english.flac", "talk.flac")
    wait_for(box.path(f"{OWN}/told").exists, "the command has run")
    assert box.path(f"{OWN}/told").read_text().splitlines() == ["sttd-notify", "read /srv/sttd/transcripts/talk.en.txt"]
    body = json.loads(box.path(f"{OWN}/body").read_text())
    assert (body["type"], body["data"]["source"]) == ("done", "talk.flac")

    def delivered() -> bool:
        (told,) = service.sttd("show", "1")["notices"]
        return told["state"] == "delivered"

    wait_for(delivered, "it is noted")
    assert box.show("sttd-notify", "MainPID") == pid
    box.do("systemctl", "stop", "sttd-notify")
    assert box.show("sttd-notify", "Result") == "success"

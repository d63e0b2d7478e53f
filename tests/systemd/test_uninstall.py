"""What an uninstallation leaves, and what installing again finds."""

from __future__ import annotations

import pytest

from sttd.install import items

PLACES = "/etc /usr/local /usr/lib/systemd /usr/lib/sysusers.d /usr/lib/tmpfiles.d /srv /var/lib/sttd* /opt"


def tree(box) -> set[str]:
    """Every file and folder that an installation could have to do with."""
    found = box.do("sh", "-c", f"find {PLACES} -not -path '*/__pycache__*'")
    return set(found.splitlines())


@pytest.mark.ci
def test_it_leaves_the_data_and_nothing_else_and_installing_again_finds_it(service):
    """Also with an instance, both drop-ins, and a configuration that a person has changed."""
    box = service.box
    box.do("/opt/sttd/bin/sttd", "install", "--uninstall")
    box.do("systemctl", "daemon-reload")
    box.run("rm", "-rf", "/etc/sttd", "/srv/sttd-office", "/var/lib/sttd-office")
    before = tree(box)
    first = box.do(
        "/opt/sttd/bin/sttd", "install", "--drop-in", "gpu", "--drop-in", "inbox-mount", "--instance", "office"
    )
    installed = {line.split()[1] for line in first.splitlines() if line.startswith("created")}
    assert {str(items.SYSTEM / unit) for unit in items.UNITS} < installed
    assert installed <= tree(box)
    box.do("systemctl", "enable", "sttd", "sttd@office")
    again = box.do("/opt/sttd/bin/sttd", "install")
    assert "created" not in again
    assert "replaced" not in again
    service.configure()
    box.path("/srv/sttd-office/inbox/talk.flac").write_bytes(b"x")
    service.start()
    last = box.do("sttd", "install", "--uninstall")
    assert "the user sttd" in last
    left = tree(box) - before
    assert [path for path in left if not path.startswith(("/etc/sttd", "/srv/sttd", "/var/lib/sttd"))] == []
    assert "/etc/sttd/sttd.toml" in left
    assert "/etc/sttd/office.toml" not in left  # nobody had changed it
    assert "/srv/sttd-office/inbox/talk.flac" in left
    assert service.show("LoadState") == "not-found"
    assert before <= tree(box)
    box.do("/opt/sttd/bin/sttd", "install", "--instance", "office")
    assert "model" in box.path("/etc/sttd/sttd.toml").read_text()
    assert box.path("/srv/sttd-office/inbox/talk.flac").read_bytes() == b"x"
    service.start()
    assert service.sttd("status")["daemon"]["running"]

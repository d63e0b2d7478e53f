"""The folders at the start: what is refused for good, and what is waited for."""

from __future__ import annotations

import errno
import functools
import os
import time

import pytest

from sttd import outbox
from sttd.configfile import load
from sttd.daemon import folders
from sttd.errors import NotConfigured, SttdError
from sttd.fs.patience import answers
from sttd.job import State
from sttd.outbox.places import MARK
from tests.harness import PATIENCE
from tests.properties.stations import Stations


@pytest.fixture
def config(tmp_path, monkeypatch):
    # a busy machine may need longer than the start waits for a folder
    monkeypatch.setattr(folders, "answers", functools.partial(answers, patience=PATIENCE))
    return load(None, root=tmp_path, sets=["model.name=demo"], environ={})


def failing(monkeypatch, name, number):
    """Looking at the folder `name` fails with an error of the system."""
    real = outbox.make_folder

    def make(folder):
        if folder.endswith(f"/{name}"):
            raise OSError(number, os.strerror(number))
        real(folder)

    monkeypatch.setattr(outbox, "make_folder", make)


def test_what_is_missing_is_made_but_the_inbox(config):
    """Its own thread makes it: it may lie on a share that hangs."""
    assert folders.make(config) == [], "each of them answers"
    paths = config.paths
    assert all(path.is_dir() for path in (paths.state, paths.transcripts, paths.archive, paths.failed))
    assert not paths.inbox.exists()


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENOSPC])
@pytest.mark.parametrize("name", ["transcripts", "archive", "failed"])
def test_a_share_that_is_dead_and_a_disk_that_is_full_are_logged_and_waited_for(config, monkeypatch, log, name, number):
    failing(monkeypatch, name, number)
    folders.make(config)
    (line,) = log
    assert name in line
    assert os.strerror(number) in line


def test_without_a_state_folder_the_daemon_ends_so_that_it_is_started_again(config, monkeypatch):
    """systemd tries again after exit code 1, and never after 6."""
    failing(monkeypatch, "state", errno.ENOSPC)
    with pytest.raises(SttdError, match="without it there is no ledger") as caught:
        folders.make(config)
    assert caught.value.exit_code == 1


def test_a_share_that_hangs_does_not_hang_the_start(config, monkeypatch, log):
    real = outbox.make_folder
    monkeypatch.setattr(outbox, "make_folder", lambda folder: time.sleep(60) if "archive" in folder else real(folder))
    monkeypatch.setattr(folders, "answers", functools.partial(answers, patience=1.0))
    assert folders.make(config) == [str(config.paths.archive)], "the loop must not touch it either"
    (line,) = log
    assert "does not answer" in line


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("name", ["state", "archive"])
def test_a_folder_that_the_unit_closes_is_told_with_the_drop_in_that_opens_it(config, monkeypatch, name, number):
    """The folder may be fine: `mount it writable` and `create it` help nobody then."""
    failing(monkeypatch, name, number)
    monkeypatch.setattr(folders.sandbox, "closed", lambda path: f"the unit closes {path}: a drop-in opens it")
    with pytest.raises(NotConfigured, match=f"{name}: .*the unit closes .*/{name}: a drop-in opens it") as caught:
        folders.make(config)
    assert "create it" not in str(caught.value)


@pytest.mark.parametrize("name", ["state", "archive"])
def test_a_folder_that_cannot_be_made_is_a_mistake_in_the_configuration(config, name):
    config.paths.root.joinpath(name).touch()
    with pytest.raises(NotConfigured, match=f"{name}: .*cannot be created.*set another folder"):
        folders.make(config)


def test_a_mark_that_a_mirror_removed_while_no_daemon_ran_is_written_again(tmp_path):
    """The folder is known by its numbers, as the ledger has them from the run before."""
    daemon = Stations(tmp_path, "archive")
    (daemon.config.paths.inbox / "a.wav").write_text("a")
    for _ in range(4):
        daemon.go_on()
    (tmp_path / "archive" / MARK).unlink()
    daemon.crash(halfway=False)
    (daemon.config.paths.inbox / "b.wav").write_text("bb")
    for _ in range(4):
        daemon.go_on()
    assert {job.state for job in daemon.context.ledger.jobs()} == {State.DONE}
    assert (tmp_path / "archive" / MARK).exists()
    daemon.context.ledger.close()

"""Whose fault an error is: asked of real file systems where they can be made to fail, and of the table for the rest."""

from __future__ import annotations

import errno
import os

import pytest

from sttd.fs.blame import Blame, blame

MACHINE = (
    "ENOSPC EDQUOT EROFS EIO ESTALE ENOTCONN ETIMEDOUT EHOSTDOWN ENODEV ENXIO EMFILE ENFILE ENOMEM EAGAIN ENETUNREACH"
)


def failed(step) -> OSError:
    with pytest.raises(OSError) as caught:
        step()
    return caught.value


@pytest.mark.parametrize("name", MACHINE.split())
def test_what_every_job_would_meet_is_the_machines_fault(name):
    assert blame(OSError(getattr(errno, name), "")) is Blame.MACHINE


def test_what_another_name_would_mend_is_the_names_fault(tmp_path):
    """Too long, a file where a folder is asked for, a folder where a file is, a loop of links; and what exFAT says to `:`."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    steps = [
        (tmp_path / ("x" * 256)).touch,
        (tmp_path / "file" / "below").touch,
        lambda: os.open(tmp_path, os.O_WRONLY),
        lambda: os.open(tmp_path / "loop", os.O_RDONLY),
        (tmp_path / "file").mkdir,
    ]
    assert {blame(failed(step)) for step in steps} == {Blame.NAME}
    assert blame(OSError(errno.EINVAL, "")) is blame(OSError(errno.EILSEQ, "")) is Blame.NAME


def test_what_concerns_one_file_is_that_files_fault():
    """Denied, sticky or immutable, a mount point, an executable that runs; and an error that nobody has met yet."""
    numbers = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.ETXTBSY, errno.EFBIG, errno.ENOENT, 4242, None)
    assert {blame(OSError(number, "") if number else OSError("no number")) for number in numbers} == {Blame.FILE}

"""Who may read the ledger can lock it, too; the words say who does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sttd.errors import LedgerError
from sttd.job import Identity
from sttd.ledger import Ledger, holders
from tests.memory import tmp_path

__all__ = ["tmp_path"]

HOLDER = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDONLY)
fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, int(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""
WRITER = 120  # the byte of the index that a writer locks


def hold(path, byte: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, f"{path}-shm", str(byte)]
    held = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    return held


def test_a_process_that_keeps_the_daemon_from_writing_is_named(tmp_path):
    """A member of the group has no more rights than that: the file is opened to be read alone."""
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(path)
    ledger._db.execute("PRAGMA busy_timeout = 1")
    with hold(path, WRITER) as holder:
        with pytest.raises(LedgerError) as told:
            ledger.add("a.mp3", Identity(1, 1), 1.0)
        assert f"is locked by process {holder.pid}: end it (kill {holder.pid})" in str(told.value)
        assert "disk full" not in str(told.value)
        holder.kill()
    ledger.add("a.mp3", Identity(1, 1), 1.0)
    ledger.close()


@pytest.mark.parametrize(("byte", "is_told"), [(119, False), (120, True), (122, True), (123, False)])
def test_readers_are_no_holders(tmp_path, byte, is_told):
    """They lock other bytes, and so does this process."""
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(path)
    with hold(path, byte) as holder:
        assert holders.of(path) == ([holder.pid] if is_told else [])
        holder.kill()
    ledger.close()


@pytest.mark.parametrize(
    "table", ["", "1: POSIX  ADVISORY  READ\n", "1: -> POSIX  ADVISORY  WRITE 5 00:00:1 120 120\n", None]
)
def test_a_table_that_tells_nothing_leaves_the_words_general(tmp_path, table):
    path, locks = tmp_path / "ledger.db", tmp_path / "locks"
    (tmp_path / "ledger.db-shm").touch()
    if table is not None:
        locks.write_text(table)
    assert holders.of(path, locks) == []
    assert "lslocks" in holders.in_words(path)


def test_a_lock_of_the_whole_file_counts_and_so_does_one_of_nobody_known(tmp_path):
    """`-1`: of an open file and not of a process; such a lock has no process to be ended."""
    path, locks = tmp_path / "ledger.db", tmp_path / "locks"
    index = tmp_path / "ledger.db-shm"
    index.touch()
    about = index.stat()
    place = f"00:4c:{about.st_ino}"  # as on btrfs and overlayfs: stat(2) has another device
    lines = [
        f"{number}: POSIX  ADVISORY  WRITE {pid} {place} 0 EOF" for number, pid in enumerate((77, -1, os.getpid()))
    ]
    locks.write_text("\n".join(lines))
    assert holders.of(path, locks) == [77]

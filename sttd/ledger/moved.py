"""Where sources lie if their folders were moved or copied since the ledger noted them: `cp -r`, a restored backup."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Sequence
from typing import Any

from sttd.config import Paths
from sttd.inboxes import depth, join, split
from sttd.job import Job

_BETWEEN = "source >= ? AND source < ?"
Which = tuple[str, tuple[bytes, ...]]  # a condition of SQL, and its values


def location(job: Job, paths: Paths) -> str | None:
    """Where the source of a job lies, if not in the inbox (`Job.location`).

    A location outside today's `archive/` and `failed/` was noted when these lay elsewhere. If one of today's has a file of
    the same size at the same place, that is the source: the old folders may belong to another sttd by now. The row is not
    changed; a copy may have other times, and the next attempt takes the file as it is now.
    """
    noted = job.location
    folders = [os.fspath(paths.archive), os.fspath(paths.failed)]
    if not noted or any(noted.startswith(f"{folder}/") for folder in folders):
        return noted
    place = noted.split("/")[-1 - depth(job.source) :]  # it was filed below the folders that it had in the inbox
    for folder in folders:
        found = "/".join([folder, *place])
        with contextlib.suppress(OSError):
            seen = os.lstat(found)
            if stat.S_ISREG(seen.st_mode) and seen.st_size == job.size:
                return found
    return noted


def relocated(job: Job, place: str, **promised: str) -> dict[str, Any]:
    """The changes for a job whose source now lies at `place`.

    A plan for its files (`outbox.Plan`, once its results are staged) names the place too, and gets the values in `promised`.
    """
    if job.plan is None or "location" not in job.plan:
        return {"location": place}
    return {"location": place, "plan": job.plan | {"location": place} | promised}


def leave(db: sqlite3.Connection, inbox: str, path: str, *, all_jobs: bool) -> list[tuple[int]]:
    """For a folder that is no longer an inbox: store the whole path of each job's file. Returns the jobs' numbers.

    Args:
        db: the ledger.
        inbox: its name.
        path: where it lies.
        all_jobs: also those that have ended, and whose files were left there. Else only those that wait.
    """
    which = "plan IS NULL AND state <> 'committing'" if all_jobs else "state = 'queued'"
    found = db.execute(f"SELECT id, source FROM jobs WHERE {which} AND location IS NULL AND typeof(source) = 'blob'")
    start = os.fsencode(path) + b"/"
    named = [(job, *split(os.fsdecode(source))) for job, source in found]
    left = [(start + os.fsencode(below), job) for job, name, below in named if name == inbox]
    db.executemany("UPDATE jobs SET location = ? WHERE id = ?", left)
    return [(job,) for _, job in left]


def come_home(db: sqlite3.Connection, inbox: str, path: str) -> list[tuple[int]]:
    """For a folder that is an inbox again: name its jobs' files relative to it. Returns the jobs' numbers.

    Jobs with a plan are included, because the inbox finds their files at once; the plan keeps its own path of the file.
    """
    start = os.fsencode(path) + b"/"
    inside = "location >= ? AND location < ? AND redo_of IS NULL AND typeof(source) = 'blob'"
    rows = db.execute(f"SELECT id, source, location FROM jobs WHERE {inside}", (start, start[:-1] + b"0"))
    named = [(job, split(os.fsdecode(source))[1], location) for job, source, location in rows.fetchall()]
    there = [(job, below) for job, below, location in named if location == start + os.fsencode(below)]
    sources = [(os.fsencode(join(inbox, below)), job) for job, below in there]
    db.executemany("UPDATE jobs SET location = NULL, source = ? WHERE id = ?", sources)
    home = [(job,) for job, _ in there]
    anew = "UPDATE jobs SET not_before = 0, error = NULL, cause = NULL WHERE id = ? AND state = 'queued'"
    db.executemany(anew, home)
    return home


def outside(folder: str) -> Which:
    """The jobs whose files lie in a folder that was an inbox."""
    start = os.fsencode(folder) + b"/"
    return "location >= ? AND location < ? AND redo_of IS NULL", (start, start[:-1] + b"0")


def inside(inbox: str, folder: str = "", apart: Sequence[str] = ()) -> Which:
    """The jobs whose files lie in the inbox of this name, or in `folder` below it, except in the folders `apart`."""
    here, ends = ["location IS NULL AND typeof(source) = 'blob'"], list[bytes]()
    if not inbox:
        here.append("instr(source, x'2f2f') = 0")
    if inbox or folder:
        here.append(_BETWEEN)
        ends += _span(join(inbox, f"{folder}/" if folder else ""))
    for each in apart:
        here.append(f"NOT ({_BETWEEN})")
        ends += _span(join(inbox, f"{each}/"))
    return " AND ".join(here), tuple(ends)


def _span(folder: str) -> tuple[bytes, bytes]:
    """The bounds between which sources sort that begin with `folder`, whose last character is a slash."""
    start = os.fsencode(folder)
    return start, start[:-1] + b"0"

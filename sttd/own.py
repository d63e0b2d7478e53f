"""Beginnings and parts of the names of files that sttd itself puts into an inbox. Such a file is never a job."""

from __future__ import annotations

OWN = ".sttd"  # the beginning of them all
LOCK = f"{OWN}.lock"  # in the inbox, always there while a daemon runs; it holds the inbox's mark
AWAY = ".filing."  # in the name of a source that is on its way out; see outbox.names.private
UPLOAD = f"{OWN}-upload-"  # the beginning of a file in the inbox that `sttd web` is receiving

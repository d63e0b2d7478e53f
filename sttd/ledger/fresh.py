"""What starting a job anew means for its row: nothing of an earlier version of the file may stay."""

from __future__ import annotations

from typing import Any

from sttd.job import Identity


def fresh(identity: Identity) -> dict[str, Any]:
    """The changes that reset a job to the file as it is now."""
    return {
        "size": identity.size,
        "mtime_ns": identity.mtime_ns,
        "owner": identity.owner,
        "chunks": 0,
        "progress": 0.0,
        "audio_seconds": None,
        "language": None,
        "language_probability": None,
        "warnings": (),
        "sha256": None,
        "options_key": None,
        "copy_of": None,
        "no_copy": False,
        "plan": None,
        "shared": None,
        "error": None,
        "cause": None,
        "not_before": 0.0,
    }

"""Sections about the daemon: its folders, its workers, and what it may use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from sttd.config.key import SHORTEST, key

LEAST_PART = 10.0  # seconds: less would be more borders than text


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things lie. Each one that is empty is a folder of `root`."""

    root: Path = key(Path("/srv/sttd"), "The folder that holds all others.", "path")
    inbox: Path = key(Path(), "Drop recordings here. Empty: ROOT/inbox.", "path")
    transcripts: Path = key(Path(), "Results appear here. Empty: ROOT/transcripts.", "path")
    archive: Path = key(Path(), "Transcribed sources go here. Empty: ROOT/archive.", "path")
    failed: Path = key(Path(), "Sources that could not be transcribed go here. Empty: ROOT/failed.", "path")
    state: Path = key(
        Path(), "Ledger and checkpoints; on a local disk. Empty: $STATE_DIRECTORY, else ROOT/state.", "path"
    )


@dataclass(frozen=True, slots=True)
class Watch:
    settle: float = key(5.0, "A file is taken when its size and time have not changed for this long.", "duration")
    settle_closed: float = key(
        0.5, "The same, if its writer is known to have closed the file or renamed it in.", "duration"
    )
    patience: float = key(
        900.0,
        "A file that is being written is taken when nothing more was heard of its writer for this long.",
        "duration",
    )
    rescan_interval: float = key(
        60.0, "How often the whole inbox is scanned, for files that no event reported.", "duration", least=SHORTEST
    )
    polling: bool = key(
        False, "For file systems without events (NFS, SMB): poll them instead; settle is then 60 s.", "bool"
    )
    suffixes: tuple[str, ...] = key(
        tuple(
            "3g2 3ga 3gp aac ac3 aif aifc aiff alaw amr ape asf au avi awb bwf caf divx dss dts eac3 ec3 f4v flac flv "
            "gsm m1a m2p m2t m2ts m4a m4b m4r m4v mka mkv mod mov mp1 mp2 mp3 mp4 mpeg mpg mpga mts mxf oga ogg ogv "
            "ogx opus qt qta rm sln snd spx ts tta ulaw vob voc w64 wav wave weba webm wma wmv wv".split()
        ),
        "Suffixes of recordings; files with others are left where they are, named in the log and counted by `sttd status`.",
        "list",
    )
    dedupe: bool = key(True, "A file with the same content as a finished one gets a copy of its result.", "bool")


NONE = -1  # of `pool.workers`, where 0 is written: inside that stands for auto


@dataclass(frozen=True, slots=True)
class Pool:
    backend: str = key(
        "local",
        "local: the workers of this machine, and those of [[pool.remote]] tables. ray: those of a Ray cluster too, see [pool.ray].",
        "choice",
        choices=("local", "ray"),
    )
    workers: int = key(
        0,
        "Worker processes of this machine. auto: one per GPU, else by cores and memory. Many short clips: one a core. 0: none, "
        "where there are others: [[pool.remote]] tables, or Ray.",
        "auto",
        least=0,
        most=256,
    )
    job_timeout: float = key(
        1800.0,
        "How long one worker may spend on one job before it is killed; the job resumes.",
        "duration",
        positive=True,
        endless=True,
    )
    split_after: float = key(
        1200.0,
        "A longer recording is shared out in parts, so that several workers have it at once when nothing else waits.",
        "duration",
        least=LEAST_PART,
        endless=True,
        never=True,
    )
    part_length: float = key(600.0, "The audio of one part of such a recording, about.", "duration", least=LEAST_PART)
    sweep_interval: float = key(60.0, "How often workers over job_timeout are looked for.", "duration", least=SHORTEST)
    kill_grace: float = key(10.0, "The time between SIGTERM and SIGKILL.", "duration")
    stop_grace: float = key(
        30.0, "How long running jobs may take to reach a checkpoint when the daemon stops.", "duration"
    )
    attempts: int = key(3, "Failed attempts after which a job goes to failed/.", "int", least=1, most=100)
    retry_waits: tuple[float, ...] = key(
        (30.0, 120.0, 600.0), "Waits before the second, third, ... attempt; the last one repeats.", "durations"
    )
    machine_wait: float = key(
        30.0,
        "Wait before the next try after a fault of the machine (no model, disk full).",
        "duration",
        least=SHORTEST,
    )
    jobs_per_worker: int = key(100, "A worker is replaced after this many jobs.", "int", least=1)
    idle_ttl: float = key(
        600.0, "An idle worker ends after this long and gives its memory back.", "duration", endless=True
    )
    remote_timeout: float = key(
        30.0,
        "A worker on another machine that is silent for this long is lost; its job resumes.",
        "duration",
        least=3.0,
    )
    when_unreachable: str = key(
        "local",
        "Without workers of this machine, while no other one answers: local (its own stand in, as many as auto) or wait.",
        "choice",
        choices=("local", "wait"),
    )


@dataclass(frozen=True, slots=True)
class Memory:
    cleanup_every_chunks: int = key(50, "Chunks between two clean-ups in a worker.", "int", least=1)
    cleanup_cooldown: float = key(60.0, "The least time between two clean-ups.", "duration")
    check_cooldown: float = key(
        30.0, "The least time between two readings of the memory figures.", "duration", least=SHORTEST
    )
    log_interval: float = key(600.0, "How often memory figures go to the journal.", "duration", least=SHORTEST)
    moderate: float = key(80.0, "Clean up at the next chunk above this.", "percent")
    high: float = key(90.0, "No further job starts above this while one runs.", "percent")
    critical: float = key(95.0, "The largest worker stops at its next checkpoint above this.", "percent")


@dataclass(frozen=True, slots=True)
class Retention:
    """What is removed by age and size: nothing, unless it is said here. Never what a job that waits or runs needs."""

    archive_age: float = key(math.inf, "Transcribed sources are removed after this long.", "duration", endless=True)
    archive_size: float = key(
        math.inf, 'The oldest are removed if all of them take more than this, such as "200G".', "size"
    )
    failed_age: float = key(
        math.inf, "Sources that could not be transcribed are removed after this.", "duration", endless=True
    )
    failed_size: float = key(math.inf, "The oldest are removed if all of them take more than this.", "size")
    ledger_age: float = key(
        math.inf,
        "Jobs are forgotten this long after their end, with their names in the state folder; transcripts stay.",
        "duration",
        endless=True,
    )


@dataclass(frozen=True, slots=True)
class Limits:
    max_gap: float = key(3600.0, "A longer hole in a recording is taken for a broken time stamp.", "duration")
    max_audio: float = key(172800.0, "A longer recording ends in failed/.", "duration", positive=True)


@dataclass(frozen=True, slots=True)
class Log:
    level: str = key("INFO", "DEBUG, INFO, WARNING or ERROR.", "choice", choices=("DEBUG", "INFO", "WARNING", "ERROR"))

"""What the daemon's sentences mean, by kind: said in the language of the page, above the sentence itself, which is English.

The daemon writes some two hundred sentences, with names, figures and what the system said in them. They go to the log and to
programs, and stay as they are. A reader needs to know what happened and what to do; for that a few dozen kinds are enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sttd.inbox.rules import Why
from sttd.job import Job
from sttd.part import Cause
from sttd.text import sentence


class Said(NamedTuple):
    """A sentence of the daemon's."""

    text: str  # one harmless line
    meaning: str = ""  # what it means, in English; "": it has to speak for itself


# why an attempt ended, or why a job waits or has failed
CAUSES = {
    Cause.SLICE: "Its turn was over. It goes on where it stopped.",
    Cause.ASKED: "It was asked to stop. It goes on where it stopped.",
    Cause.TIMEOUT: "It took too long, and was ended.",
    Cause.CANCELLED: "Somebody cancelled it.",
    Cause.SHUTDOWN: "sttd was ended. It goes on where it stopped.",
    Cause.MEMORY: "It stopped because memory was short. It goes on where it stopped.",
    Cause.CRASH: "The worker ended by itself.",
    Cause.LINE: "The connection to the machine that transcribed it broke. Look at the network and that machine.",
    Cause.OOM: "Memory was used up. Take a smaller model or fewer workers, or add memory.",
    Cause.NO_MODEL: "No model can be loaded. Download it, or choose another one.",
    Cause.CONFIGURATION: "The settings ask for what the model or this machine cannot do. Put them right.",
    Cause.MACHINE: "Something is wrong with the machine. Once that is put right, it goes on by itself.",
    Cause.GPU_MEMORY: "The memory of the GPU was used up. Take a smaller model, or end other programs that use the GPU.",
    Cause.BAD_FILE: "This file cannot be transcribed. Check it, or convert it to another kind.",
    Cause.UNREADABLE: "The file cannot be read. Look at its permissions and at its disk; it is tried again.",
    Cause.CHANGED: "The file has changed. It starts anew with what is in it now.",
    Cause.GONE: "The file is gone: somebody removed or renamed it.",
    Cause.EXISTING: "It has subtitles already, so that nothing was to be done.",
    Cause.ERROR: "Something went wrong.",
}

_FULL = "A disk is full. Make room, and work goes on by itself."
_FORBIDDEN = "sttd is not allowed to read or write there. Put the permissions right."
_FAILING = "A disk or network drive has an error. Look at it."
_SYSTEM = (  # what the system says, wherever it is met
    (r"No space left on device|Disk quota exceeded|\bis full\b|has no room left", _FULL),
    (r"Permission denied|Operation not permitted|Read-only file system|may not be (read|written)", _FORBIDDEN),
    (r"Input/output error|Stale file handle|Structure needs cleaning", _FAILING),
    (r"Too many open files", "Too many files are open. It is tried again by itself."),
)

# what an error says more exactly than its cause; the first one counts
ERRORS = (
    (r"^the file is empty", "The file is empty. Copy it again."),
    (r"unfinished copy or download", "The file is not whole. Copy or download it again."),
    (r"no audio track|there is no sound in the file", "There is no sound in the file. Export it again with its sound."),
    (r"is protected by", "The file is protected against copying. Export it without protection."),
    (r"longer than limits\.max_audio", "The recording is too long. Split it, or raise limits.max_audio."),
    (r"this is no recording that can be read", "The file cannot be opened as a recording: damaged, not whole, or of another kind."),
    (r"coding that cannot be decoded|of the sound can be decoded", "The sound cannot be decoded. Convert it, to FLAC for example."),
    (r"does not know the language", "The model does not know the language that is set. Choose another model or language."),
    (r"^its results go to a disk that takes none", "The disk of its folder takes no files. Once that is put right, it goes on by itself."),
    (r"^no name for its results is accepted", "The folder accepts no file of that name. Rename the recording, and drop it again."),
    (r"^its checkpoint cannot be read", "What was transcribed so far cannot be read. Look at the disk; it is tried again."),
    *_SYSTEM,
)  # fmt: skip

# why the fallback model was taken
FALLBACKS = (
    (r"^load timed out", "It took too long to load."),
    (r"CUDA out of memory", CAUSES[Cause.GPU_MEMORY]),
    (r"not on this machine|get it with: ", "It is not on this machine. Download it."),
    (r"^load failed", "It could not be loaded."),
)

# what holds work up
ANYTHING = "Something holds work up."
TROUBLES = (
    (r"sign of life", "sttd hangs, or somebody has stopped it. Restart it."),
    (r"jobs in a row ended with the same error", "Several jobs in a row met the same error. No job starts until it is put right."),
    (r"^(the )?inbox\b.* away: ", "The inbox cannot be reached. Mount it again; what waits goes on waiting."),
    (r"^no worker can be reached", "No machine that transcribes can be reached. Look at the network and these machines."),
    *_SYSTEM,
    (r"^no model\b|^model '|loaded the model", CAUSES[Cause.NO_MODEL]),
    (r"wait until that is put right$", "The options of a folder are wrong. Its recordings wait until they are put right."),
    (r"^the options of folders cannot be looked at", "The options of folders cannot be read. It is tried again by itself."),
    (r"^(the )?ledger\b|database", "The list of jobs cannot be used. No job starts until that is over."),
    (r"^checkpoints cannot be read", "What was transcribed so far cannot be read. Look at the disk; it is tried again."),
    (r"checkpoint cannot be written", "What was transcribed cannot be kept. Look at the disk; it is tried again."),
    (r"^requests cannot be read", "Requests cannot be read. It is tried again by itself."),
    (r"^the manifest cannot be", "The log of outcomes cannot be written. Work goes on, and it is tried again."),
    (r"^old jobs cannot be|^what is old in ", "What is old cannot be removed. Work goes on, and it is tried again."),
    (r"^job \d+: ", "The files of one job cannot be moved. It is tried again, and other jobs go on."),
    (r"^(results|source|what was written)\b", "Transcripts cannot be put in place. Look at their folder; it is tried again."),
    (r"does not know the language", "The model does not know the language that is set. Choose another model or language."),
    (r"worker died before it could begin|worker can be started", "No worker can be started. The log says why."),
)  # fmt: skip
HOLDS = {  # by the word that `plain.held_up` has for it
    "stopped": "Nothing is transcribed until sttd is started.",
    "paused": "No job starts until the queue goes on.",
    "model": "A model that is set is not on this machine. Download it.",
}
AWAY = "No work goes to this machine now. It is tried again by itself."

# what came of a button
ASKED = "The daemon was asked."
ANSWERS = {True: "It is done.", False: "That cannot be done"}

# why a file that is sent is not taken, by the status of the answer
REFUSALS = {
    400: "It is empty, or its name cannot be used. Rename it.",
    409: "There is another file of that name. Rename it.",
    413: "It is larger than is allowed.",
    415: "It is no recording, or has no suffix of one.",
    503: "Nothing can be taken now. Send it again later.",
    507: "The disk is full. Make room, and send it again.",
}

IGNORED = {
    Why.HIDDEN: "hidden files",
    Why.UNFINISHED: "not finished copying or downloading",
    Why.FOREIGN: "folders of a NAS, a system or a sync program",
    Why.LINK: "links",
    Why.SPECIAL: "no ordinary files",
    Why.SUFFIX: "of kinds that are not transcribed",
    Why.RESULT: "transcripts",
    Why.CONTENT: "no recordings",
    Why.DEEP: "path too long",
}

# what a person should know of a transcript
WARNINGS = (
    (r"^no speech was found", "No speech was found in it."),
    (r"^the file ends early", "The file is not whole. What there is of it was transcribed."),
    (r"damaged packets? w", "Parts of the file are damaged, and were left out."),
    (r"time stamps? made no sense", "Some times in the file are wrong, and were ignored."),
    (r"taken for no speech", "Loud sound was taken for no speech. If people talk there, set transcribe.vad = false."),
    (r"^only audio track", "Only one of its audio tracks was transcribed."),
    (r"^audio tracks ", "Several of its audio tracks were transcribed."),
    (r"^channels cancel each other", "A channel was turned over. That was put right."),
    (r"^another recording follows in the file", "Another recording follows in the file. Save it as a file of its own."),
    (r"subtitles", CAUSES[Cause.EXISTING]),
)  # fmt: skip
_END = 1000  # characters


def of_job(job: Job) -> Iterator[Said]:
    """What went wrong with a job, then what a person should know of its result."""
    if job.error:
        yield of_error(job.error, job.cause)
    for each in job.warnings:
        yield of_warning(each)


def of_error(text: str, cause: str | None) -> Said:
    """What ended an attempt, or keeps a job waiting. The cause may be of another version."""
    known = CAUSES[Cause(cause)] if cause in set(Cause) else ""
    return Said(sentence(text), _found(ERRORS, text) or known)


def of_fallback(text: str) -> Said:
    """Why the fallback model was taken; "" where it was not."""
    return Said(sentence(text), _found(FALLBACKS, text))


def of_warning(text: str) -> Said:
    return Said(sentence(text), _found(WARNINGS, text))


def of_trouble(word: str, text: str) -> Said:
    """What holds work up, as `plain.held_up` says it."""
    return Said(text, HOLDS.get(word) or _found(TROUBLES, text) or ANYTHING)


def of_ignored(reason: str) -> tuple[Said, str]:
    """Why files are no jobs, one of `Why`; and the suffix behind it, where that is the reason."""
    why, colon, suffix = sentence(reason).partition(": ")
    return Said(sentence(reason), IGNORED[Why(why)] if why in set(Why) else ""), f"{colon}{suffix}"


def _found(kinds: Sequence[tuple[str, str]], text: str) -> str:
    """By the ends of a text: a library's message may have 65,000 characters, and a list of jobs has many."""
    ends = text if len(text) <= 2 * _END else f"{text[:_END]}\n{text[-_END:]}"
    return next((meaning for pattern, meaning in kinds if re.search(pattern, ends)), "")


def phrases() -> set[str]:
    """Everything that any sentence can mean."""
    kinds = {meaning for table in (ERRORS, FALLBACKS, TROUBLES, WARNINGS) for _, meaning in table}
    tables = (CAUSES, HOLDS, IGNORED, ANSWERS, REFUSALS)
    return {*kinds, *(words for table in tables for words in table.values()), ANYTHING, AWAY, ASKED}

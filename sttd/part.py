"""What travels between the daemon and a worker: a part's orders one way, its messages the other.

A part is a span of one job's audio; only a long recording has several (sharing.py). Everything here is plain data, so that it can be
sent to a process and to another machine (pool/codec.py). Times are samples at `SAMPLE_RATE` where exactness matters, else seconds.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from sttd.sharing import Decided, Share

SAMPLE_RATE = 16_000  # Hz; Whisper's
TOGETHER = 0  # the channel of a recording mixed to one; of another, the channel for what all its channels have alike
MOST_LANES = 4  # batches side by side on a CPU; see lanes.py


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model to load, and what to do if it does not load."""

    name: str  # a size, a hub name, a folder, or "demo"
    fallback: str = ""  # "": none
    device: str = "auto"  # auto, cpu or cuda
    device_index: int = 0
    compute_type: str = "default"
    cpu_threads: int = 1
    lanes: int = MOST_LANES  # batches side by side on a CPU, at most
    load_timeout: float = 300.0  # seconds for one load; the fallback has as long again
    hold: str = ""  # why the primary is not tried now (it failed a short while ago); "": try it


@dataclass(frozen=True, slots=True)
class CueRoom:
    """What one subtitle has room for. A longer segment comes with the times of its words, by which it is divided."""

    lines: int
    columns: int  # of a line; 0: as the script wants it
    longest: float  # seconds
    label: int = 0  # columns in front of a speaker's words, at most


@dataclass(frozen=True, slots=True)
class Options:
    """How to transcribe. The fields are `transcribe.*`, `expert.*` and `limits.*` of the configuration."""

    language: str = ""  # "": detected
    languages: tuple[str, ...] = ()  # the only ones that are spoken; among several, each stretch has its own
    tracks: str = "auto"  # of the file: auto, all, or the number of one, from 1
    channels: str = "mix"  # or split: each has its own segments
    task: str = "transcribe"  # or translate
    batch_size: int = 8  # windows
    beam_size: int = 5
    word_timestamps: bool = False
    initial_prompt: str = ""
    hotwords: str = ""
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    vad: bool = True  # leave out what is no speech
    vad_threshold: float = 0.5
    vad_silence: float = 0.16  # seconds without speech that end a span
    compression_ratio: float = 2.4  # of a text's characters; more is a loop
    log_prob: float = -1.0  # mean of a text's tokens; less is a guess
    no_speech: float = 0.6  # probability above which a guess is silence
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0  # tokens; 0: no rule
    max_new_tokens: int = 0  # 0: as many as the model can
    max_gap: float = 3600.0  # seconds
    max_audio: float = 172800.0  # seconds
    cue: CueRoom | None = None  # None: no subtitles are wanted


@dataclass(frozen=True, slots=True)
class Place:
    """How far a channel has come."""

    sample: int  # where its next window starts
    language: str | None = None  # decided for the whole channel by an earlier attempt
    language_probability: float | None = None


@dataclass(frozen=True, slots=True)
class Existing:
    """What a worker must know to tell whether a recording has subtitles already; see `existing`."""

    wanted: tuple[str, ...] = ()  # the languages that count; none: what its audio track says, else every language
    beside: tuple[tuple[str, str], ...] = ()  # names and languages of the subtitles that lie beside it


@dataclass(frozen=True, slots=True)
class PartSpec:
    """One attempt at one part."""

    part_id: str  # "<job id>.<number of the part>"
    attempt: int
    source: str  # path of the file, `os.fsdecode`d
    size: int  # bytes, and
    mtime_ns: int = field(metadata={"large": True})  # modification time: if either differs, the file has changed
    model: ModelSpec
    options: Options
    start: int = 0  # first sample
    end: int | None = None  # sample after the last; None: to the end of the file
    # by channel, where it goes on: behind its last chunk, or where the part before ended. One that is not here begins at `start`
    places: Mapping[int, Place] = field(default_factory=dict)
    next_index: int = 0  # index of the next chunk
    existing: Existing | None = None  # None: subtitles that are there do not matter
    budget: float = float("inf")  # seconds after Started when the worker stops by itself at a batch's end
    number: int = 0  # of the part, from 0
    parts: int = 0  # of the recording; 0: not known yet, the worker counts them by `share`
    share: Share | None = None  # None: the recording is not shared out
    decided: Mapping[int, Decided] = field(default_factory=dict)  # by channel, by part 0 of the recording
    passes: bool = True  # what lies before it may be skipped undecoded, where that gives the same samples
    ends: tuple[str, str] | None = None  # of the file, see pool/blocks.py; for a worker on another machine
    below: str = ""  # a folder: no link is followed from it to `source`; "": only the last name may not be a link
    handle: int | None = None  # an open file of the worker's process, read instead of opening `source`

    @property
    def resume_from(self) -> int:
        """The first sample that is missing; of a part whose border is not found yet, where the search for it begins."""
        start = round(self.number * self.share.length * SAMPLE_RATE) if self.share else self.start
        return min((place.sample for place in self.places.values()), default=start)


@dataclass(frozen=True, slots=True)
class Word:
    start: float  # seconds from the recording's beginning
    end: float
    word: str
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    start: float  # seconds from the recording's beginning
    end: float
    text: str
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    temperature: float
    language: str
    words: tuple[Word, ...] = ()
    heard: str = ""  # the text before `transcribe.replace` changed it; "": it did not
    channel: int = TOGETHER  # in which it was said, from 1
    speaker: str = ""  # the name of that channel


@dataclass(frozen=True, slots=True)
class Chunk:
    """The result of one window, and all that a resume needs. Those of a channel follow each other without a gap."""

    index: int
    start: int  # first sample, silence that was skipped before the speech included
    end: int  # sample after the last: the exact place where the next window starts
    segments: tuple[Segment, ...]
    language: str  # that of most of its segments' time; "und" where nothing was said
    language_probability: float
    model: str  # the one that was used
    spoken: str = ""  # the language decided for the whole channel; "": not yet, or each segment has its own
    spoken_probability: float = 0.0
    # the frames (32 ms) of its window by their level: dB of full scale, how many, and how many were taken for no speech
    levels: tuple[tuple[int, int, int], ...] = ()
    channel: int = TOGETHER


class Cause(enum.StrEnum):
    """Why an attempt ended other than with a transcript. `rules/policy.py` says what follows from each."""

    SLICE = "slice"  # the worker's budget is used up; it stopped at a batch's end
    ASKED = "asked"  # the worker was asked to stop (shutdown, memory) and did at a batch's end
    TIMEOUT = "timeout"  # killed by the sweep
    CANCELLED = "cancelled"  # killed because a person cancelled the job
    SHUTDOWN = "shutdown"  # killed because the daemon ends and the grace was over
    MEMORY = "memory"  # stopped to give memory back
    CRASH = "crash"  # died by a signal or with an exit code, unasked
    LINE = "line"  # the line to another machine broke, or that machine hung, after a part was given to it
    OOM = "oom"  # killed by the kernel's OOM killer
    NO_MODEL = "no model"  # neither model nor fallback can be loaded: the machine's fault
    CONFIGURATION = "configuration"  # asks for what the model does not know or the machine has not
    MACHINE = "machine"  # disk full, no memory, checkpoint not writable: the machine's fault
    GPU_MEMORY = "gpu memory"  # CUDA out of memory
    BAD_FILE = "bad file"  # the file cannot be transcribed, ever
    UNREADABLE = "unreadable"  # permission denied or an I/O error: goes on waiting
    CHANGED = "changed"  # the file is no longer what was queued
    GONE = "gone"  # the file is not there
    EXISTING = "existing"  # it has subtitles already: nothing is to be done
    ERROR = "error"  # anything else that a worker raised


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The fields of every message. The daemon drops messages of an old attempt."""

    part_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Message):
    """The model is ready and the stream stands at `resume_from`: from here on the part's time is charged."""

    pid: int
    model: str  # the one that was loaded
    requested_model: str
    fallback_reason: str  # "" where it is the requested one
    stuck: bool  # a load of the primary still hangs in this process
    load_seconds: float  # 0 where the model was warm
    audio_seconds: float | None  # of the whole recording, where the container says it
    parts: int = 1  # that the recording is shared out in


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Message):
    """Sent at most once a second, also while the stream is wound forward before Started.

    Both count in the whole recording, whichever part of it this is: part k begins near k * `Share.length`.
    """

    done: float  # seconds of audio from the recording's beginning
    total: float | None  # seconds of the whole recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks(Message):
    """The chunks of one batch, to be checkpointed together."""

    chunks: tuple[Chunk, ...]
    done: int  # sample up to which nothing is missing in any channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Message):
    """Something for the log: a fallback, damage in the file, a clean-up. Only the parent writes logs."""

    level: str  # DEBUG, INFO, WARNING or ERROR
    text: str
    event: str  # a short word: "model-timeout", "fallback", "cleanup", ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Message):
    """The attempt ended well: at the end of the part, or before it at a batch's end (`resume_at`)."""

    resume_at: int | None = None  # sample where to go on; None: the part is whole
    cause: Cause | None = None  # SLICE, ASKED or MEMORY where `resume_at` is set
    # where the part ends: of the last one, the whole recording's length as decoded. 0 where `resume_at` is set
    audio_seconds: float = 0.0
    warnings: tuple[str, ...] = ()  # what a person should know of the result, one sentence each


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Message):
    """The worker says that it could not do it; it lives on unless the pool replaces it."""

    cause: Cause
    error: str
    retriable: bool  # False: the next attempt would end the same
    spoilt: bool = False  # something in the worker's process has gone wrong for good: it is to have no further part
    unread: int = 0  # with UNREADABLE: the byte from which on the file could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Message):
    """The worker is gone: killed by us, by the kernel, or by its own fault."""

    cause: Cause
    error: str
    exitcode: int | None = None


Event = Started | Progress | Chunks | Notice | Done | Failed | Lost
ENDS = (Done, Failed, Lost)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a worker has in memory; see `serves`."""

    spec: ModelSpec
    model: str
    fallback_reason: str = ""
    stuck: bool = False


def serves(loaded: Loaded, wanted: ModelSpec) -> bool:
    """Whether a warm worker can take a part that wants `wanted`.

    A worker on the fallback serves only as long as the primary is on hold: afterwards a new worker tries the primary
    again. One with a stuck load serves nobody.
    """
    if loaded.stuck or dataclasses.replace(loaded.spec, hold="") != dataclasses.replace(wanted, hold=""):
        return False
    return not loaded.fallback_reason or bool(wanted.hold)

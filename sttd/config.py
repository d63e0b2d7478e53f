"""The configuration: every key with its default, its check and its meaning, read from file, environment and `--set`.

`--set section.key=value` overrides the environment (`STTD_SECTION__KEY`), which overrides the file, which overrides the defaults.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttd.host.capacity import capacity

if TYPE_CHECKING:
    from sttd.part import ModelSpec, Options
    from sttd.script import Script


SHORTEST = 1.0  # second: what is done again and again must leave the daemon, the disk and the log in peace meanwhile


def key(default: Any, help: str, kind: str, **rules: Any) -> Any:
    """A configuration key: its default, the sentence that `etc/sttd.toml` prints, and how its value is read.

    `configfile.values` knows the kinds and the rules (least, most, positive, endless, filled, choices).
    """
    return field(default=default, metadata={"help": help, "kind": kind, **rules})


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


@dataclass(frozen=True, slots=True)
class Pool:
    workers: int = key(
        0,
        "Worker processes. auto: one per GPU, else by cores and memory. Many short clips: one a core.",
        "auto",
        most=256,
    )
    job_timeout: float = key(
        1800.0,
        "How long one worker may spend on one job before it is killed; the job resumes.",
        "duration",
        positive=True,
        endless=True,
    )
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


@dataclass(frozen=True, slots=True)
class Model:
    name: str = key(
        "small", 'A size, a hub name, a folder (with a slash: /..., ./..., name/), or "demo".', "str", filled=True
    )
    fallback: str = key("base", 'Used if the model does not load. "": none.', "str")
    load_timeout: float = key(300.0, "How long one load may take.", "duration", positive=True)
    retry_after: float = key(900.0, "A model that did not load is not tried again for this long.", "duration")
    device: str = key("auto", "auto, cpu or cuda.", "choice", choices=("auto", "cpu", "cuda"))
    compute_type: str = key(
        "default",
        "default: as the model is stored, and where a CPU does not compute in that, auto. Or CTranslate2's: auto (the quickest), "
        "int8, int8_float32, int8_float16, float16, float32, ...",
        "choice",
        choices=("default", "auto", "int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16",
                 "bfloat16", "float32"),
    )  # fmt: skip
    cpu_threads: int = key(
        0, "Threads of one worker, for up to four batches side by side. auto: the cores shared out.", "auto", most=256
    )


# Whisper's decoder has room for 223 tokens of both together; the longest tokens of its vocabulary have some 16 letters. What is
# below this and still too much for the model is cut by the worker, which says so.
_PROMPT = {"most": 4000, "because": "a model takes some 150 words; keep the rarest"}


@dataclass(frozen=True, slots=True)
class Transcribe:
    language: str = key(
        "", 'A language code such as "th". "": one for each recording, by the first speech in it.', "language"
    )
    languages: tuple[str, ...] = key(
        (),
        "The only languages that people speak; of several, each stretch between two pauses has its own.",
        "languages",
    )
    tracks: str = key(
        "auto",
        "Audio tracks of a file: auto (the best one; where it is silent for long, others like it), all (mixed, by time), or a number.",
        "tracks",
    )
    task: str = key(
        "transcribe", "transcribe, or translate (into English).", "choice", choices=("transcribe", "translate")
    )
    batch_size: int = key(
        8,
        "Windows in the model at once; on a CPU shared out over up to four batches side by side.",
        "int",
        least=1,
        most=128,
    )
    beam_size: int = key(5, "Beam size.", "int", least=1, most=32)
    temperatures: tuple[float, ...] = key(
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        "Tried in this order on a window that is hard to hear; 0 alone leaves nothing to chance.",
        "fractions",
    )
    word_timestamps: bool = key(
        False,
        "The time of each word, in the JSON; else of long segments alone, whose subtitles are divided by it.",
        "bool",
    )
    initial_prompt: str = key("", "Text that shows the model names and spelling.", "str", **_PROMPT)
    hotwords: str = key("", "Words to be expected.", "str", **_PROMPT)
    replace: Path = key(
        Path(), 'A file with a line "heard → written" for each name that is to be written otherwise. "": none.', "path"
    )
    vad: bool = key(True, "Leave out what is no speech. false: all of the sound goes through the model.", "bool")
    vad_threshold: float = key(0.5, "Probability above which sound is speech.", "fraction")


@dataclass(frozen=True, slots=True)
class Expert:
    """How the model's words are judged and sampled. The defaults are right for all languages."""

    vad_silence: float = key(
        0.16,
        "So much without speech ends a span. What is between two spans is left out, but for 0.4 s around each.",
        "duration",
        least=0.05,
    )
    compression_ratio: float = key(
        2.4,
        "A text that compresses better than this (characters to bytes) is a loop, and is decoded again. Normal text reaches 2.2.",
        "number",
        least=1.0,
        most=1000.0,
    )
    log_prob: float = key(
        -1.0,
        "A text of a lower mean log probability is a guess, and is decoded again.",
        "number",
        least=-100.0,
        most=0.0,
    )
    no_speech: float = key(
        0.6, "Above this probability of silence a guess is no text, and the window is empty.", "fraction"
    )
    repetition_penalty: float = key(
        1.0,
        "Above 1, what was said is less likely to be said again, rightly or wrongly.",
        "number",
        least=1.0,
        most=2.0,
    )
    no_repeat_ngram_size: int = key(
        0, "So many tokens in a row are written only once in a window (a Thai letter has up to 3). 0: no such rule.", "int",
        least=0, most=224,
    )  # fmt: skip
    max_new_tokens: int = key(
        0, "Tokens that are written at once; the rest is decoded after them. auto: as many as the model can.", "auto",
        least=16, most=224,
    )  # fmt: skip


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
class Output:
    formats: tuple[str, ...] = key(
        ("txt", "srt", "vtt", "json", "tsv"), "What is written for each recording: txt, md, srt, vtt, lrc, json, tsv.",
        "formats", choices=("txt", "md", "srt", "vtt", "lrc", "json", "tsv"),
    )  # fmt: skip
    source: str = key(
        "archive", "What happens to a transcribed source: archive, keep or delete.", "choice",
        choices=("archive", "keep", "delete"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subtitles:
    """How srt and vtt are set, and where lrc is divided."""

    lines: int = key(2, "Lines of a subtitle.", "int", least=1, most=4)
    line_length: int = key(
        0, "Characters of a line. auto: by script, 42; Thai, Lao, Khmer, Burmese 35; Chinese, Korean 16; Japanese 13.", "auto",
        least=8, most=200,
    )  # fmt: skip
    shortest: float = key(1.0, "A subtitle stays at least this long, where there is room before the next.", "duration")
    longest: float = key(7.0, "A subtitle stays at most this long.", "duration", least=SHORTEST)
    reading_speed: int = key(
        0, "Characters a second that a viewer reads; a subtitle stays for so long, where there is room. auto: by script, "
        "17; Korean 12, Chinese 9, Japanese 4.", "auto", least=1, most=200,
    )  # fmt: skip

    def columns(self, script: Script) -> int:
        """Columns of a line in a script."""
        return (self.line_length or script.line) * script.columns

    def speed(self, script: Script) -> float:
        """Columns that a viewer of a script reads in a second."""
        return (self.reading_speed or script.speed) * script.columns


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


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be configured, one section a field. `configfile.load` makes it."""

    paths: Paths = field(default_factory=Paths)
    watch: Watch = field(default_factory=Watch)
    pool: Pool = field(default_factory=Pool)
    model: Model = field(default_factory=Model)
    transcribe: Transcribe = field(default_factory=Transcribe)
    expert: Expert = field(default_factory=Expert)
    memory: Memory = field(default_factory=Memory)
    output: Output = field(default_factory=Output)
    subtitles: Subtitles = field(default_factory=Subtitles)
    retention: Retention = field(default_factory=Retention)
    limits: Limits = field(default_factory=Limits)
    log: Log = field(default_factory=Log)
    # no key: how a person calls this sttd, with --config or --root, for all advice that names a command
    program: str = "sttd"

    def settle(self) -> float:
        """Seconds without change that make a file settled: 60 s at least of the default with `watch.polling`."""
        default = Watch().settle
        return 60.0 if self.watch.polling and self.watch.settle == default else self.watch.settle

    def options(self) -> Options:
        """The part of the configuration that a worker needs to transcribe."""
        from sttd.part import CueRoom, Options  # noqa: PLC0415 - commands that only look do without it

        words = dataclasses.asdict(self.transcribe) | dataclasses.asdict(self.expert)
        del words["replace"]  # the outbox's: a checkpoint keeps what was heard
        set_as = self.subtitles
        cue = None
        if not {"srt", "vtt", "lrc"}.isdisjoint(self.output.formats):
            cue = CueRoom(set_as.lines, set_as.line_length, set_as.longest)
        return Options(**words, max_gap=self.limits.max_gap, max_audio=self.limits.max_audio, cue=cue)

    def model_spec(self, name: str | None = None, hold: str = "") -> ModelSpec:
        """What a worker is told to load: the configured model, or `name` for one job alone."""
        from sttd.part import MOST_LANES, ModelSpec  # noqa: PLC0415 - commands that only look do without it

        model = self.model
        wanted = name or model.name
        return ModelSpec(
            name=wanted,
            fallback="" if model.fallback == wanted else model.fallback,
            device=model.device,
            compute_type=model.compute_type,
            cpu_threads=model.cpu_threads or capacity().cores_each(self.worker_count()),
            lanes=min(MOST_LANES, self.transcribe.batch_size),
            load_timeout=model.load_timeout,
            hold=hold,
        )

    def worker_count(self) -> int:
        """`pool.workers`, or for auto as many as the machine has room for."""
        return self.pool.workers or capacity().workers(self.model.device)


def sections() -> list[dataclasses.Field[Any]]:
    """The fields of `Config` that are sections of the file."""
    return [each for each in dataclasses.fields(Config) if each.default_factory is not dataclasses.MISSING]

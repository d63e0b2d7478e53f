"""Sections about a transcript: the model, what it listens for, and how its words are written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sttd.config.key import SHORTEST, key

if TYPE_CHECKING:
    from sttd.script import Script

FORMATS = ("txt", "md", "srt", "vtt", "lrc", "json", "tsv")  # of results, as their suffixes


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
    channels: str = key(
        "mix",
        "Channels of a track: mix, or split (of 2 to 8, each is a speaker; what is alike in all of them is nobody's).",
        "choice",
        choices=("mix", "split"),
    )
    channel_names: tuple[str, ...] = key(
        (),
        'Who speaks in each channel, such as ["Agent", "Customer"]. []: Left and Right, or Channel 1, 2, 3, ...',
        "names",
        most=8,
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

    def label(self) -> int:
        """Columns of the longest name of a channel, with its colon, where channels are speakers; else 0."""
        from sttd.script import width  # noqa: PLC0415 - commands that only look do without it

        if self.channels == "mix":
            return 0
        return max(width(f"{name}: ") for name in (*self.channel_names, "Channel 8"))


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
class Output:
    formats: tuple[str, ...] = key(
        ("txt", "srt", "vtt", "json", "tsv"), "What is written for each recording: txt, md, srt, vtt, lrc, json, tsv.",
        "formats", choices=FORMATS,
    )  # fmt: skip
    source: str = key(
        "archive", "What happens to a transcribed source: archive, keep or delete.", "choice",
        choices=("archive", "keep", "delete"),
    )  # fmt: skip
    place: str = key(
        "transcripts", "Where results appear: transcripts; or beside, in the source's own folder in the inbox. Then every source "
        "stays where it is.", "choice", choices=("transcripts", "beside"),
    )  # fmt: skip
    existing: str = key(
        "add", "Where there are subtitles or results already: add (results get a second name), skip (a recording with "
        "subtitles, beside it or in it, is not transcribed) or replace-ours (the same recording's earlier results, if nobody "
        "has changed them: after a redo, for the same content under the same name, or where a source that stays was "
        "overwritten).", "choice", choices=("add", "skip", "replace-ours"),
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

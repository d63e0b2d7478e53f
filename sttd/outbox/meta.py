"""The facts about a transcript, without its segments: the head of the JSON. Every format uses the same ones."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sttd import __version__
from sttd.job import Job
from sttd.languages import languages as languages_of
from sttd.outbox import passed_over
from sttd.outbox.passed_over import PassedOver
from sttd.part import SAMPLE_RATE, TOGETHER, Chunk, Segment
from sttd.units import format_duration


@dataclass(frozen=True, slots=True)
class Heard:
    """In which languages and channels people spoke, and what may have been speech too."""

    language: str = "und"  # the one spoken for the longest time; "und" if nothing was said
    probability: float | None = None
    languages: dict[str, float] = field(default_factory=dict)  # seconds of speech in each, the one that has most first
    passed_over: float = 0.0  # seconds of sound well above the noise that were taken for no speech
    channels: dict[int, float] = field(default_factory=dict)  # seconds of speech in each; empty if none was kept apart

    @classmethod
    def of(cls, chunks: Iterable[Chunk]) -> Heard:
        """Sums over all chunks of a recording; the chunks themselves are not kept in memory."""
        seconds: defaultdict[str, float] = defaultdict(float)
        chunks_of: defaultdict[str, float] = defaultdict(float)  # seconds of the chunks whose main language it is
        sure: defaultdict[str, float] = defaultdict(float)  # the same seconds, times the language's probability
        sounds: defaultdict[int, PassedOver] = defaultdict(PassedOver)  # by channel: each has its own noise
        channels: dict[int, float] = {}
        for chunk in chunks:
            sounds[chunk.channel].add(chunk.levels)
            channels[chunk.channel] = channels.get(chunk.channel, 0.0) + sum(
                _seconds_of(each) for each in chunk.segments
            )
            length = (chunk.end - chunk.start) / SAMPLE_RATE
            for language, time in languages_of(chunk.segments).items():
                seconds[language] += time
            chunks_of[chunk.language] += length
            sure[chunk.language] += length * chunk.language_probability
        passed = sum(sound.seconds for sound in sounds.values())
        if not seconds:
            return cls(passed_over=passed)
        channels.pop(TOGETHER, None)  # the mix of all channels is no channel of its own
        spoken = dict(sorted(channels.items())) if any(channels.values()) else {}
        ordered = dict(sorted(seconds.items(), key=lambda pair: -pair[1]))
        language = next(iter(ordered))
        probability = sure[language] / chunks_of[language] if chunks_of[language] else None
        return cls(language, probability, ordered, passed, spoken)


@dataclass(frozen=True, slots=True)
class Meta:
    """Everything but the segments. Times are UTC seconds since the epoch."""

    job: int
    source: str  # relative to the inbox; may hold surrogates
    size: int  # bytes
    mtime_ns: int
    language: str  # "und" where nothing was said
    language_probability: float | None
    languages: dict[str, float]  # seconds of speech in each, the one that has most first
    duration: float | None  # seconds of audio
    model: str | None  # the one that was used
    requested_model: str | None
    fallback_reason: str | None
    created_at: float
    started_at: float | None  # of the latest attempt
    finished_at: float
    service: float  # seconds that workers spent on it
    attempts: int  # submissions to a worker
    resumes: int
    chunks: int
    warnings: tuple[str, ...] = ()
    options: dict[str, Any] | None = None  # see `part.asked`; None: made by a version that did not keep them
    options_from: tuple[str, ...] = ()  # files in the inbox that set some of them, or how the results are written
    sha256: str | None = None  # of the source; `stage` fills it in
    copy_of: int | None = None  # the job that did the work, where this one has the same content
    version: str = __version__
    channels: dict[int, float] = field(default_factory=dict)  # seconds of speech in each that was kept apart
    speakers: dict[int, str] = field(default_factory=dict)  # their names; `stage` fills them in

    @classmethod
    def of(
        cls,
        job: Job,
        *,
        finished_at: float,
        languages: dict[str, float] | None = None,
        channels: dict[int, float] | None = None,
        options: dict[str, Any] | None = None,
    ) -> Meta:
        """What the ledger knows about a job, as it is written into the transcript."""
        return cls(
            job=job.id,
            source=job.source,
            size=job.size,
            mtime_ns=job.mtime_ns,
            language=job.language or "und",
            language_probability=job.language_probability,
            languages=languages or {},
            channels=channels or {},
            duration=job.audio_seconds,
            model=job.model,
            requested_model=job.requested_model,
            fallback_reason=job.fallback_reason or None,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=finished_at,
            service=job.service,
            attempts=job.attempt,
            resumes=job.resumes,
            chunks=job.chunks,
            warnings=job.warnings,
            options=options,
            options_from=job.folder_options.files,
            sha256=job.sha256 or None,
        )

    def for_copy(self, job: Job) -> Meta:
        """The same transcript as the result of `job`, whose source has the same content."""
        return dataclasses.replace(
            self,
            job=job.id,
            source=job.source,
            size=job.size,
            mtime_ns=job.mtime_ns,
            created_at=job.created_at,
            options_from=job.folder_options.files,
            copy_of=self.copy_of or self.job,
        )

    def head(self) -> dict[str, Any]:
        """The JSON's keys before `segments`. Times are ISO 8601 in UTC, for people and programs."""
        path = self.source.encode("utf-8", "backslashreplace").decode()  # different bytes stay different
        return {
            "sttd": self.version,
            "job": self.job,
            "copy_of": self.copy_of,
            "source": {
                "name": path.rpartition("/")[2],
                "path": path,
                "size": self.size,
                "mtime_ns": self.mtime_ns,
                "sha256": self.sha256,
            },
            "language": self.language,
            "language_probability": self.language_probability,
            "languages": {language: round(seconds, 3) for language, seconds in self.languages.items()},
            "speakers": [
                {"channel": number, "name": name, "seconds": round(self.channels[number], 3)}
                for number, name in self.speakers.items()
            ],
            "duration": self.duration,
            "model": self.model,
            "requested_model": self.requested_model,
            "fallback_reason": self.fallback_reason,
            "options": self.options,
            "options_from": [name.encode("utf-8", "backslashreplace").decode() for name in self.options_from],
            "timings": {
                "created": _iso(self.created_at),
                "started": _iso(self.started_at),
                "finished": _iso(self.finished_at),
                "processing_seconds": self.service,
            },
            "attempts": self.attempts,
            "resumes": self.resumes,
            "chunks": self.chunks,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_head(cls, head: dict[str, Any]) -> Meta:
        """What `head` made.

        Raises:
            KeyError, TypeError, ValueError: something else made it.
        """
        source, timings = head["source"], head["timings"]
        same = (
            "job", "copy_of", "language", "language_probability", "duration", "model", "requested_model",
            "fallback_reason", "attempts", "resumes", "chunks",
        )  # fmt: skip
        return cls(
            **{name: head[name] for name in same},
            source=source["path"],
            size=source["size"],
            mtime_ns=source["mtime_ns"],
            sha256=source["sha256"],
            created_at=_seconds(timings["created"]) or 0.0,
            started_at=_seconds(timings["started"]),
            finished_at=_seconds(timings["finished"]) or 0.0,
            service=timings["processing_seconds"],
            warnings=tuple(head["warnings"]),
            languages=head.get("languages", {}),
            channels={each["channel"]: each["seconds"] for each in head.get("speakers", ())},
            speakers={each["channel"]: each["name"] for each in head.get("speakers", ())},
            options=head.get("options"),
            options_from=tuple(head.get("options_from", ())),
            version=head["sttd"],
        )


def warnings_of(job: Job, heard: Heard) -> tuple[str, ...]:
    """Warnings about the result of `job`: those of its worker, that speech may be missing, that no speech was found.

    Each comes once: the job may have them already, if its results were staged before and could not be placed.
    """
    found = [*job.warnings, *passed_over.warnings(heard.passed_over)]
    if not heard.languages:
        found.append(f"no speech was found in {format_duration(round(job.audio_seconds or 0.0))} of sound")
    return tuple(dict.fromkeys(found))


def _seconds_of(segment: Segment) -> float:
    return max(0.0, segment.end - segment.start)


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds")


def _seconds(text: str | None) -> float | None:
    return None if text is None else dt.datetime.fromisoformat(text).timestamp()
